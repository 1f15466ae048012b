"""Fewer bits for a model that is loaded, by MLX-LM's own conversion."""

from typing import Any

import mlx.nn as nn

from mlxjsd.errors import InputError, said_by

#: What MLX can quantize to.
BITS = (2, 3, 4, 5, 6, 8)


def check_bits(bits: int) -> None:
    """Raise ``InputError`` for a precision that MLX has not."""
    if bits not in BITS:
        raise InputError(
            f"MLX quantizes to {', '.join(map(str, BITS))} bits, not {bits}", hint="correct --bits"
        )


def requantize(module: nn.Module, config: dict[str, Any], bits: int) -> dict[str, Any]:
    """Bring a model's weights to ``bits``, each layer that MLX-LM would quantize.

    Args:
        module: as it was loaded; its weights may be lazy.
        config: its ``config.json``.
        bits: as many as it has, which changes nothing, or fewer.

    Returns:
        The configuration with the new quantization.

    Raises:
        InputError: if it has fewer bits itself, or cannot be quantized so.
    """
    from mlx_lm.utils import dequantize_model, quantize_model

    found = config.get("quantization") or config.get("quantization_config") or {}
    own, group_size = found.get("bits"), found.get("group_size")
    if own is not None and bits > own:
        raise InputError(
            f"the model has {own} bits, which cannot become {bits}",
            hint="give fewer with --bits, or name the model from which it was quantized",
        )
    if bits == own:
        return config
    plain = {k: v for k, v in config.items() if k not in ("quantization", "quantization_config")}
    try:
        dequantize_model(module)
        _, quantized = quantize_model(module, plain, group_size=group_size, bits=bits)
    except (ValueError, RuntimeError, KeyError) as error:
        raise InputError(
            f"the model cannot be brought to {bits} bits: {said_by(error, 200)}",
            hint="leave --bits out",
        ) from error
    return dict(quantized)
