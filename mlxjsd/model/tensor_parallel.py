"""Loading one rank's part of a model, as MLX-LM splits it (tensor parallelism)."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from mlxjsd.errors import InputError, said_by
from mlxjsd.model.module import load_module
from mlxjsd.model.tensor_group import LOAD_SECONDS, TensorParallelGroup


def load_part(
    place: Path, trust_remote_code: bool, group: TensorParallelGroup
) -> tuple[nn.Module, dict[str, Any]]:
    """Load this rank's part of a model, as ``mlx_lm.utils.sharded_load`` does.

    That function would load the tokenizer as well, in MLX-LM 0.31 with any code that it brings.

    Returns:
        The model and the configuration. A quantized model is split as it is quantized.

    Raises:
        InputError: if the family cannot be split, or not over this number of ranks.
        GroupBroken: if another rank is lost.
    """
    # Nothing is read yet; but what is missing or left over is found.
    module, config = load_module(place, trust_remote_code, lazy=True)
    family = str(config.get("model_type", ""))
    if not hasattr(module, "shard"):
        families = ", ".join(shardable_families())
        raise InputError(
            f"MLX-LM cannot split the family {family} over ranks, only {families}",
            hint="leave out --tensor-parallel",
        )
    with group.collective("loading the model", LOAD_SECONDS):
        try:
            module.shard(group.mlx_group)
            mx.eval(module.parameters())
            # The others have done as much.
            mx.eval(mx.distributed.all_sum(mx.array(1.0), group=group.mlx_group, stream=mx.cpu))
        except (ValueError, AssertionError) as error:
            why = said_by(error, 200)
            raise InputError(
                f"the model cannot be split over {group.rank.size} ranks: {why}",
                hint="use fewer ranks",
            ) from error
    _check_heads(module, group.rank.size)
    return module, config


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
