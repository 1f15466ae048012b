"""How much memory the calls of a model's blocks take, by their rows, queries and keys.

Read from the graphs of a few small calls, made as the sweep makes them: attention heads of any
width, keys made of latents, and experts count as what they are found to be. Nothing is
hard-coded per model family.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from mlxjsd.model.anatomy import Anatomy, BlockAnatomy
from mlxjsd.model.graph import Made, made_by
from mlxjsd.model.masks import hide_keys, prefix_mask, suffix_mask
from mlxjsd.model.signature import OWN_CACHE
from mlxjsd.model.stepping import BlockCall, Recorder, Stepper

#: Rows of a call whose graph is read: so many that layers of experts sort them by expert, as
#: they do in a large pass.
_ROWS = 64
#: Queries and keys of the calls that are read: over a prefix, and of whole prompts.
_ONE = ((1, 8), (1, 12))
_SEVERAL = ((4, 8), (6, 8), (4, 12), (6, 12))
_WHOLE = ((4, 4), (8, 8), (12, 12))
_TOKENS = 12
#: Where a graph cannot be read: how many times a block keeps what its products give.
_COPIES = 4


@dataclass(frozen=True)
class Size:
    """Bytes that a row of a call takes, by its queries and the keys that they may attend to."""

    fixed: float = 0.0
    query: float = 0.0
    """Of each query: products, norms and the like."""
    key: float = 0.0
    """Of each key: copies of it, and what is made of latents."""
    pair: float = 0.0
    """Of each query with each key: attention scores and masks."""

    @classmethod
    def fitted(cls, sizes: Mapping[tuple[int, int], float]) -> "Size":
        """Find the terms from the bytes of a few calls, by (queries, keys)."""
        terms = [(1, queries, keys, queries * keys) for queries, keys in sizes]
        found, *_ = np.linalg.lstsq(np.array(terms, float), np.array([*sizes.values()]), rcond=None)
        return cls(*(max(0.0, round(float(term), 3)) for term in found))

    def at(self, queries: int, keys: int) -> float:
        """Return the bytes of a row."""
        return self.fixed + self.query * queries + self.key * keys + self.pair * queries * keys


@dataclass(frozen=True)
class Allocations:
    """Bytes that the calls of one block take beside its parameters."""

    one: Size
    """A row of a single query, for which some blocks take another way."""
    several: Size
    """A row of several queries."""
    constant: float = 0.0
    """What a call makes of the parameters alone, such as a float32 form of them."""
    kept: float = 0.0
    """The keys and values of one token."""

    def row(self, queries: int, keys: int) -> float:
        """Return the bytes of a row of so many queries, over so many keys, its own among them."""
        return (self.one if queries == 1 else self.several).at(queries, keys)


def allocations_of(blocks: Stepper, anatomy: Anatomy) -> tuple[Allocations, ...]:
    """Return what the calls of each kind of block take.

    Blocks of one class whose parameters have the same shapes are of one kind. On the one pass
    the calls go on over a prefix; on the plain path they are of whole prompts.
    """
    over_prefix = anatomy.trouble is None
    found: dict[tuple, Allocations] = {}

    def visit(call: BlockCall) -> mx.array:
        block, about = blocks.blocks[call.index], anatomy.blocks[call.index]
        shapes = tuple((name, a.shape) for name, a in tree_flatten(block.parameters()))
        mask = call.mask.shape if isinstance(call.mask, mx.array) else call.mask
        kind = (type(block), shapes, mask, about.attends, about.rank, about.keys)
        if kind not in found:
            state = _kept(call) if over_prefix else None
            try:
                found[kind] = _read(call, about, state)
            except Exception:  # it computes on its way, or MLX cannot write its graph down
                found[kind] = _estimated(block, about, state or (), call.x.dtype.size)
        return call.forward(call.x, call.mask)

    blocks.run(mx.arange(_TOKENS)[None], visit)
    return tuple(found.values())


def _kept(call: BlockCall) -> tuple[mx.array, ...]:
    """Return the keys and values that a block keeps of the tokens it is given."""
    recorder = Recorder()
    call.attempt(call.x, call.mask, recorder)
    return recorder.state or ()


def _read(call: BlockCall, about: BlockAnatomy, state: tuple[mx.array, ...] | None) -> Allocations:
    """Read what the calls of a block take from their graphs; see :func:`_made`."""
    points = _WHOLE if state is None else (*_ONE, *_SEVERAL)
    made = {point: _made(call, about, point, state) for point in points}
    return Allocations(
        one=_fitted(made, _WHOLE if state is None else _ONE),
        several=_fitted(made, _WHOLE if state is None else _SEVERAL),
        constant=max(each.constant for each in made.values()),
        kept=_per_token(state or ()),
    )


def _per_token(state: Sequence[mx.array]) -> float:
    return sum(a.nbytes for a in state) / _TOKENS


def _fitted(made: Mapping[tuple[int, int], Made], points: Sequence[tuple[int, int]]) -> Size:
    return Size.fitted({point: made[point].given / _ROWS for point in points})


def _made(
    call: BlockCall,
    about: BlockAnatomy,
    point: tuple[int, int],
    state: Sequence[mx.array] | None = None,
) -> Made:
    """Return what a call makes.

    Args:
        call: of the block, for a prompt of ``_TOKENS``.
        about: the block.
        point: how many queries and keys it has.
        state: keys and values that the queries go on over; None for the block's own way.
    """
    queries, keys = point
    start = keys - queries

    def run(x: mx.array, hidden: mx.array, *under: mx.array) -> mx.array:
        mask = suffix_mask(prefix_mask(call.mask, keys), start, keys)
        if about.attends:
            mask = hide_keys(mask, hidden, about.rank)
        return call.attempt(x, mask, OWN_CACHE if state is None else Recorder(start, under), start)

    x = mx.zeros((_ROWS, queries, call.x.shape[-1]), call.x.dtype)
    hidden = mx.zeros((_ROWS, queries, keys), mx.bool_)
    under = [mx.zeros((_ROWS, a.shape[1], keys, a.shape[3]), a.dtype) for a in state or ()]
    return made_by(run, [x, hidden, *under])


def _estimated(
    block: nn.Module, about: BlockAnatomy, state: Sequence[mx.array], item: int
) -> Allocations:
    """Bound what the calls of a block take by its parameters, as if a token went to all experts.

    The widest product bounds attention heads, and keys that are made of others.
    """
    weights = (getattr(module, "weight", None) for module in block.modules())
    products = [w for w in weights if isinstance(w, mx.array) and w.ndim > 1]
    outputs = [math.prod(weight.shape[:-1]) for weight in products]
    narrowest = min((a.shape[-1] for a in state), default=about.keys[1] if about.keys else 1)
    widest, copies = max(outputs, default=0), _COPIES * item
    scores = -(-widest // narrowest) if about.attends else 0
    size = Size(query=copies * sum(outputs), key=copies * widest, pair=copies * scores)
    return Allocations(size, size, kept=_per_token(state))
