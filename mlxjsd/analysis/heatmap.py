"""From the rows of a run to the numbers of a picture."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mlxjsd.above import Shown
from mlxjsd.analysis.effects import Effect, cells_of, shown_metric
from mlxjsd.metrics import JSD, Metric
from mlxjsd.records import Grid, Record
from mlxjsd.row_names import label
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
    counts: np.ndarray | None = None
    """(rows, L) prompts that each cell is the average of; None where that is ``count``."""
    effect: Effect | None = None
    """What the cells show in place of the numbers as they were measured; None for these."""
    left_out: int = 0
    """Prompts that are not among them for their small total effect."""
    names: tuple[str, ...] | None = None
    """What the rows are called where people look, such as the tokens of a map; None for the names
    that rows have by their keys."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What each row is called where people look."""
        return self.names or tuple(label(key) for key in self.rows)

    @property
    def described(self) -> Metric:
        """What the cells are: name, unit and bounds."""
        return shown_metric(self.metric, self.effect)

    @property
    def raw_jsd(self) -> bool:
        """Whether the cells are divergences as they were measured, which are read in phases."""
        return self.metric == JSD.key and self.effect is None

    def cell_counts(self) -> np.ndarray:
        """Return how many prompts each cell is the average of, (rows, L) int.

        A cell without a number has those that it would be the average of.
        """
        counts = np.zeros(self.mean.shape, int) if self.counts is None else self.counts
        return np.where(counts == 0, self.count, counts)

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
    signed = any(heatmap.described.signed for heatmap in found)
    return (-high if signed else 0.0), high


def aggregate(
    records: Sequence[Record],
    grid: Grid | int,
    metric: str = JSD.key,
    effect: Effect | None = None,
) -> Heatmap:
    """Average the cells of ``records``, or their effects, into a heatmap.

    The order of the records does not change the result by more than rounding in float64.

    Args:
        records: of one run.
        grid: of the run; a number of layers stands for the usual rows.
        metric: one of the grid's.
        effect: None for the numbers as they were measured.

    Raises:
        InputError: if the run does not hold what the effect needs.
    """
    grid = Grid(grid) if isinstance(grid, int) else grid
    cells, left_out = cells_of(records, grid, metric, effect)
    count = int(left_out.sum())
    if not records or (left_out.any() and not np.isfinite(cells).any()):
        empty = np.full((len(grid.rows), grid.layers), np.nan)
        found = Heatmap(empty, empty.copy(), 0, rows=grid.rows, metric=metric)
        return replace(found, only=grid.only, effect=effect, left_out=count)
    found = average(
        cells,
        np.array([record.reliance for record in records]),
        np.array([record.floor for record in records]),
        grid.rows,
        metric,
    )
    return replace(found, only=grid.only, effect=effect, left_out=count)


def average(
    cells: np.ndarray,
    reliance: np.ndarray,
    floor: np.ndarray,
    rows: tuple[str, ...] = DEFAULT,
    metric: str = JSD.key,
) -> Heatmap:
    """Average (N, rows, L) cells, (N,) reliances and (N,) floors, N at least 1.

    Prompts without any number are left out: a metric may need more than every prompt has, such
    as two answers to compare. A row that does not apply to a prompt, such as a control without
    room for its span, is averaged over the others.
    """
    counted = _counted(cells)
    cells, reliance, floor = cells[counted].astype(np.float64), reliance[counted], floor[counted]
    mean, each = known_means(cells)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.where(np.isfinite(cells), cells - mean, 0.0)
        variance = np.square(apart).sum(axis=0) / np.where(each > 1, each - 1, np.nan)
    return Heatmap(
        mean=mean,
        error=np.sqrt(variance) / np.sqrt(np.maximum(each, 1)),
        count=len(cells),
        counts=each,
        reliance=float(np.mean(reliance)),
        floor=float(np.max(floor)),
        rows=rows,
        metric=metric,
    )


def known_means(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of (N, ...) cells over the prompts that have a number, and their counts.

    (...) float64, NaN where none has one; and (...) int.
    """
    known = np.isfinite(cells)
    counts = known.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(known, cells, 0.0).sum(axis=0, dtype=np.float64) / counts, counts


def _counted(cells: np.ndarray) -> np.ndarray:
    """Return which of (N, ...) hold a number, (N,); all of them where none does."""
    known = np.isfinite(cells).any(axis=tuple(range(1, cells.ndim)))
    return known if known.any() else ~known


def resampled_means(cells: np.ndarray, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """Return the means of cells over prompts that are drawn anew, as often as there are.

    Args:
        cells: (N, ...); prompts without any number are left out.
        resamples: how many times they are drawn.
        seed: of the drawing; the same cells in the same order give the same means.

    Returns:
        (resamples, ...) float64; NaN where fewer than two prompts have a number, and where none
        of them was drawn.
    """
    shape = cells.shape[1:]
    cells = cells.reshape(len(cells), math.prod(shape))
    cells = cells[_counted(cells)].astype(np.float64)
    count, known = len(cells), np.isfinite(cells)
    means = np.full((resamples, cells.shape[1]), np.nan)
    if count < 2:
        return means.reshape(resamples, *shape)
    some = ~np.isin(known.sum(axis=0), (0, count))  # cells that some prompts have alone
    filled = np.where(known, cells, 0.0) if some.any() else cells
    draws = _draws(count, resamples, seed)
    for at in range(0, resamples, 100):
        times = draws[at : at + 100].astype(np.float64)
        means[at : at + 100] = times @ filled / count
        if some.any():
            with np.errstate(invalid="ignore", divide="ignore"):
                means[at : at + 100, some] *= count / (times @ known[:, some])
    means[:, known.sum(axis=0) < 2] = np.nan
    return means.reshape(resamples, *shape)


@lru_cache(maxsize=2)
def _draws(count: int, resamples: int, seed: int) -> np.ndarray:
    """Return how often each of N prompts is drawn, (resamples, N).

    Making these takes most of the time, and they are the same for all metrics, intervals and peaks
    of the same prompts. Some 2 kB are kept for each prompt.
    """
    rng, chances = np.random.default_rng(seed), np.full(count, 1 / count)
    found = np.empty((resamples, count), np.uint16)
    for at in range(0, resamples, 100):
        found[at : at + 100] = rng.multinomial(count, chances, size=min(100, resamples - at))
    found.flags.writeable = False
    return found


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
    means = resampled_means(cells, resamples, seed)
    shares = [(1 - share) / 2, (1 + share) / 2]
    ends = np.full((2, *means.shape[1:]), np.nan)
    known = np.isfinite(means)
    whole, some = known.all(axis=0), known.any(axis=0)
    ends[:, whole] = np.quantile(means[:, whole], shares, axis=0)
    if (rare := some & ~whole).any():  # in some draws, none of the few that have a number
        ends[:, rare] = np.nanquantile(means[:, rare], shares, axis=0)
    return ends


def floor_warning(floor: float, limit: float | None) -> str:
    """Return a sentence if the noise floor (nats) is over its limit; otherwise nothing."""
    if limit is None or not floor > limit:
        return ""
    return (
        f"The noise floor of {floor:.1e} nats is over {limit:.0e}, the most that this data type "
        "should cost: cells of that size mean nothing here, see `mlxjsd check`."
    )
