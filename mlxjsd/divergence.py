"""The Jensen-Shannon divergence of next-token distributions, as one array kernel."""

import math

import mlx.core as mx

#: The largest possible value, in nats: two distributions with nothing in common.
MAX_DIVERGENCE = math.log(2.0)


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

    Everything happens in log space and in float32, without an epsilon. With a = |log p - log q|,
    log m = max(log p, log q) + log1p(expm1(-a) / 2): no term overflows, and equal rows give
    exactly 0.
    """
    if p_logits.shape[-1] != q_logits.shape[-1]:
        raise ValueError(f"vocabularies differ: {p_logits.shape[-1]} and {q_logits.shape[-1]}")
    log_p, log_q = log_softmax(p_logits), log_softmax(q_logits)
    top = mx.maximum(log_p, log_q)
    gap = mx.abs(log_p - log_q)
    # Both -inf (a token that the model bars): the gap is NaN, the token has no mass.
    log_m = mx.where(top == -mx.inf, 0.0, top + mx.log1p(mx.expm1(-gap) / 2))
    terms = _kl_terms(log_p, log_m) + _kl_terms(log_q, log_m)
    # mx.clip would turn NaN into a bound.
    total = mx.sum(terms, axis=-1) / 2
    return mx.where(mx.isnan(total), total, mx.clip(total, 0.0, MAX_DIVERGENCE))


def _kl_terms(log_p: mx.array, log_m: mx.array) -> mx.array:
    # p log p -> 0 as p -> 0; 0 * -inf would be NaN.
    return mx.where(log_p == -mx.inf, 0.0, mx.exp(log_p) * (log_p - log_m))


def entropy(logits: mx.array) -> mx.array:
    """Return the Shannon entropy in nats of ``softmax(logits)`` over the last axis, float32."""
    log_p = log_softmax(logits)
    return -mx.sum(mx.where(log_p == -mx.inf, 0.0, mx.exp(log_p) * log_p), axis=-1)
