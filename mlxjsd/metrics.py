"""The numbers of a cell, as data: what each one is called, and what it can be.

What a metric computes from logits stands in :mod:`mlxjsd.interventions.metrics`; everything that
reads results needs no more than this.
"""

import math
from dataclasses import dataclass

from mlxjsd.registry import Registry


@dataclass(frozen=True)
class Metric:
    """One kind of number."""

    key: str
    """Its name in settings, run files and exports."""
    label: str
    """Its name where people look, such as on a colour bar."""
    unit: str
    """Such as "nats"; "" for a number without one."""
    low: float = -math.inf
    """The smallest value that it can have."""
    high: float = math.inf
    """The largest one."""

    always: bool = True
    """Whether every prompt has this number; one that needs a pair of answers does not."""
    targeted: bool = False
    """Whether it is the number of a token, which a prompt without an answer may lack."""
    least_total: float | None = None
    """The smallest total effect of a corruption, in the metric's unit, that an effect is divided
    by unless told otherwise: below it, a ratio says more about the small number than about the
    edit. None for no usual one."""

    @property
    def signed(self) -> bool:
        """Whether it can be negative, and so is drawn on a scale around 0."""
        return self.low < 0


#: Every metric there is, by key.
METRICS: Registry[Metric] = Registry("metric", "--metrics")

JSD = METRICS.add(
    Metric("jsd", "JS Divergence", "nats", low=0.0, high=math.log(2.0), least_total=0.05)
)
KL = METRICS.add(Metric("kl", "KL Divergence", "nats", low=0.0, least_total=0.1))
PROB = METRICS.add(
    Metric("prob", "Target Probability", "", low=0.0, high=1.0, targeted=True, least_total=0.05)
)
LOGPROB = METRICS.add(
    Metric("logprob", "Target Log-Probability", "nats", high=0.0, targeted=True, least_total=0.1)
)
LOGIT_DIFF = METRICS.add(
    Metric("logit_diff", "Logit Difference", "logits", always=False, least_total=0.5)
)
TOP1 = METRICS.add(Metric("top1", "Changed Predictions", "", low=0.0, high=1.0, least_total=0.5))

#: The token whose probability and logit are measured: the clean run's most probable one, or the
#: first of the first accepted answer.
TARGETS = ("prediction", "answer")
#: What every run measures, and all that it measures unless told otherwise.
DEFAULT = (JSD.key,)


def described(key: str) -> Metric:
    """Return the metric of this name, also one that only its run file knows."""
    return METRICS.get(key) or Metric(key, key, "")
