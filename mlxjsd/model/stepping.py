"""Stepping between a model's blocks: every edit of the residual stream happens here.

MLX has no hooks. A block is intercepted by giving it, for one forward pass, a subclass of
its own class whose ``__call__`` hands the call to a visitor; parameters keep their names,
attributes that the model reads on a block still answer, and attention stays the model's own.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from mlxjsd.errors import MeasurementError, UnsupportedModel
from mlxjsd.model.masks import Mask
from mlxjsd.model.signature import OWN_CACHE, Signature, cut_to
from mlxjsd.model.streams import Streams


@dataclass(frozen=True)
class BlockCall:
    """One block about to be run by the model's own forward pass."""

    index: int
    """Which block, 0 .. L-1."""
    x: mx.array
    """The residual stream that enters it, (rows, tokens, hidden); where a family keeps several
    streams for each token, they stand behind one another in the last axis."""
    mask: Mask
    """The mask that the model made for this block: a word, nothing, or an array."""
    extra: dict[str, Any]
    """What else the model gives it, by name; empty for nearly all families."""
    _forward: Callable[[mx.array, Mask, Any, int, bool], mx.array]

    def forward(self, x: mx.array, mask: Mask, cache: Any = OWN_CACHE, start: int = 0) -> mx.array:
        """Run the block itself on ``x`` (rows, tokens, hidden) and return what leaves it.

        Args:
            x: the states of the tokens from ``start`` on.
            mask: for those tokens.
            cache: in place of the one that the model gave it.
            start: the first position of ``x``, by which numbers for each position are cut.
        """
        return self._forward(x, mask, cache, start, False)

    def attempt(self, x: mx.array, mask: Mask, cache: Any = OWN_CACHE, start: int = 0) -> mx.array:
        """Do as ``forward`` without leaving a trace in what the model goes on with."""
        return self._forward(x, mask, cache, start, True)


Visitor = Callable[[BlockCall], mx.array]


class Recorder:
    """A cache that keeps the keys and values of one call, over an optional prefix.

    Families differ in what they store (heads by depth, or latents), but time is always
    axis 2 and positions are already encoded, so a prefix simply stands in front.
    """

    def __init__(self, start: int = 0, under: Sequence[mx.array] = ()) -> None:
        """Begin at position ``start``.

        Args:
            start: how many tokens stand in front.
            under: keys and values of the whole prompt, (rows, heads, T, depth) each, of which
                the first ``start`` are the prefix; the rest gives way to the call's own.
                Nothing for a block that keeps none.
        """
        self._under = tuple(under) if start else ()
        self.offset = start if under else 0
        self.state: tuple[mx.array, mx.array] | None = None
        self.calls = 0

    def update_and_fetch(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Return prefix and new keys and values, (rows, heads, offset + tokens, depth)."""
        if self._under:
            # Nothing else may hold them any more: then they are written over where they are.
            (under_keys, under_values), self._under = self._under, ()
            keys = _written_over(under_keys, self.offset, keys)
            values = _written_over(under_values, self.offset, values)
        self.state = (keys, values)
        self.calls += 1
        return keys, values


def _written_over(under: mx.array, start: int, new: mx.array) -> mx.array:
    """Put ``new`` in place of what stands from ``start`` on, and end where it ends."""
    end = start + new.shape[2]
    under[:, :, start:end] = new
    return under[:, :, :end]


class Stepper:
    """The blocks of one model, in order.

    Raises ``UnsupportedModel`` where they cannot be found or do not look like blocks.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        layers = getattr(model, "layers", None)
        if not isinstance(layers, list | tuple) or not layers:
            raise UnsupportedModel(
                f"{type(model).__module__} does not list its blocks",
                hint="measure another model, and report this one",
            )
        self.blocks: list[nn.Module] = list(layers)
        self._index = {id(block): i for i, block in enumerate(self.blocks)}
        if len(self._index) != len(self.blocks):
            raise UnsupportedModel(
                "the model uses one block at several depths",
                hint="measure another model, and report this one",
            )
        self._classes = [type(block) for block in self.blocks]
        self._signatures = {cls: Signature.of(cls) for cls in set(self._classes)}
        self._stepping = {cls: self._stepping_class(cls) for cls in set(self._classes)}
        self._visit: Visitor | None = None
        self._next = 0
        self._shape: tuple[int, ...] = ()
        self._streams: Streams | None = None
        #: How much each block returns beside its states, once it is known.
        self._returned: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.blocks)

    def _stepping_class(self, cls: type) -> type:
        signature, owner = self._signatures[cls], self

        def __call__(block: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            return owner._called(block, cls, signature, args, kwargs)

        return type(cls.__name__, (cls,), {"__call__": __call__, "__module__": cls.__module__})

    def _called(
        self, block: nn.Module, cls: type, signature: Signature, args: tuple, kwargs: dict
    ) -> Any:
        index = self._index[id(block)]
        if index < self._next:
            raise MeasurementError(
                f"block {index} was called twice in one pass",
                hint="measure another model, and report this one",
            )
        if index > self._next:
            raise MeasurementError(
                f"block {index} was called where block {self._next} was due",
                hint="measure another model, and report this one",
            )
        self._next += 1
        bound = signature.bind(block, args, kwargs)
        streams = self._streams_of(bound[signature.x])
        entered = streams.fold(bound[signature.x])
        total = entered.shape[1]
        extra: list[Any] = []

        def forward(x: mx.array, mask: Mask, cache: Any, start: int, attempt: bool) -> mx.array:
            given = cut_to(bound, start, start + x.shape[1], total)
            if attempt:
                others = (*signature.rest, *([signature.cache] if signature.cache else ()))
                given = given | {name: copy.deepcopy(given[name]) for name in others}
            x = streams.unfold(x)
            out = cls.__call__(*signature.arguments(given, x, mask, cache))
            if isinstance(out, tuple):
                out, *more = out
                if not attempt and not extra:
                    extra.append(more)
                self._returned[index] = len(more)
            if not isinstance(out, mx.array) or out.shape != x.shape:
                shape = out.shape if isinstance(out, mx.array) else type(out).__name__
                raise UnsupportedModel(
                    f"block {index} ({cls.__name__}) does not return states: given {x.shape}, "
                    f"it returns {shape}",
                    hint="measure another model, and report this one",
                )
            return streams.fold(out)

        rest = {name: bound[name] for name in signature.rest if bound[name] is not None}
        mask = bound[signature.mask] if signature.mask else None
        assert self._visit is not None
        out = streams.unfold(self._visit(BlockCall(index, entered, mask, rest, forward)))
        if not (returned := self._returned.get(index)):
            return out
        # What a block returns beside its states stays as the block made it.
        return (out, *(extra[0] if extra else [None] * returned))

    def _streams_of(self, x: mx.array) -> Streams:
        if self._streams is None:
            self._streams = Streams.of(x, self._shape)
        return self._streams

    @contextmanager
    def _intercepted(self, tokens: mx.array, visit: Visitor) -> Iterator[None]:
        if self._visit is not None:
            raise MeasurementError(
                "the model is being stepped through already",
                hint="let one measurement end before the next",
            )
        self._refuse_if_changed("is not as it was loaded")
        self._visit, self._next, self._shape = visit, 0, tokens.shape
        try:
            for block, cls in zip(self.blocks, self._classes, strict=True):
                block.__class__ = self._stepping[cls]
            yield
        finally:
            for block, cls in zip(self.blocks, self._classes, strict=True):
                with suppress(TypeError):  # so that the others are restored all the same
                    block.__class__ = cls
            self._visit = None
            self._refuse_if_changed("was not restored after a pass")

    def _refuse_if_changed(self, how: str) -> None:
        """Raise if a block is not of its own class, or not in its place: edits would be left."""
        for index, (block, cls) in enumerate(zip(self.blocks, self._classes, strict=True)):
            if type(block) is not cls:
                raise MeasurementError(f"block {index} {how}", hint="load the model anew")
        for index, (block, now) in enumerate(zip(self.blocks, self.model.layers, strict=False)):
            if now is not block:
                raise MeasurementError(
                    f"block {index} was replaced by another one", hint="load the model anew"
                )
        if len(self.model.layers) != len(self.blocks):
            raise MeasurementError(
                f"the model has {len(self.model.layers)} blocks now, and had others",
                hint="load the model anew",
            )

    def run(self, tokens: mx.array, visit: Visitor) -> mx.array:
        """Run the model on ``tokens`` (rows, T), handing every block's call to ``visit``.

        What ``visit`` returns goes on in the block's place, and any shape may leave the
        last block: the model's own final norm and head apply to it.

        Returns:
            Logits, (rows, positions, V), for the positions that left the last block.

        Raises:
            MeasurementError: if the model did not call each block once, in order.
        """
        with self._intercepted(tokens, visit):
            logits = self.model(tokens)
        if self._next != len(self):
            raise MeasurementError(
                f"block {self._next} was not called in a forward pass",
                hint="measure another model, and report this one",
            )
        return logits

    def embed(self, tokens: mx.array) -> mx.array:
        """Return what enters block 0 for ``tokens`` (rows, T): (rows, T, hidden)."""
        seen: list[mx.array] = []

        def visit(call: BlockCall) -> mx.array:
            seen.append(call.x)
            raise _Stop

        with suppress(_Stop), self._intercepted(tokens, visit):
            self.model(tokens)
        return seen[0]

    def readout(self, states: mx.array) -> mx.array:
        """Return the logits (rows, positions, V) of ``states`` that left the last block."""
        last = len(self) - 1
        return self.run(
            mx.zeros((states.shape[0], 1), mx.int32),
            lambda call: states if call.index == last else call.x,
        )


class _Stop(Exception):
    """Ends a forward pass early."""
