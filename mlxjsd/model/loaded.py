"""A model that is loaded, and what identifies it."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from mlxjsd.model.blocks import Blocks
from mlxjsd.prompts.encode import Encoder

if TYPE_CHECKING:
    from mlxjsd.model.tensor_group import TensorParallelGroup


@dataclass(frozen=True)
class ModelIdentity:
    """Which model was measured, and in which form."""

    name: str
    """As it was asked for: a folder's name or a Hub repository."""
    family: str
    """MLX-LM's model type."""
    layers: int
    hidden_size: int
    vocabulary: int
    """Length of a row of logits."""
    dtype: str
    """Of the residual stream."""
    quantization: str | None
    """Such as "4 bits, groups of 64"; None for an unquantized model."""
    sha256: str
    """Of the configuration, the tokenizer and all weights, those of the adapter included."""
    trust_remote_code: bool = False
    revision: str | None = None
    """Of the Hub repository, as it was asked for."""
    adapter: str | None = None
    """Folder of the LoRA adapter, as it was asked for."""
    path: str = "one pass"
    """How it is measured: "one pass", or "plain", a forward pass for each cell."""
    bits: int | None = None
    """To which it was quantized once it was loaded; None if it was left as it is."""

    def to_json(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to be stepped through."""

    blocks: Blocks
    encoder: Encoder
    identity: ModelIdentity
    tokenizer: Any
    """MLX-LM's wrapper, for generation."""
    notes: tuple[str, ...] = field(default=())
    """How it runs on this machine, to be said once in a run's output."""
    group: "TensorParallelGroup | None" = None
    """The ranks that hold it together; None for a model that is here as a whole."""

    def embed(self, tokens: np.ndarray) -> np.ndarray:
        """Return what enters block 0 for ``tokens`` (rows, T): float32 (rows, T, hidden)."""
        return np.array(self.blocks.embed(mx.array(tokens)).astype(mx.float32))


def weights_bytes(module: nn.Module) -> int:
    """Return the bytes that the model's parameters take."""
    return sum(value.nbytes for _, value in tree_flatten(module.parameters()))
