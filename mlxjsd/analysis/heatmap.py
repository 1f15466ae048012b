"""From the rows of a run to the numbers of a picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlxjsd.above import Shown
from mlxjsd.metrics import JSD, described
from mlxjsd.records import Grid, Record
from mlxjsd.rows import DEFAULT


@dataclass(frozen=True)
class Peak:
    """Where a row of the heatmap is farthest from 0."""

    row: str
    value: float
    """In the unit of the heatmap's metric."""
    layer: int


@dataclass(frozen=True)
class Heatmap(Shown):
    """Averages over prompts of one metric."""

    mean: np.ndarray
    """(rows, L) float64; NaN where no prompt was measured, or the edit does not apply."""
    error: np.ndarray
    """(rows, L) standard error of the mean; NaN for fewer than two prompts."""
    count: int
    """Prompts that it is the average of: those with a number of the metric."""
    reliance: float = float("nan")
    """Their mean, in nats; NaN where no block attends."""
    floor: float = float("nan")
    """The largest JSD of a null intervention: the numerical noise, in nats."""
    rows: tuple[str, ...] = DEFAULT
    """Keys of the rows, from the top."""
    metric: str = JSD.key
    """Key of what the cells are; see :func:`mlxjsd.metrics.described`."""
    only: tuple[int, ...] | None = None
    """The layers that have cells; None for all."""

    @property
    def measured_layers(self) -> tuple[int, ...]:
        """The layers that have cells."""
        return tuple(range(self.layers)) if self.only is None else self.only

    @property
    def layers(self) -> int:
        """Columns."""
        return self.mean.shape[1]

    def row(self, key: str) -> np.ndarray | None:
        """Return the means of one row, (L,); None if it was not measured."""
        return self.mean[self.rows.index(key)] if key in self.rows else None

    def peaks(self) -> list[Peak]:
        """Return the cell of each row that is farthest from 0; none for a row without a number.

        Of a metric that is never negative, this is the highest one.
        """
        known = [
            (row, values, int(np.nanargmax(np.abs(values))))
            for row, values in zip(self.rows, self.mean, strict=True)
            if np.isfinite(values).any()
        ]
        return [Peak(row, float(values[layer]), layer) for row, values, layer in known]


#: A scale goes at least so far: numerical noise is not to fill it.
_SHORTEST = 1e-3


def scale_of(heatmaps: Iterable[Heatmap]) -> tuple[float, float]:
    """Return both ends of one colour scale for all ``heatmaps``, which are of one metric.

    It goes from 0 to the highest cell or, for a signed metric, as far to both sides of 0 as the
    cell that is farthest from it. Without a number it goes to 1.
    """
    found = list(heatmaps)
    cells = np.concatenate([np.abs(heatmap.mean[np.isfinite(heatmap.mean)]) for heatmap in found])
    high = max(float(cells.max()), _SHORTEST) if cells.size else 1.0
    signed = any(described(heatmap.metric).signed for heatmap in found)
    return (-high if signed else 0.0), high


def aggregate(records: Sequence[Record], grid: Grid | int, metric: str = JSD.key) -> Heatmap:
    """Average the cells of ``records`` into a heatmap.

    The order of the records does not change the result by more than rounding in float64.

    Args:
        records: of one run.
        grid: of the run; a number of layers stands for the usual rows.
        metric: one of the grid's.
    """
    grid = Grid(grid) if isinstance(grid, int) else grid
    if not records:
        empty = np.full((len(grid.rows), grid.layers), np.nan)
        return Heatmap(empty, empty.copy(), 0, rows=grid.rows, metric=metric, only=grid.only)
    found = average(
        np.stack([record.of(metric) for record in records]),
        np.array([record.reliance for record in records]),
        np.array([record.floor for record in records]),
        grid.rows,
        metric,
    )
    return replace(found, only=grid.only)


def average(
    cells: np.ndarray,
    reliance: np.ndarray,
    floor: np.ndarray,
    rows: tuple[str, ...] = DEFAULT,
    metric: str = JSD.key,
) -> Heatmap:
    """Average (N, rows, L) cells, (N,) reliances and (N,) floors, N at least 1.

    Prompts without any number are left out: a metric may need more than every prompt has, such
    as two answers to compare.
    """
    counted = _counted(cells)
    cells, reliance, floor = cells[counted].astype(np.float64), reliance[counted], floor[counted]
    count = len(cells)
    if count > 1:
        error = cells.std(axis=0, ddof=1) / np.sqrt(count)
    else:
        error = np.full(cells.shape[1:], np.nan)
    return Heatmap(
        mean=cells.mean(axis=0),
        error=error,
        count=count,
        reliance=float(np.mean(reliance)),
        floor=float(np.max(floor)),
        rows=rows,
        metric=metric,
    )


def _counted(cells: np.ndarray) -> np.ndarray:
    """Return which of (N, rows, L) hold a number, (N,); all of them where none does."""
    known = np.isfinite(cells).any(axis=(1, 2))
    return known if known.any() else ~known


def bootstrap_interval(
    cells: np.ndarray, share: float = 0.95, resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """Percentile bootstrap of each cell's mean, resampling prompts (Efron 1979).

    Args:
        cells: (N, rows, L); those without any number are left out.
        share: of the resampled means that the interval holds.
        resamples: how many.
        seed: of the resampling; the same rows in the same order give the same interval.

    Returns:
        (2, rows, L) lower and upper ends; NaN for fewer than two prompts, and where the
        edit does not apply.
    """
    cells = cells[_counted(cells)]
    count = len(cells)
    if count < 2:
        return np.full((2, *cells.shape[1:]), np.nan)
    rng = np.random.default_rng(seed)
    flat = cells.reshape(count, -1).astype(np.float64)
    means = np.empty((resamples, flat.shape[1]))
    for at in range(0, resamples, 100):  # drawing n of n is counting how often each comes up
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(100, resamples - at))
        means[at : at + 100] = times @ flat / count
    ends = np.quantile(means, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return ends.reshape(2, *cells.shape[1:])


def floor_warning(floor: float, limit: float | None) -> str:
    """Return a sentence if the noise floor (nats) is over its limit; otherwise nothing."""
    if limit is None or not floor > limit:
        return ""
    return (
        f"The noise floor of {floor:.1e} nats is over {limit:.0e}, the most that this data type "
        "should cost: cells of that size mean nothing here, see `mlxjsd check`."
    )
