"""From the rows of a run to the numbers of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.results import Record, Run
from mlxjsd.rows import ROWS


@dataclass(frozen=True)
class Peak:
    """Where a row of the heatmap is highest."""

    row: str
    value: float
    """nats"""
    layer: int


@dataclass(frozen=True)
class Heatmap:
    """Averages over prompts."""

    mean: np.ndarray
    """(3, L) float64 in nats; NaN where no prompt was measured, or the edit does not apply."""
    error: np.ndarray
    """(3, L) standard error of the mean; NaN for fewer than two prompts."""
    count: int
    """Prompts."""
    reliance: float
    """Their mean, in nats; NaN where no block attends."""
    floor: float
    """The largest JSD of a null intervention: the numerical noise, in nats."""

    def peaks(self) -> list[Peak]:
        """Return each row's highest cell; none for a row without a number."""
        return [
            Peak(row, float(np.nanmax(values)), int(np.nanargmax(values)))
            for row, values in zip(ROWS, self.mean, strict=True)
            if np.isfinite(values).any()
        ]


def aggregate(records: Sequence[Record], layers: int) -> Heatmap:
    """Average ``records`` into a heatmap of ``layers`` columns.

    The order of the records does not change the result by more than rounding in float64.
    """
    count = len(records)
    if not count:
        empty = np.full((3, layers), np.nan)
        return Heatmap(empty, empty.copy(), 0, float("nan"), float("nan"))
    return average(
        np.stack([record.jsd for record in records]),
        np.array([record.reliance for record in records]),
        np.array([record.floor for record in records]),
    )


def average(jsd: np.ndarray, reliance: np.ndarray, floor: np.ndarray) -> Heatmap:
    """Average (N, 3, L) divergences, (N,) reliances and (N,) floors, N at least 1."""
    count = len(jsd)
    jsd = jsd.astype(np.float64)
    if count > 1:
        error = jsd.std(axis=0, ddof=1) / np.sqrt(count)
    else:
        error = np.full(jsd.shape[1:], np.nan)
    return Heatmap(
        mean=jsd.mean(axis=0),
        error=error,
        count=count,
        reliance=float(np.mean(reliance)),
        floor=float(np.max(floor)),
    )


def bootstrap_interval(
    jsd: np.ndarray, share: float = 0.95, resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """Percentile bootstrap of each cell's mean, resampling prompts (Efron 1979).

    Args:
        jsd: (N, 3, L) in nats.
        share: of the resampled means that the interval holds.
        resamples: how many.
        seed: of the resampling; the same rows in the same order give the same interval.

    Returns:
        (2, 3, L) lower and upper ends in nats; NaN for fewer than two prompts, and where the
        edit does not apply.
    """
    count = len(jsd)
    if count < 2:
        return np.full((2, *jsd.shape[1:]), np.nan)
    rng = np.random.default_rng(seed)
    flat = jsd.reshape(count, -1).astype(np.float64)
    means = np.empty((resamples, flat.shape[1]))
    for at in range(0, resamples, 100):  # drawing n of n is counting how often each comes up
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(100, resamples - at))
        means[at : at + 100] = times @ flat / count
    ends = np.quantile(means, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return ends.reshape(2, *jsd.shape[1:])


def floor_warning(floor: float, limit: float | None) -> str:
    """Return a sentence if the noise floor (nats) is over its limit; otherwise nothing."""
    if limit is None or not floor > limit:
        return ""
    return (
        f"The noise floor of {floor:.1e} nats is over {limit:.0e}, the most that this data type "
        "should cost: cells of that size mean nothing here, see `mlxjsd check`."
    )


def floor_warning_of(run: Run) -> str:
    """Return :func:`floor_warning` of a run's largest floor."""
    return floor_warning(max((r.floor for r in run.records), default=0.0), run.floor_limit)


def heatmap_of(run: Run) -> Heatmap:
    """Return the heatmap of all prompts of a run."""
    return aggregate(run.records, run.layers)
