"""Where a block takes its states, its mask and its cache: found in its own signature.

Families differ in the names and in their order.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from mlxjsd.errors import UnsupportedModel
from mlxjsd.model.masks import Mask

_STATE_NAMES = ("x", "h", "hidden_states", "inputs")
_MASK_NAMES = ("mask", "attention_mask", "attn_mask")
#: Stands for the cache that the model itself gave a block; nearly always None.
OWN_CACHE: Any = object()


@dataclass(frozen=True)
class Signature:
    """The arguments of a block, by name."""

    signature: inspect.Signature
    block: str
    x: str
    mask: str | None
    cache: str | None
    rest: tuple[str, ...]
    """Whatever else it takes."""

    @classmethod
    def of(cls, block: type) -> "Signature":
        """Look at a class of blocks.

        Raises:
            UnsupportedModel: if it takes neither a mask nor a cache.
        """
        signature = inspect.signature(block.__call__)
        names = list(signature.parameters)
        x = next((n for n in _STATE_NAMES if n in names), names[min(1, len(names) - 1)])
        mask = next((n for n in _MASK_NAMES if n in names), None)
        cache = "cache" if "cache" in names else None
        if mask is None and cache is None:
            raise UnsupportedModel(
                f"{block.__module__}.{block.__name__} does not take a mask or a cache",
                hint="measure another model, and report this one",
            )
        rest = tuple(n for n in names if n not in (names[0], x, mask, cache))
        return cls(signature, names[0], x, mask, cache, rest)

    def bind(self, block: nn.Module, args: tuple, kwargs: dict) -> dict[str, Any]:
        """Return every argument of a call by its name."""
        bound = self.signature.bind(block, *args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def arguments(self, bound: dict[str, Any], x: mx.array, mask: Mask, cache: Any) -> list[Any]:
        """Return the arguments of a call with its states, mask and cache replaced, in order."""
        replaced: dict[str, Any] = {self.x: x}
        if self.mask is not None:
            replaced[self.mask] = mask
        if self.cache is not None and cache is not OWN_CACHE:
            replaced[self.cache] = cache
        return [(bound | replaced)[name] for name in self.signature.parameters]


def cut_to(bound: dict[str, Any], start: int, end: int, total: int) -> dict[str, Any]:
    """Cut arrays with a row for each position, such as scales, to the positions [start, end)."""
    if end - start == total:
        return bound
    return {
        name: value[start:end]
        if isinstance(value, mx.array) and value.ndim == 2 and value.shape[0] == total
        else value
        for name, value in bound.items()
    }
