"""Effects: what an edit changes, worked out from the numbers that a run holds.

Let m(p) be a metric of the clean run, m(k) of the corrupted one and m(q) of the run with an edit.
A *noising* edit puts the corrupted run's states into the clean run, or blocks attention there: its
effect is m(q) - m(p). A *denoising* one puts clean states into the corrupted run: m(q) - m(k). Both
are *normalised* by m(p) - m(k), the total effect of the corruption. Then, whatever the metric, what
is below 0 takes the clean run's number away, -1 all of it, and what is above 0 restores it, 1 all
of it.

m(p) is the row ``floor``, in which nothing is edited, m(k) the row ``total``, which runs of older
versions have not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, Metric, described
from mlxjsd.records import Grid, Record
from mlxjsd.row_names import is_denoising
from mlxjsd.rows import FLOOR, TOTAL

CHANGE, NORMALISED = "change", "normalised"
KINDS = (CHANGE, NORMALISED)


@dataclass(frozen=True)
class Effect:
    """Which effect is shown in place of the numbers as they were measured."""

    kind: str
    """``change`` or ``normalised``."""
    least_total: float | None = None
    """Of ``normalised``: prompts whose total effect is smaller are left out, in the metric's unit;
    None for the metric's own."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(
                f"--effect is {' or '.join(KINDS)}, not {self.kind!r}", hint="give one of them"
            )
        if self.least_total is None:
            return
        if self.kind != NORMALISED:
            raise InputError(
                "--least-total is for normalised effects",
                hint="leave it out, or add --effect normalised",
            )
        if not 0 < self.least_total < math.inf:
            raise InputError(
                f"the least total effect is a positive number, not {self.least_total:g}",
                hint="give one with --least-total, such as 0.05",
            )

    @property
    def normalised(self) -> bool:
        """Whether it is a share of the total effect."""
        return self.kind == NORMALISED

    def least(self, metric: str) -> float:
        """Return the smallest total effect that counts, in the unit of a metric.

        Raises:
            InputError: for a metric that has no default, if none is given.
        """
        found = described(metric).least_total if self.least_total is None else self.least_total
        if found is None:
            raise InputError(
                f"there is no usual least total effect of the metric {metric!r}",
                hint="give one with --least-total",
            )
        return found


def shown_metric(metric: str, effect: Effect | None) -> Metric:
    """Return what the numbers of a metric are when they are shown as an effect: name and unit."""
    found = described(metric)
    if effect is None:
        return found
    if effect.normalised:
        return Metric(metric, f"Normalised {found.label}", "of the total effect")
    return Metric(metric, f"Change of {found.label}", found.unit)


def effects(
    cells: np.ndarray,
    rows: Sequence[str],
    clean: np.ndarray,
    corrupted: np.ndarray | None,
    effect: Effect,
    metric: str = JSD.key,
) -> tuple[np.ndarray, np.ndarray]:
    """Work out the effects of a metric.

    Args:
        cells: (N, rows, L), as measured.
        rows: their names; those that restore the clean run end in ``:denoising``.
        clean: (N,) m(p).
        corrupted: (N,) m(k); None where it was not measured.
        effect: which one.
        metric: whose least total effect counts.

    Returns:
        (N, rows, L) float64 effects, in the metric's unit or as a share of the total effect; and
        which prompts are left out for their total effect, (N,) bool, whose cells are NaN.

    Raises:
        InputError: if m(k) is needed and not there.
    """
    restores = np.array([is_denoising(row) for row in rows], bool)
    if corrupted is None:
        if effect.normalised or restores.any():
            what = "normalised effects" if effect.normalised else "effects of denoising rows"
            raise InputError(
                f"the run does not hold the corrupted run's own numbers (the row {TOTAL.key!r}), "
                f"which {what} need",
                hint="measure it anew with this version of mlxjsd",
            )
        corrupted = np.full(len(cells), np.nan)
    clean, corrupted = clean.astype(np.float64), corrupted.astype(np.float64)
    unedited = np.where(restores, corrupted[:, None], clean[:, None])
    change = cells.astype(np.float64) - unedited[:, :, None]
    if not effect.normalised:
        return change, np.zeros(len(cells), bool)
    total = clean - corrupted
    # Stored numbers are float32: what is meant to be 0.05 may be a little less.
    small = np.abs(total) < effect.least(metric) * (1 - 1e-6)
    return change / np.where(small, np.nan, total)[:, None, None], small


def cells_of(
    records: Sequence[Record], grid: Grid, metric: str, effect: Effect | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of records, or their effects, and which records are left out.

    Args:
        records: N of one run.
        grid: of the run.
        metric: one of the grid's.
        effect: None for the numbers as they were measured.

    Returns:
        (N, rows, L), NaN where there is no number; and (N,) bool as :func:`effects` says.

    Raises:
        InputError: if the run does not hold what the effect needs.
    """
    kept = np.stack([record.of(metric) for record in records]) if records else None
    cells = grid.cells(0)[:, 0] if kept is None else kept
    if effect is None:
        return cells, np.zeros(len(cells), bool)
    clean, corrupted = (
        np.array([record.number(row, metric) for record in records], np.float64)
        for row in (FLOOR.key, TOTAL.key)
    )
    held = TOTAL.key in grid.whole
    return effects(cells, grid.rows, clean, corrupted if held else None, effect, metric)
