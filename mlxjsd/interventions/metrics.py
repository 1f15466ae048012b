"""What each metric computes, by its key in :mod:`mlxjsd.metrics`.

p is the clean run's next-token distribution, k the corrupted run's, q that of a run with an edit.
y is the target: the clean run's most probable token, or the first one of the accepted answer. y'
is its counterfactual: the first token of a pair's own answer, where it is given, and else the
corrupted run's most probable one where the subject is another one; there is none for noise, and
none where it is y.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import mlx.core as mx

from mlxjsd.interventions.divergence import (
    in_pieces,
    js_of_probabilities,
    kl_divergence,
    log_softmax,
    probabilities,
)
from mlxjsd.interventions.spec import NO_TOKEN, Batch


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
    targets: mx.array | None = None
    """See :attr:`mlxjsd.interventions.spec.Batch.targets`."""
    counterfactuals: mx.array | None = None
    """See :attr:`mlxjsd.interventions.spec.Batch.counterfactuals`."""

    @classmethod
    def of(
        cls, batch: Batch, clean: mx.array, edited: mx.array, corrupted: Callable[[], mx.array]
    ) -> "Logits":
        """Return the logits of a batch's runs, with the tokens that are looked for in them."""
        tokens = (
            None if a is None else mx.array(a) for a in (batch.targets, batch.counterfactuals)
        )
        return cls(clean, edited, corrupted, batch.paired, *tokens)

    @cached_property
    def p(self) -> mx.array:
        """Probabilities of the clean run, (B, 1, V) float32."""
        return probabilities(self.clean)

    @cached_property
    def log_p(self) -> mx.array:
        """Their logarithms, (B, 1, V) float32."""
        return log_softmax(self.clean)

    @cached_property
    def q(self) -> mx.array:
        """Probabilities of the edits, (B, K, V) float32."""
        return probabilities(self.edited)

    @cached_property
    def normaliser(self) -> mx.array:
        """What the logits of the edits exceed their log-probabilities by, (B, K, 1) float32."""
        # That of the most probable token, whose probability is known well: it costs no exponential.
        highest = mx.max(self.edited, axis=-1, keepdims=True).astype(mx.float32)
        return highest - mx.log(mx.max(self.q, axis=-1, keepdims=True))

    @property
    def log_q(self) -> mx.array:
        """Log-probabilities of the edits, (B, K, V) float32."""
        return self.edited.astype(mx.float32) - self.normaliser

    def pieces(self) -> Iterator["Logits"]:
        """Yield some edits at a time, so that what is made of them on the way stays small."""
        for edited in in_pieces(self.edited):
            piece = replace(self, edited=edited)
            piece.__dict__.update(p=self.p, log_p=self.log_p, prediction=self.prediction)
            yield piece

    @cached_property
    def prediction(self) -> mx.array:
        """The clean run's most probable token of each prompt, (B,) int32."""
        return mx.argmax(self.clean[:, -1], axis=-1).astype(mx.int32)

    @property
    def target(self) -> mx.array:
        """y of each prompt, (B,) int32; ``NO_TOKEN`` where there is none."""
        return self.prediction if self.targets is None else self.targets

    @cached_property
    def counterfactual(self) -> mx.array:
        """y' of each prompt, (B,) int32; ``NO_TOKEN`` where there is none."""
        given = self.counterfactuals
        if given is None:
            given = mx.full(self.target.shape, NO_TOKEN, mx.int32)
        if self.paired:
            other = mx.argmax(self.corrupted()[:, 0], axis=-1).astype(mx.int32)
            given = mx.where(given == NO_TOKEN, other, given)
        return mx.where(given == self.target, NO_TOKEN, given)


Compute = Callable[[Logits], mx.array]
"""Gives the number of each edit, (B, K) float32."""


def _jsd(logits: Logits) -> mx.array:
    return js_of_probabilities(logits.p, logits.q)


def _kl(logits: Logits) -> mx.array:
    return kl_divergence(logits.log_p, logits.log_q)


def _log_probability(logits: Logits) -> mx.array:
    return _of_token(logits.edited.astype(mx.float32), logits.target) - logits.normaliser[..., 0]


def _logit_difference(logits: Logits) -> mx.array:
    edited = logits.edited.astype(mx.float32)
    return _of_token(edited, logits.target) - _of_token(edited, logits.counterfactual)


def _changed(logits: Logits) -> mx.array:
    return (mx.argmax(logits.edited, axis=-1) != logits.prediction[:, None]).astype(mx.float32)


def _of_token(values: mx.array, tokens: mx.array) -> mx.array:
    """Return what ``values`` (B, K, V) hold for one token of each prompt, (B, K); NaN for none."""
    # A token that is not there is not looked up: MLX checks no index.
    found = mx.take_along_axis(values, mx.maximum(tokens, 0)[:, None, None], axis=-1)[..., 0]
    return mx.where((tokens == NO_TOKEN)[:, None], mx.nan, found)


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
    found = [mx.stack([COMPUTE[key](p) for key in metrics], axis=1) for p in logits.pieces()]
    return mx.concatenate(found, axis=-1)
