"""What each metric computes, by its key in :mod:`mlxjsd.metrics`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx

from mlxjsd.interventions.divergence import js_divergence


@dataclass(frozen=True)
class Logits:
    """The last token's logits of every run that a number may be made of."""

    clean: mx.array
    """(B, 1, V): the prompt as it is."""
    edited: mx.array
    """(B, K, V): K edits of it."""
    corrupted: Callable[[], mx.array]
    """Computes (B, S, V): the prompt with its subject corrupted, S samples."""


Compute = Callable[[Logits], mx.array]
"""Gives the number of each edit, (B, K) float32."""


def _jsd(logits: Logits) -> mx.array:
    return js_divergence(logits.clean, logits.edited)


#: Every metric of :data:`mlxjsd.metrics.METRICS` has its entry here.
COMPUTE: dict[str, Compute] = {"jsd": _jsd}


def numbers_of(logits: Logits, metrics: Sequence[str]) -> mx.array:
    """Return the numbers of K edits by each of some metrics, (B, metrics, K)."""
    return mx.stack([COMPUTE[key](logits) for key in metrics], axis=1)
