"""One block of the clean run, in which what all prompts begin with goes through once."""

import mlx.core as mx

from mlxjsd.errors import MeasurementError
from mlxjsd.model.masks import prefix_mask, suffix_mask
from mlxjsd.model.stepping import BlockCall, Recorder


def clean_block(
    call: BlockCall, x: mx.array, shared: int, keeps: bool
) -> tuple[mx.array, tuple[mx.array, ...]]:
    """Run one block on the clean rows.

    Args:
        call: of the block.
        x: the states that enter it, (B, T, hidden).
        shared: how many tokens the prompts begin with alike; see
            :func:`mlxjsd.interventions.spec.shared_beginning`.
        keeps: whether the block keeps keys and values.

    Returns:
        The states that leave it, and its keys and values, (B, heads, T, depth) each.
    """
    clean = Recorder()
    if not shared:
        x = call.forward(x, call.mask, clean)
        return x, state_of(clean, call, keeps)
    size, length = x.shape[:2]
    begun = call.forward(x[:1, :shared], prefix_mask(call.mask, shared), clean)
    rest = [(0, 0), (0, 0), (0, length - shared), (0, 0)]
    under = [mx.repeat(mx.pad(a, rest), size, axis=0) for a in state_of(clean, call, keeps)]
    clean = Recorder(shared, under)
    x = call.forward(x[:, shared:], suffix_mask(call.mask, shared, length), clean, shared)
    x = mx.concatenate([mx.repeat(begun, size, axis=0), x], axis=1)
    return x, state_of(clean, call, keeps)


def state_of(cache: Recorder, call: BlockCall, keeps: bool) -> tuple[mx.array, ...]:
    """Return keys and values, or nothing for a block in which no token sees another."""
    if (cache.state is not None) != keeps:
        raise MeasurementError(
            f"block {call.index} does not keep what it was found to keep", hint="try `mlxjsd check`"
        )
    return cache.state or ()
