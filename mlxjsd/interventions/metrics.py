"""What each metric computes, by its key in :mod:`mlxjsd.metrics`.

p is the clean run's next-token distribution, k the corrupted run's, q that of a run with an edit.
y is the target, the clean run's most probable token. y' is its counterfactual, that of the
corrupted run where the subject is another one; there is none for noise, and none where it is y.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import mlx.core as mx

from mlxjsd.interventions.divergence import js_divergence, kl_divergence

#: Stands for a token that a prompt has not.
NO_TOKEN = -1


@dataclass(frozen=True)
class Logits:
    """The last token's logits of every run that a number may be made of."""

    clean: mx.array
    """(B, 1, V): the prompt as it is."""
    edited: mx.array
    """(B, K, V): K edits of it."""
    corrupted: Callable[[], mx.array]
    """Computes (B, S, V): the prompt with its subject corrupted, S samples."""
    paired: bool = False
    """Whether the corrupted run is that of another prompt, with an answer of its own."""

    @cached_property
    def target(self) -> mx.array:
        """y of each prompt, (B,) int32."""
        return mx.argmax(self.clean[:, -1], axis=-1).astype(mx.int32)

    @cached_property
    def counterfactual(self) -> mx.array:
        """y' of each prompt, (B,) int32; ``NO_TOKEN`` where there is none."""
        if not self.paired:
            return mx.full(self.target.shape, NO_TOKEN, mx.int32)
        other = mx.argmax(self.corrupted()[:, 0], axis=-1).astype(mx.int32)
        return mx.where(other == self.target, NO_TOKEN, other)


Compute = Callable[[Logits], mx.array]
"""Gives the number of each edit, (B, K) float32."""


def _jsd(logits: Logits) -> mx.array:
    return js_divergence(logits.clean, logits.edited)


def _kl(logits: Logits) -> mx.array:
    return kl_divergence(logits.clean, logits.edited)


def _log_probability(logits: Logits) -> mx.array:
    edited = logits.edited.astype(mx.float32)
    return _of_token(edited, logits.target) - mx.logsumexp(edited, axis=-1)


def _logit_difference(logits: Logits) -> mx.array:
    edited, other = logits.edited.astype(mx.float32), logits.counterfactual
    # A token that is not there is not looked up: MLX checks no index.
    known = mx.maximum(other, 0)
    difference = _of_token(edited, logits.target) - _of_token(edited, known)
    return mx.where((other == NO_TOKEN)[:, None], mx.nan, difference)


def _changed(logits: Logits) -> mx.array:
    return (mx.argmax(logits.edited, axis=-1) != logits.target[:, None]).astype(mx.float32)


def _of_token(values: mx.array, tokens: mx.array) -> mx.array:
    """Return what ``values`` (B, K, V) hold for one token of each prompt, (B, K)."""
    return mx.take_along_axis(values, tokens[:, None, None], axis=-1)[..., 0]


#: Every metric of :data:`mlxjsd.metrics.METRICS` has its entry here.
COMPUTE: dict[str, Compute] = {
    "jsd": _jsd,
    "kl": _kl,
    "prob": lambda logits: mx.exp(_log_probability(logits)),
    "logprob": _log_probability,
    "logit_diff": _logit_difference,
    "top1": _changed,
}


def numbers_of(logits: Logits, metrics: Sequence[str]) -> mx.array:
    """Return the numbers of K edits by each of some metrics, (B, metrics, K)."""
    return mx.stack([COMPUTE[key](logits) for key in metrics], axis=1)
