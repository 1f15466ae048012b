"""Loading a model's weights with MLX-LM, in the versions that there are of it."""

import inspect
from pathlib import Path
from typing import Any

import mlx.nn as nn

from mlxjsd.model.open_files import mlx_lm_utils


def load_module(
    place: Path, trust_remote_code: bool, lazy: bool = False
) -> tuple[nn.Module, dict[str, Any]]:
    """Load a model's weights, and its configuration with the ends of its generation's.

    Args:
        place: of :func:`mlxjsd.model.files.staged`.
        trust_remote_code: run the code that ``model_file`` of its configuration names.
        lazy: read the weights once they are needed.
    """
    load_model = mlx_lm_utils().load_model
    # MLX-LM 0.31, the last for Python 3.10, runs such code without being asked to; but the place
    # holds none then.
    asks = "trust_remote_code" in inspect.signature(load_model).parameters
    trust = {"trust_remote_code": trust_remote_code} if asks else {}
    module, config = load_model(place, lazy=lazy, strict=True, **trust)
    return module, config
