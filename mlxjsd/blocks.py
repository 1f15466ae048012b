"""Stepping between a model's blocks: every edit of the residual stream happens here.

MLX has no hooks. A block is intercepted by giving it, for one forward pass, a subclass of
its own class whose ``__call__`` hands the call to a visitor; parameters keep their names,
attributes that the model reads on a block still answer, and attention stays the model's own.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from mlxjsd.errors import MeasurementError, UnsupportedModel
from mlxjsd.masks import Mask, hide_keys, suffix_mask

_MASK_NAMES = ("mask", "attention_mask", "attn_mask")


@dataclass(frozen=True)
class BlockCall:
    """One block about to be run by the model's own forward pass."""

    index: int
    """Which block, 0 .. L-1."""
    x: mx.array
    """The residual stream that enters it, (rows, tokens, hidden)."""
    mask: Mask
    """The mask that the model made for this block: a word, nothing, or an array."""
    _forward: Callable[[mx.array, Mask, Any], mx.array]

    def forward(self, x: mx.array, mask: Mask, cache: Any = None) -> mx.array:
        """Run the block itself on ``x`` (rows, tokens, hidden) and return what leaves it."""
        return self._forward(x, mask, cache)


Visitor = Callable[[BlockCall], mx.array]


class Recorder:
    """A cache that keeps the keys and values of one call, behind an optional prefix.

    Families differ in what they store (heads by depth, or latents), but time is always
    axis 2 and positions are already encoded, so a prefix is simply put in front.
    """

    def __init__(self, prefix: tuple[mx.array, mx.array] | None = None) -> None:
        self._prefix = prefix
        self.offset = 0 if prefix is None else prefix[0].shape[2]
        self.state: tuple[mx.array, mx.array] | None = None

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Return prefix and new keys and values, (rows, heads, offset + tokens, depth)."""
        if self._prefix is not None:
            keys = mx.concatenate([self._prefix[0], keys], axis=2)
            values = mx.concatenate([self._prefix[1], values], axis=2)
        self.state = (keys, values)
        return keys, values


class Blocks:
    """The blocks of one model, in order.

    Raises ``UnsupportedModel`` where they cannot be found or do not look like blocks.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        layers = getattr(model, "layers", None)
        if not isinstance(layers, list | tuple) or not layers:
            raise UnsupportedModel(f"{type(model).__module__} does not list its blocks")
        self.blocks: list[nn.Module] = list(layers)
        self._index = {id(block): i for i, block in enumerate(self.blocks)}
        if len(self._index) != len(self.blocks):
            raise UnsupportedModel("the model uses one block at several depths")
        self._classes = [type(block) for block in self.blocks]
        self._signatures = {cls: _Signature.of(cls) for cls in set(self._classes)}
        self._stepping = {cls: self._stepping_class(cls) for cls in set(self._classes)}
        self._visit: Visitor | None = None
        self._next = 0

    def __len__(self) -> int:
        return len(self.blocks)

    def _stepping_class(self, cls: type) -> type:
        signature, owner = self._signatures[cls], self

        def __call__(block: nn.Module, *args: Any, **kwargs: Any) -> mx.array:  # noqa: N807
            return owner._called(block, cls, signature, args, kwargs)

        return type(cls.__name__, (cls,), {"__call__": __call__, "__module__": cls.__module__})

    def _called(
        self, block: nn.Module, cls: type, signature: "_Signature", args: tuple, kwargs: dict
    ) -> mx.array:
        index = self._index[id(block)]
        if index != self._next:
            raise MeasurementError(f"block {index} was called where block {self._next} was due")
        self._next += 1
        bound = signature.bind(block, args, kwargs)

        def forward(x: mx.array, mask: Mask, cache: Any) -> mx.array:
            out = cls.__call__(*signature.arguments(bound, x, mask, cache))
            if not isinstance(out, mx.array) or out.shape != x.shape:
                raise UnsupportedModel(f"block {index} ({cls.__name__}) returns more than states")
            return out

        assert self._visit is not None
        return self._visit(BlockCall(index, bound[signature.x], bound[signature.mask], forward))

    @contextmanager
    def _intercepted(self, visit: Visitor) -> Iterator[None]:
        if self._visit is not None:
            raise MeasurementError("the model is being stepped through already")
        self._visit, self._next = visit, 0
        try:
            for block, cls in zip(self.blocks, self._classes, strict=True):
                block.__class__ = self._stepping[cls]
            yield
        finally:
            for block, cls in zip(self.blocks, self._classes, strict=True):
                block.__class__ = cls
            self._visit = None

    def run(self, tokens: mx.array, visit: Visitor) -> mx.array:
        """Run the model on ``tokens`` (rows, T), handing every block's call to ``visit``.

        What ``visit`` returns goes on in the block's place, and any shape may leave the
        last block: the model's own final norm and head apply to it.

        Returns:
            Logits, (rows, positions, V), for the positions that left the last block.

        Raises:
            MeasurementError: if the model did not call each block once, in order.
        """
        with self._intercepted(visit):
            logits = self.model(tokens)
        if self._next != len(self):
            raise MeasurementError(f"block {self._next} was not called in a forward pass")
        return logits

    @cached_property
    def mask_rank(self) -> int:
        """How many axes the attention scores have: 4, or 5 where query heads are grouped.

        A mask with one entry for each row then needs another axis. It is found by running
        each kind of block on a few rows at once and one by one: with the wrong rank, a batch
        as large as the number of key heads would give wrong numbers without any error.

        Raises ``UnsupportedModel`` if neither agrees.
        """
        ranks = {self._probe_rank(cls) for cls in set(self._classes)}
        if len(ranks) != 1:
            raise UnsupportedModel("the model's blocks take masks of different ranks")
        return ranks.pop()

    def _probe_rank(self, cls: type) -> int:
        rows, total, start = 5, 4, 2
        tokens = mx.arange(rows * total).reshape(rows, total)
        hidden = mx.array([[False, row % 2 == 0, False, False] for row in range(rows)])
        hidden = mx.broadcast_to(hidden[:, None], (rows, total - start, total))
        found: list[int] = []

        def visit(call: BlockCall) -> mx.array:
            if self._classes[call.index] is not cls:
                return call.x
            kept = Recorder()
            call.forward(call.x, call.mask, kept)
            if kept.state is None:
                raise UnsupportedModel(f"block {call.index} keeps no keys and values in its cache")
            mask = suffix_mask(call.mask, start, total)
            x, (keys, values) = call.x[:, start:], kept.state

            def step(at: slice, rank: int) -> mx.array:
                prefix = Recorder((keys[at, :, :start], values[at, :, :start]))
                return call.forward(x[at], hide_keys(mask, hidden[at], rank), prefix)

            one_by_one = mx.concatenate([step(slice(i, i + 1), 4) for i in range(rows)])
            for rank in (4, 5):
                try:
                    at_once = step(slice(None), rank)
                    mx.eval(at_once)
                except ValueError:
                    continue
                gap = mx.abs(at_once - one_by_one).max()
                scale = mx.maximum(mx.abs(one_by_one).max(), 1.0)
                if (gap <= 64 * mx.finfo(x.dtype).eps * scale).item():
                    found.append(rank)
                    break
            raise _Enough

        self._run_until_enough(tokens, visit)
        if not found:
            raise UnsupportedModel(f"{cls.__name__} does not take a mask for each row")
        return found[0]

    def embed(self, tokens: mx.array) -> mx.array:
        """Return what enters block 0 for ``tokens`` (rows, T): (rows, T, hidden)."""
        seen: list[mx.array] = []

        def visit(call: BlockCall) -> mx.array:
            seen.append(call.x)
            raise _Enough

        self._run_until_enough(tokens, visit)
        return seen[0]

    def _run_until_enough(self, tokens: mx.array, visit: Visitor) -> None:
        """Begin a forward pass that ``visit`` ends by raising ``_Enough``."""
        with suppress(_Enough), self._intercepted(visit):
            self.model(tokens)

    def readout(self, states: mx.array) -> mx.array:
        """Return the logits (rows, positions, V) of ``states`` that left the last block."""
        last = len(self) - 1
        return self.run(
            mx.zeros((states.shape[0], 1), mx.int32),
            lambda call: states if call.index == last else call.x,
        )


class _Enough(Exception):
    """Ends a forward pass that has shown what was asked for."""


@dataclass(frozen=True)
class _Signature:
    """Where a block takes its states, its mask and its cache."""

    signature: inspect.Signature
    block: str
    x: str
    mask: str
    cache: str

    @classmethod
    def of(cls, block: type) -> "_Signature":
        signature = inspect.signature(block.__call__)
        names = list(signature.parameters)
        mask = next((n for n in _MASK_NAMES if n in names), None)
        if mask is None or "cache" not in names or len(names) < 4:
            raise UnsupportedModel(
                f"{block.__module__}.{block.__name__} does not take a mask and a cache"
            )
        return cls(signature, names[0], names[1], mask, "cache")

    def bind(self, block: nn.Module, args: tuple, kwargs: dict) -> dict[str, Any]:
        bound = self.signature.bind(block, *args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def arguments(self, bound: dict[str, Any], x: mx.array, mask: Mask, cache: Any) -> list[Any]:
        replaced = bound | {self.x: x, self.mask: mask, self.cache: cache}
        return [replaced[name] for name in self.signature.parameters]
