"""Where the reliance of one prompt lies among those of a run's FA, AH and UH.

One prompt has no category of its own: what parts AH from UH is a threshold that all prompts of a
run give, and what parts FA from both is whether the answer is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.analysis.answers import ASSOCIATED, FACTUAL, UNASSOCIATED, Labels

#: What reliance cannot tell (Cheang et al. 2025, section 4).
ALIKE = (
    "FA and AH look alike: a wrong answer that leans on the subject has the reliance of a right "
    "one, so reliance does not say whether an answer is right."
)
#: Quantiles of each category that are given.
QUANTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Place:
    """Where a reliance lies among those of one category."""

    category: str
    """FA, AH or UH."""
    prompts: int
    """Of the run in this category, with a reliance."""
    quantiles: tuple[float, ...]
    """Their quartiles, in nats; see :data:`QUANTILES`."""
    below: float
    """Share of them whose reliance is lower, 0 to 1; of those as high, half."""


@dataclass(frozen=True)
class Calibration:
    """Where the reliance of one prompt lies among those of a run."""

    run: str
    """Name of the run."""
    reliance: float
    """Of the one prompt, in nats; NaN where no block attends."""
    places: tuple[Place, ...]
    """Those categories that the run has, in the order FA, AH, UH."""
    threshold: float | None
    """Reliance (nats) between AH and UH in that run; None where it has none."""
    notes: tuple[str, ...] = ()
    """In what the run was asked otherwise than this prompt."""

    def sentences(self) -> list[str]:
        """Say where it lies, on which side of the threshold, and what that does not say."""
        if np.isnan(self.reliance):
            return ["No block attends, so there is no reliance to compare."]
        among = ", ".join(
            f"{one.below:.0%} of {one.prompts} {one.category} (median {one.quantiles[1]:.3f})"
            for one in self.places
        )
        said = [f"Its reliance of {self.reliance:.3f} nats is higher than that of {among}."]
        if self.threshold is not None:
            would = ASSOCIATED if self.reliance > self.threshold else UNASSOCIATED
            said.append(
                f"If its answer is wrong, it is {would}: the threshold between AH and UH is "
                f"{self.threshold:.3f} nats."
            )
        return [*said, ALIKE, *self.notes]


def place_among(
    reliance: float,
    of_run: Sequence[float],
    labels: Labels,
    name: str,
    notes: Sequence[str] = (),
) -> Calibration:
    """Return where a reliance lies among those of a run.

    Args:
        reliance: of one prompt, in nats.
        of_run: those of the run's prompts, in nats; NaN where no block attends.
        labels: categories of the same prompts.
        name: of the run.
        notes: see :attr:`Calibration.notes`.
    """
    values = np.asarray(of_run, np.float64)
    places = []
    for category in (FACTUAL, ASSOCIATED, UNASSOCIATED):
        chosen = np.array([each == category for each in labels.categories], bool)
        known = values[chosen & np.isfinite(values)]
        if known.size:
            below = float(np.mean(known < reliance) + np.mean(known == reliance) / 2)
            quartiles = tuple(float(q) for q in np.quantile(known, QUANTILES))
            places.append(Place(category, int(known.size), quartiles, below))
    return Calibration(name, float(reliance), tuple(places), labels.threshold, tuple(notes))
