"""What a model's blocks do, found out by running them: it decides by which path it is measured.

Nothing is hard-coded per model family. Each block is run on a few random tokens. What counts is
whether hiding a key from a query changes that query alone (it *attends*), whether a
suffix over recorded keys and values gives what the whole prompt gives (it can go on over a
*prefix*), and whether anything but the residual stream passes from block to block. The one
pass is exact where every block is of that kind; elsewhere each cell is a pass of its own.
"""

from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import numpy as np

from mlxjsd.errors import MeasurementError, UnsupportedModel, said_by
from mlxjsd.model.masks import hide_keys, suffix_mask
from mlxjsd.model.stepping import BlockCall, Recorder, Stepper

ONE_PASS, PLAIN = "one pass", "plain"

#: Rows, tokens, and where a suffix begins: of a few random prompts.
_ROWS, _TOTAL, _START = 5, 8, 4
#: Different tokens in them; a vocabulary may hold fewer.
_KINDS = 89


@dataclass(frozen=True)
class BlockAnatomy:
    """What one block does."""

    attends: bool
    """Whether its attention can be knocked out: hiding keys has an effect, on the query alone."""
    rank: int = 4
    """How many axes its attention scores have: 4, or 5 where query heads are grouped by the key
    head that they share. A mask with one entry for each row then needs another axis."""
    keys: tuple[int, int] | None = None
    """How many keys it keeps for a token, and how wide; None for none. On the one pass, a block
    that keeps none does not mix tokens at all."""
    trouble: str | None = None
    """Why it cannot go on over a prefix; None if it can."""


@dataclass(frozen=True)
class Anatomy:
    """What all blocks of a model do."""

    blocks: tuple[BlockAnatomy, ...]
    trouble: str | None = None
    """Why each cell needs a pass of its own; None for the one pass."""

    @property
    def path(self) -> str:
        """How the model is measured: "one pass" or "plain"."""
        return ONE_PASS if self.trouble is None else PLAIN

    def applies(self, window: range) -> bool:
        """Whether knocking out attention in ``window`` can do anything; nothing may be empty."""
        return not window or any(self.blocks[i].attends for i in window)


def examine(blocks: Stepper, vocabulary: int | None = None) -> Anatomy:
    """Run each block of a model on random tokens and say what it does.

    Args:
        blocks: of the model.
        vocabulary: how many tokens it can look up; None where that is not known.

    Raises:
        UnsupportedModel: if no path would give right numbers; the message says why.
    """
    first, second = _Watcher(), _Watcher()
    try:
        blocks.run(_tokens(0, vocabulary), first.visit)
        blocks.run(_tokens(1, vocabulary), second.visit)
    except MeasurementError as error:
        raise UnsupportedModel(
            f"the model does not call its blocks one by one: {error.what}", hint=error.hint
        ) from None
    trouble = first.trouble or _differing_extra(first, second)
    examined = _Examination()
    blocks.run(_tokens(0, vocabulary), examined.visit)
    if trouble is None:
        trouble = next((block.trouble for block in examined.found if block.trouble), None)
    return Anatomy(tuple(examined.found), trouble)


def _tokens(shift: int, vocabulary: int | None) -> mx.array:
    kinds = min(_KINDS, vocabulary or _KINDS)
    return (mx.arange(_ROWS * _TOTAL) * (1 + shift) + shift).reshape(_ROWS, _TOTAL) % kinds


@dataclass
class _Watcher:
    """Watches a forward pass: does anything but the residual stream pass from block to block?"""

    extra: list[dict[str, Any]] = field(default_factory=list)
    trouble: str | None = None
    _out: mx.array | None = None

    def visit(self, call: BlockCall) -> mx.array:
        for name, value in call.extra.items():
            if not _is_value(value):
                raise UnsupportedModel(
                    f"block {call.index} reads earlier blocks through {name!r}, so that "
                    "patching the residual stream would replace only a part of a state",
                    hint="measure another model, and report this one",
                )
        if self._out is not None and not (call.x is self._out or _equal(call.x, self._out)):
            self.trouble = f"the residual stream changes in front of block {call.index}"
        # A copy, since the model may change what it gave.
        self.extra.append(dict(call.extra))
        self._out = call.forward(call.x, call.mask)
        return self._out


def _differing_extra(first: _Watcher, second: _Watcher) -> str | None:
    """Return why blocks depend on more than the residual stream; None if they do not."""
    for index, (one, other) in enumerate(zip(first.extra, second.extra, strict=True)):
        for name, value in one.items():
            if not _same(value, other.get(name)):
                return f"block {index} reads {name!r} beside the residual stream"
    return None


def _is_value(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_value(part) for part in value)
    return value is None or isinstance(value, bool | int | float | str | mx.array)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, mx.array) and isinstance(b, mx.array):
        return _equal(a, b)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and bool(a == b)


def _equal(a: mx.array, b: mx.array) -> bool:
    return a.shape == b.shape and bool(mx.array_equal(a, b).item())


@dataclass
class _Examination:
    """Examines each block of one forward pass in turn."""

    found: list[BlockAnatomy] = field(default_factory=list)

    def visit(self, call: BlockCall) -> mx.array:
        whole = call.attempt(call.x, call.mask)
        if not np.array(mx.all(mx.isfinite(whole))):
            kind = str(whole.dtype).removeprefix("mlx.core.")
            raise UnsupportedModel(
                f"block {call.index} leaves numbers that are too large for {kind}",
                hint="name a conversion of the model to bfloat16 or float32",
            )
        rank, effect = _mask_rank(call)
        _refuse_unless_causal(call, whole, effect)
        kept = Recorder()
        try:
            trouble = _prefix_trouble(call, kept, whole, effect)
        except (AttributeError, TypeError):  # it asks for what a recorder does not have
            trouble = f"block {call.index} asks its cache for more than keys and values"
        except Exception as error:
            trouble = f"block {call.index} does not go on over a prefix ({_described(error)})"
        keys = None
        if kept.state is not None and kept.state[0].ndim == 4:
            _, heads, _, depth = kept.state[0].shape
            keys = heads, depth
        if keys and rank is None:
            raise UnsupportedModel(
                f"block {call.index} keeps keys and values, but does not take a mask for each row",
                hint="measure another model, and report this one",
            )
        self.found.append(BlockAnatomy(rank is not None, rank or 4, keys, trouble))
        return call.forward(call.x, call.mask)


def _mask_rank(call: BlockCall) -> tuple[int | None, float]:
    """Hide keys from the last query of some rows; return the rank of mask that does only that.

    Returns:
        The rank, None if the block does not attend, and the mean effect of hiding.
    """
    here = [row % 2 == 0 for row in range(_ROWS)]
    queries = mx.arange(_TOTAL) == _TOTAL - 1
    keys = (mx.arange(_TOTAL) > 0) & (mx.arange(_TOTAL) < _TOTAL - 1)
    hidden = mx.array(here)[:, None, None] & queries[None, :, None] & keys[None, None]
    touched = mx.broadcast_to((mx.array(here)[:, None] & queries)[..., None], call.x.shape)
    for rank in (4, 5):
        try:
            unhidden = call.attempt(call.x, hide_keys(call.mask, mx.zeros_like(hidden), rank))
            knocked_out = call.attempt(call.x, hide_keys(call.mask, hidden, rank))
            gap = mx.abs(unhidden - knocked_out).astype(mx.float32)
            effect = _mean(gap, touched)
            leak = _mean(gap, mx.logical_not(touched))
        except Exception:  # noqa: S112 - the block takes no mask of this shape
            continue
        # With the wrong rank, a mask for each row is an error, or one for each key head, which
        # would change all rows.
        if effect > 0 and leak <= 0.01 * effect:
            return rank, effect
    return None, 0.0


def _prefix_trouble(call: BlockCall, kept: Recorder, whole: mx.array, effect: float) -> str | None:
    """Run the block on a suffix, over the keys and values that it puts into ``kept``.

    Returns:
        Why it cannot go on over them; None if it can.
    """
    x, name = call.x, f"block {call.index}"
    recorded = call.attempt(x, call.mask, kept)
    if _differ(recorded, whole, effect):
        return f"{name} gives other numbers over a cache"
    for start in (_START, _TOTAL - 1):
        prefix = None
        if kept.state is not None:
            keys, values = kept.state
            if (
                kept.calls != 1
                or keys.ndim != 4
                or keys.shape[2] != _TOTAL
                or values.shape[2] != _TOTAL
            ):
                return f"{name} does not keep one key and value for each token"
            prefix = Recorder(start, (keys[...], values[...]))
        mask = suffix_mask(call.mask, start, _TOTAL)
        if _differ(call.attempt(x[:, start:], mask, prefix, start), whole[:, start:], effect):
            return f"{name} carries more from token to token than keys and values"
    return None


def _refuse_unless_causal(call: BlockCall, whole: mx.array, effect: float) -> None:
    noise = mx.random.normal(call.x.shape, key=mx.random.key(0)).astype(call.x.dtype)
    later = mx.where(mx.arange(_TOTAL)[:, None] >= _START, noise, call.x)
    if _differ(call.attempt(later, call.mask)[:, :_START], whole[:, :_START], effect):
        raise UnsupportedModel(
            f"block {call.index} lets a token see later ones, whatever its mask",
            hint="measure another model, and report this one",
        )


def _differ(a: mx.array, b: mx.array, effect: float) -> bool:
    """Whether states that should be equal differ by more than rounding or a part of ``effect``."""
    allowed = 16 * mx.finfo(b.dtype).eps * _mean(mx.abs(b).astype(mx.float32))
    return not _mean(mx.abs(a - b).astype(mx.float32)) <= max(allowed, 0.02 * effect)


def _mean(values: mx.array, where: mx.array | None = None) -> float:
    if where is None:
        return float(np.array(mx.mean(values)))
    return float(np.array(mx.sum(mx.where(where, values, 0.0)) / mx.sum(where)))


def _described(error: Exception) -> str:
    said = said_by(error, 80)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
