"""Loading one rank's part of a model, as MLX-LM splits it (tensor parallelism)."""

import inspect
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlx.nn as nn

from mlxjsd.errors import InputError, said_by
from mlxjsd.model.tensor_group import LOAD_SECONDS, TensorParallelGroup


def load_sharded(
    folder: Path, trust_remote_code: bool, group: TensorParallelGroup
) -> tuple[nn.Module, Any, dict[str, Any]]:
    """Load this rank's part of a model.

    Returns:
        The model, the tokenizer and the configuration, as ``mlx_lm.load`` does. A quantized
        model is split as it is quantized.

    Raises:
        InputError: if the family cannot be split, or not over this number of ranks.
        GroupBroken: if another rank is lost.
    """
    from mlx_lm.utils import load_model, sharded_load

    # Nothing is read yet; but what is missing or left over is found, which sharded_load lets pass.
    trust = _taken_by(load_model, trust_remote_code=trust_remote_code)
    whole, config = load_model(folder, lazy=True, strict=True, **trust)
    family = str(config.get("model_type", ""))
    if not hasattr(whole, "shard"):
        families = ", ".join(shardable_families())
        raise InputError(
            f"MLX-LM cannot split the family {family} over ranks, only {families}",
            hint="leave out --tensor-parallel",
        )
    del whole
    options = _taken_by(
        sharded_load,
        trust_remote_code=trust_remote_code,
        tokenizer_config={"trust_remote_code": trust_remote_code},
    )
    with group.collective("loading the model", LOAD_SECONDS):
        try:
            module, tokenizer = sharded_load(str(folder), tensor_group=group.mlx_group, **options)
        except (ValueError, AssertionError) as error:
            why = said_by(error, 200)
            raise InputError(
                f"the model cannot be split over {group.rank.size} ranks: {why}",
                hint="use fewer ranks",
            ) from error
    _check_heads(module, group.rank.size)
    return module, tokenizer, config


def _taken_by(function: Any, **options: Any) -> dict[str, Any]:
    """Return those options that this version of MLX-LM has."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in options.items() if name in names}


def _check_heads(module: nn.Module, size: int) -> None:
    for name, layer in module.named_modules():
        for heads in ("n_heads", "n_kv_heads", "num_heads", "num_key_value_heads"):
            if getattr(layer, heads, None) == 0:
                why = f"{name} has fewer heads than that"
                raise InputError(
                    f"the model cannot be split over {size} ranks: {why}", hint="use fewer ranks"
                )


def shardable_families() -> list[str]:
    """Return the model types that MLX-LM can split, by what their files define."""
    spec = find_spec("mlx_lm.models")
    assert spec is not None
    assert spec.submodule_search_locations
    files = sorted(Path(spec.submodule_search_locations[0]).glob("*.py"))
    pattern = re.compile(r"^    def shard\(self", re.MULTILINE)
    return [file.stem for file in files if pattern.search(file.read_text(encoding="utf-8"))]
