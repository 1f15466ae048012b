"""What is sure of a run's averages, as JSON and as columns of a table."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.groups import UNLABELLED
from mlxjsd.analysis.heatmap import Heatmap, aggregate
from mlxjsd.analysis.resampling import RESAMPLES, peak_interval
from mlxjsd.analysis.significance import Outcome, against_controls, between_groups, control_of
from mlxjsd.results import Record, Run

#: Columns of a row against its control, in the table of averages.
CONTROL_COLUMNS = ("control", "control_difference", "control_n", "p", "q")


def number(value: float) -> float | None:
    """Return a number for JSON; None where there is none."""
    return None if np.isnan(value) else float(value)


def numbers(values: np.ndarray) -> list[list[float | None]]:
    """Return (R, L) numbers for JSON; None where there is none."""
    # Python's own numbers are asked for once: an export has millions of them.
    return [[None if isnan(value) else value for value in cells] for cells in values.tolist()]


def by_row(rows: Sequence[str], values: np.ndarray) -> dict[str, list[float | None]]:
    """Return (rows, L) numbers by the names of their rows."""
    return dict(zip(rows, numbers(values), strict=True))


def has_controls(run: Run) -> bool:
    """Say whether a row of the run and its control were measured."""
    return any(control_of(row, run.grid.rows) is not None for row in run.grid.rows)


def control_cells(tested: Outcome | None, row: str, layer: int) -> list[Any]:
    """Return the values of :data:`CONTROL_COLUMNS` for a cell; empty without a control."""
    if tested is None or row not in tested.rows:
        return [""] * len(CONTROL_COLUMNS)
    at = tested.rows.index(row), layer
    numbers = [tested.difference[at], tested.p[at], tested.q[at]]
    written = ["" if np.isnan(value) else f"{value:.8g}" for value in numbers]
    return [tested.against[at[0]], written[0], int(tested.counts[at]), *written[1:]]


def significance_json(run: Run, metrics: Sequence[str], effect: Effect | None) -> dict[str, Any]:
    """Return, for each metric, peaks with their intervals, and all tests, as JSON values."""
    return {
        "resamples": RESAMPLES,
        "seed": 0,
        "adjusted": "Benjamini-Hochberg, over the cells of each comparison",
        "metrics": {metric: _of_metric(run, metric, effect) for metric in metrics},
    }


def _of_metric(run: Run, metric: str, effect: Effect | None) -> dict[str, Any]:
    heatmap = aggregate(run.records, run.grid, metric, effect)
    cells = run.cells(metric, effect)
    tested = against_controls(cells, run.grid.rows)
    groups: dict[str, list[Record]] = run.groups("category") if run.records else {}
    known = {
        name: run.cells(metric, effect, records)
        for name, records in groups.items()
        if name != UNLABELLED
    }
    compared = between_groups(known, run.grid.rows)
    return {
        "peaks": _peaks(heatmap, cells),
        "controls": {} if tested is None else _controls(tested),
        "categories": [
            {"first": first, "second": second, **_numbers(found)}
            for (first, second), found in compared.items()
        ],
    }


def _peaks(heatmap: Heatmap, cells: np.ndarray) -> dict[str, Any]:
    ends = dict(zip(heatmap.rows, peak_interval(cells).T, strict=True))
    return {
        peak.row: {
            "layer": peak.layer,
            "value": peak.value,
            "ci95": None if np.isnan(ends[peak.row][0]) else [int(end) for end in ends[peak.row]],
        }
        for peak in heatmap.peaks()
    }


def _controls(tested: Outcome) -> dict[str, Any]:
    found = _numbers(tested)
    return {
        row: {"control": control, **{name: cells[row] for name, cells in found.items()}}
        for row, control in zip(tested.rows, tested.against, strict=True)
    }


def _numbers(tested: Outcome) -> dict[str, Any]:
    """Return the arrays of a test by row; ``difference`` is of the second from the first group."""
    return {
        "difference": by_row(tested.rows, tested.difference),
        "n": {row: n.tolist() for row, n in zip(tested.rows, tested.counts, strict=True)},
        "p": by_row(tested.rows, tested.p),
        "q": by_row(tested.rows, tested.q),
    }
