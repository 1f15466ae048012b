"""LoRA adapters, as ``mlx_lm.lora`` writes them: where they are, and that they are applied."""

from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlxjsd.errors import InputError

#: What an adapter's folder holds; other files there are earlier states of the training.
ADAPTER_FILES = ("adapter_config.json", "adapters.safetensors")


def find_adapter(path: Path | str) -> Path:
    """Return the folder of an adapter.

    Raises:
        InputError: if it is not there, or is no adapter.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise InputError(
            f"there is no adapter folder {path}", hint="give the folder that mlx_lm.lora wrote"
        )
    for name in ADAPTER_FILES:
        if not (folder / name).is_file():
            raise InputError(
                f"{path} is not an adapter: it holds no {name}",
                hint="give the folder that mlx_lm.lora wrote",
            )
    return folder


def check_applied(module: nn.Module, folder: Path) -> None:
    """Raise ``InputError`` unless every weight of the adapter in ``folder`` is in ``module``.

    MLX-LM's older releases pass over what does not fit; the numbers would then be those of the
    model without its adapter.
    """
    weights = mx.load(str(folder / ADAPTER_FILES[1]))
    assert isinstance(weights, dict)
    held = dict(tree_flatten(module.parameters()))
    foreign = [k for k, w in weights.items() if k not in held or held[k].shape != w.shape]
    if foreign or not weights:
        named = f"has no place for {foreign[0]!r}" if foreign else "gets no weight from it"
        raise InputError(
            f"the adapter in {folder} is not for this model, which {named}",
            hint="name the model that it was trained on",
        )
