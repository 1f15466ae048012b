"""The Jensen-Shannon divergence of next-token distributions, as one array kernel."""

import math
from collections.abc import Iterator
from functools import partial

import mlx.core as mx

from mlxjsd.model.compiler import can_fuse

can_fuse()  # or else, without a compiler, never ask for one

#: The largest possible value, in nats: two distributions with nothing in common.
MAX_DIVERGENCE = math.log(2.0)
#: Many rows are gone through in pieces, so that what is made of them on the way stays small.
PIECE_ELEMENTS = 1_000_000
#: Smaller than any probability that float32 can tell from 0 beside another.
_TINY = 1e-37


def log_softmax(logits: mx.array) -> mx.array:
    """Return log-probabilities (float32, same shape) over the last axis of ``logits``."""
    logits = logits.astype(mx.float32)
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


def js_divergence(p_logits: mx.array, q_logits: mx.array) -> mx.array:
    """Jensen-Shannon divergence between ``softmax(p_logits)`` and ``softmax(q_logits)``.

    JSD(p, q) = KL(p || m) / 2 + KL(q || m) / 2 with m = (p + q) / 2 (Lin 1991, eq. 4.1).

    Args:
        p_logits: (..., V), any floating dtype.
        q_logits: (..., V); leading axes broadcast against those of ``p_logits``. One clean
            row against many branch rows, (B, 1, V) and (B, K, V), is normalised once and
            read in place, never copied for each branch.

    Returns:
        float32 array of the broadcast leading shape, in nats, within [0, ln 2]; NaN where
        an input holds NaN or +inf, so that a broken run cannot pass for a small number.

    Raises:
        ValueError: if the last axes differ or the leading axes do not broadcast.

    With m = (p + q) / 2 and r = q / m, so that p / m = 2 - r, each token adds
    m (r log r + (2 - r) log(2 - r)) / 2. That is flat at r = 1, where rounding r changes nothing,
    and exactly 0 for equal rows: small divergences are not drowned by the large ones' rounding.
    """
    if p_logits.shape[-1] != q_logits.shape[-1]:
        raise ValueError(f"vocabularies differ: {p_logits.shape[-1]} and {q_logits.shape[-1]}")
    p = probabilities(p_logits)
    if q_logits.ndim < 2 or p.ndim < 2 or p.shape[-2] != 1:
        return js_of_probabilities(p, probabilities(q_logits))
    found = [js_of_probabilities(p, probabilities(piece)) for piece in in_pieces(q_logits)]
    return mx.concatenate(found, axis=-1)


def probabilities(logits: mx.array) -> mx.array:
    """Return probabilities (float32, same shape) over the last axis of ``logits``."""
    return mx.softmax(logits.astype(mx.float32), axis=-1)


def in_pieces(logits: mx.array) -> Iterator[mx.array]:
    """Yield ``logits`` (..., K, V), some rows at a time: what is made of them stays small."""
    rows, at_once = logits.shape[-2], max(1, PIECE_ELEMENTS * logits.shape[-2] // logits.size)
    return (logits[..., at : at + at_once, :] for at in range(0, rows, at_once))


def js_of_probabilities(p: mx.array, q: mx.array) -> mx.array:
    """Return :func:`js_divergence` of two distributions, (..., V) float32 each."""
    total = mx.sum(_terms(p, q), axis=-1) / 4
    # mx.clip would turn NaN into a bound.
    return mx.where(mx.isnan(total), total, mx.clip(total, 0.0, MAX_DIVERGENCE))


@partial(mx.compile, shapeless=True)
def _terms(p: mx.array, q: mx.array) -> mx.array:
    """Return four times what each token adds, as one fused kernel: two logarithms and no copy."""
    # Kept from 0 for the division; a token without mass in either adds exactly 0 all the same.
    both = mx.maximum(p + q, _TINY)
    share = 2 * q / both
    other = 2 - share
    # r log r -> 0 as r -> 0; 0 * -inf would be NaN.
    return (both - _TINY) * (share * mx.log(share + _TINY) + other * mx.log(other + _TINY))


def kl_divergence(log_p: mx.array, log_q: mx.array) -> mx.array:
    """Kullback-Leibler divergence of q from p.

    KL(p || q) = sum over the tokens of p log(p / q).

    Args:
        log_p: logarithms of probabilities, (B, 1, V) float32.
        log_q: (B, K, V) float32.

    Returns:
        (B, K) float32 in nats, at least 0; infinite where q gives no mass to a token of p, NaN
        where an input holds NaN.
    """
    # A token without mass in p adds nothing, whatever q makes of it.
    terms = mx.where(log_p == -mx.inf, 0.0, mx.exp(log_p) * (log_p - log_q))
    total = mx.sum(terms, axis=-1)
    return mx.where(mx.isnan(total), total, mx.maximum(total, 0.0))


def entropy(logits: mx.array) -> mx.array:
    """Return the Shannon entropy in nats of ``softmax(logits)`` over the last axis, float32."""
    log_p = log_softmax(logits)
    return -mx.sum(mx.where(log_p == -mx.inf, 0.0, mx.exp(log_p) * log_p), axis=-1)
