"""What a query may attend to: the model's own masks, cut to a part of the prompt, with keys hidden.

A block's mask is never replaced, since within one model it may differ by block (sliding
windows, chunks, biases): hidden keys are ANDed into the one that the block was given.
"""

import mlx.core as mx

#: As a block is given it: a word ("causal"), nothing, or a boolean or additive array.
Mask = mx.array | str | None


def suffix_mask(mask: Mask, start: int, total: int) -> Mask:
    """Cut the mask of a whole prompt to the queries [start, total); keys stay [0, total)."""
    if mask is None or isinstance(mask, str):
        # "causal" is aligned at the lower right, so it holds for a suffix as it stands.
        return None if total - start == 1 else mask
    return mask[..., start:total, :total]


def prefix_mask(mask: Mask, end: int) -> Mask:
    """Cut the mask of a whole prompt to the queries and keys [0, end)."""
    if mask is None or isinstance(mask, str):
        return None if end == 1 else mask
    return mask[..., :end, :end]


def hide_keys(mask: Mask, hidden: mx.array, rank: int = 4) -> mx.array:
    """AND ``hidden`` keys into a mask.

    Args:
        mask: as a block is given it, for the same queries and keys as ``hidden``.
        hidden: (rows, queries, keys), True where a query may not attend.
        rank: how many axes the family's attention scores have; 5 where query heads are
            grouped by the key head that they share.

    Returns:
        (rows, 1, queries, keys), with a further 1 for rank 5: boolean (True = may attend),
        or additive where ``mask`` is.
    """
    rows, queries, keys = hidden.shape
    hidden = hidden.reshape(rows, *(1,) * (rank - 3), queries, keys)
    if isinstance(mask, str):
        if mask != "causal":
            raise ValueError(f"unknown mask {mask!r}")
        at = mx.arange(keys - queries, keys)
        mask = at[:, None] >= mx.arange(keys)[None]
    if mask is None:
        return mx.logical_not(hidden)
    if mask.ndim > 2 and rank == 5:
        mask = mx.expand_dims(mask, -3)
    if mask.dtype == mx.bool_:
        return mx.logical_and(mask, mx.logical_not(hidden))
    lowest = mx.array(mx.finfo(mask.dtype).min, mask.dtype)
    return mx.where(hidden, lowest, mask)
