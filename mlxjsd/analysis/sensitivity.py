"""How much a result depends on how it was measured: one run against another on the same prompts.

Two corruptions, two windows or two directions of the same prompts are expected to rank cells alike.
Where they do not, the finding is one of the method as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.analysis.compare import rank_correlation
from mlxjsd.analysis.heatmap import bootstrap_interval, known_means
from mlxjsd.analysis.significance import Outcome, paired


@dataclass(frozen=True)
class Sensitivity:
    """Where two runs agree and where they do not, over the rows that are compared."""

    tested: Outcome
    """Paired sign-flip tests of B - A, prompt by prompt."""
    correlations: tuple[float, ...]
    """Spearman's, of each row's means over layers; NaN where one of them is constant."""
    overall: float
    """Spearman's over the cells of all rows together."""
    cells: int
    """Cells that both have a number of."""
    means: np.ndarray
    """(2, rows, L) of A and of B, each over its own prompts among those compared."""
    intervals: np.ndarray
    """(2, 2, rows, L): lower and upper ends of the 95 % interval of A, then those of B."""

    @property
    def parted(self) -> np.ndarray:
        """Which cells have intervals without a number in common, (rows, L) bool."""
        (low_a, high_a), (low_b, high_b) = self.intervals
        found: np.ndarray = (high_a < low_b) | (high_b < low_a)
        return found


def sensitivity(
    a: np.ndarray, b: np.ndarray, rows: Sequence[str], others: Sequence[str]
) -> Sensitivity:
    """Compare two runs over the same prompts.

    Args:
        a: (N, rows, L) cells of one run.
        b: those of the other one, for the same prompts and the rows that are compared with these.
        rows: A's names of the rows.
        others: B's names of them.
    """
    means = np.stack([known_means(cells)[0] for cells in (a, b)])
    return Sensitivity(
        tested=paired(b.astype(np.float64) - a, rows, others),
        correlations=tuple(rank_correlation(x, y) for x, y in zip(*means, strict=True)),
        overall=rank_correlation(means[0].ravel(), means[1].ravel()),
        cells=int(np.isfinite(means).all(axis=0).sum()),
        means=means,
        intervals=np.stack([bootstrap_interval(cells) for cells in (a, b)]),
    )
