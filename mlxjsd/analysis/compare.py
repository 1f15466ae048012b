"""Two heatmaps beside each other: two runs, or a run and a published figure."""

from dataclasses import dataclass, replace

import numpy as np

from mlxjsd.above import Shown
from mlxjsd.analysis.effects import Effect, shown_metric
from mlxjsd.analysis.pairing import pairing
from mlxjsd.analysis.phases import Phases, Ranges, describe, phases
from mlxjsd.analysis.published import published_document
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, Metric
from mlxjsd.row_names import label
from mlxjsd.rows import DEFAULT


@dataclass(frozen=True)
class Panel:
    """A heatmap with a name."""

    name: str
    mean: np.ndarray
    """(rows, L) in the unit of the metric."""
    source: str = ""
    """Where published numbers were taken from."""
    rows: tuple[str, ...] = DEFAULT
    """Keys of the rows, from the top."""
    metric: str = JSD.key
    effect: Effect | None = None
    """What the cells show in place of the numbers as they were measured."""
    at_most: np.ndarray | None = None
    """Which cells are no more than what stands there, (rows, L) bool: a figure's colours say
    nothing below the lowest tick of their scale. None for none."""
    names: tuple[str, ...] | None = None
    """What the rows are called where people look; None for what they are called by their keys."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What each row is called where people look."""
        return self.names or tuple(map(label, self.rows))

    @property
    def described(self) -> Metric:
        """What the cells are: name, unit and bounds."""
        return shown_metric(self.metric, self.effect)

    @property
    def known(self) -> np.ndarray:
        """Which cells have a number, (rows, L) bool."""
        found: np.ndarray = np.isfinite(self.mean)
        return found if self.at_most is None else found & ~self.at_most


@dataclass(frozen=True)
class RowComparison:
    """How one row of two heatmaps agrees."""

    row: str
    """Its name in A."""
    other: str
    """Its name in B; another one where windows or directions are compared."""
    correlation: float
    """Spearman's rank correlation over layers; NaN where a row is constant, or without a number."""
    difference: float
    """Mean absolute difference, in the metric's unit; NaN where a row is without a number."""
    cells: int
    """Layers that both numbers are over: those for which both heatmaps have one."""
    phases_agree: bool | None
    """Whether high and low phases share more than half of their layers; None for a metric that
    is not read in phases."""
    high: tuple[str, str]
    """Both high phases, in words."""


@dataclass(frozen=True)
class Comparison(Shown):
    """Two heatmaps on the same columns."""

    a: Panel
    b: Panel
    rows: tuple[RowComparison, ...]
    relative: bool
    """Whether the depths differ, so that columns are shares of the depth."""
    only: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """Rows that A alone has, and those that B alone has."""
    turned: tuple[bool, ...] = ()
    """Which rows of B are turned around 0, since their direction is the other one; none in numbers
    as they were measured."""

    @property
    def difference(self) -> np.ndarray:
        """A minus B, (rows, columns), in the metric's unit; NaN where it is not known."""
        return np.where(self.a.known & self.b.known, self.a.mean - self.b.mean, np.nan)


def published(name: str) -> Panel:
    """Return a published heatmap that comes with mlxjsd.

    Raises:
        InputError: for an unknown name, where the message lists those there are, and for a map.
    """
    found = published_document(name)
    if "kind" in found:
        raise InputError(
            f"{name} is of maps, not of a heatmap's rows",
            hint="give a run with maps to `mlxjsd compare --reference`",
        )
    rows = tuple(found["values"])
    mean = np.array([found["values"][row] for row in rows], dtype=np.float64)
    lowest = found.get("at_most")
    at_most = None if lowest is None else mean <= lowest
    return Panel(found["title"], mean, found["source"], rows, at_most=at_most)


def compare(a: Panel, b: Panel) -> Comparison:
    """Compare the rows that two heatmaps share; of different depths, over relative depth.

    The deeper one sets the columns, and the other is interpolated linearly between the middles
    of its layers. Rows are paired as :func:`mlxjsd.analysis.pairing.pairing` says. Effects of the
    other direction are turned around 0, so that what A takes away is compared with what B restores.

    Raises:
        InputError: if they share no row, or are of two metrics.
    """
    if a.metric != b.metric:
        raise InputError(
            f"{a.name} shows {a.metric}, and {b.name} shows {b.metric}",
            hint="compare two of the same --metric",
        )
    if a.effect != b.effect:
        raise InputError(
            f"{a.name} and {b.name} show two kinds of effect", hint="compare without --effect"
        )
    columns = max(a.mean.shape[1], b.mean.shape[1])
    relative = a.mean.shape[1] != b.mean.shape[1]
    found = pairing(a.rows, b.rows)
    if not found.rows:
        raise InputError(
            f"{a.name} and {b.name} have no row in common", hint="compare runs of the same --rows"
        )
    named, others = zip(*found.rows, strict=True)
    a, b = _over(a, named, columns), _over(b, others, columns)
    turned = found.turned if a.effect is not None else (False,) * len(named)
    b = replace(b, mean=np.where(np.array(turned)[:, None], -b.mean, b.mean))
    rows = (
        _compare_row(name, other, x, y, both, a.metric == JSD.key and a.effect is None)
        for name, other, x, y, both in zip(
            named, others, a.mean, b.mean, a.known & b.known, strict=True
        )
    )
    return Comparison(a, b, tuple(rows), relative, (found.only_a, found.only_b), turned)


def _compare_row(
    name: str, other: str, x: np.ndarray, y: np.ndarray, both: np.ndarray, in_phases: bool
) -> RowComparison:
    high, agree = ("n/a", "n/a"), None
    if in_phases:
        of_a, of_b = _phases(x), _phases(y)
        high = (describe(of_a.high, len(x)), describe(of_b.high, len(y)))
        agree = bool(np.any(np.isfinite(x) & np.isfinite(y)))
        agree &= _overlap(of_a.high, of_b.high) > 0.5 and _overlap(of_a.low, of_b.low) > 0.5
    return RowComparison(
        row=name,
        other=other,
        correlation=rank_correlation(x[both], y[both]),
        difference=float(np.abs(x - y)[both].mean()) if both.any() else float("nan"),
        cells=int(both.sum()),
        phases_agree=agree,
        high=high,
    )


def rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return Spearman's rank correlation of two rows, ties sharing their mean rank.

    NaN where one of them is constant, or where fewer than two layers have both numbers.
    """
    from scipy.stats import spearmanr  # takes a second to import

    both = np.isfinite(x) & np.isfinite(y)
    # Rounded, so that interpolation does not break ties.
    a, b = np.round(x[both], 9), np.round(y[both], 9)
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b).statistic)


def comparison_lines(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the rows of the table Row | Rank correlation | Difference | Layers | High | Agree."""
    return [
        (
            one if one == other else f"{one} / {other}",
            _written(row.correlation, 2),
            _written(row.difference, 3),
            f"{row.cells} of {comparison.a.mean.shape[1]}",
            f"{row.high[0]} / {row.high[1]}",
            {True: "yes", False: "no", None: "n/a"}[row.phases_agree],
        )
        for row, one, other in zip(
            comparison.rows, comparison.a.labels, comparison.b.labels, strict=True
        )
    ]


def both_labels(row: str, other: str) -> str:
    """Write the names of two rows that are compared, once if they are the same."""
    return label(row) if row == other else f"{label(row)} / {label(other)}"


def _written(value: float, digits: int) -> str:
    return "n/a" if np.isnan(value) else f"{value:.{digits}f}"


def _phases(values: np.ndarray) -> Phases:
    """Read a row, which may hold no number where attention cannot be knocked out."""
    known = np.isfinite(values).any()
    return phases(values) if known else Phases(float("nan"), 0, (), ())


def _over(panel: Panel, rows: tuple[str, ...], columns: int) -> Panel:
    """Return some rows of a panel, over so many columns."""
    chosen = [panel.rows.index(key) for key in rows]
    at_most = panel.at_most
    if at_most is not None:  # a column between two cells is known if both are
        at_most = _stretch(at_most[chosen].astype(float), columns) > 0
    names = panel.names and tuple(panel.names[at] for at in chosen)
    mean = _stretch(panel.mean[chosen], columns)
    return replace(panel, mean=mean, rows=rows, at_most=at_most, names=names)


def _stretch(mean: np.ndarray, columns: int) -> np.ndarray:
    layers = mean.shape[1]
    if layers == columns:
        return mean
    middles = (np.arange(layers) + 0.5) / layers
    wanted = (np.arange(columns) + 0.5) / columns
    return np.stack([np.interp(wanted, middles, row) for row in mean])


def _overlap(one: Ranges, other: Ranges) -> float:
    """Return the share of layers in both among those in either; 1 where there are none."""
    a, b = ({i for x, y in ranges for i in range(x, y + 1)} for ranges in (one, other))
    return len(a & b) / len(a | b) if a | b else 1.0
