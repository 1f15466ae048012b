"""Marks in the cells of a figure that differ for sure, and the line below that explains them."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.significance import LEVEL, OTHERS, against_controls, between_groups
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, described
from mlxjsd.results import Run
from mlxjsd.row_names import label

if TYPE_CHECKING:
    from mlxjsd.output.plain_matplotlib import Axes


@dataclass(frozen=True)
class Marks:
    """Which cells of one heatmap are marked."""

    cells: np.ndarray
    """(rows, L) bool."""
    note: str
    """What a mark says."""


def control_marks(run: Run, metric: str = JSD.key, effect: Effect | None = None) -> Marks:
    """Return the cells that differ from those of their control.

    Raises:
        InputError: if no row's control was measured.
    """
    tested = against_controls(run.cells(metric, effect), run.grid.rows)
    if tested is None:
        raise InputError(
            "the run has no control rows, so there is nothing to mark a cell against",
            hint="measure attn-control or subj-random with --rows, or mark groups with --by",
        )
    note = f"differs from its control on the same prompts (sign flips, q < {LEVEL:g})"
    return Marks(tested.marks(run.grid.rows), note)


def group_marks(
    run: Run, by: str, metric: str = JSD.key, effect: Effect | None = None
) -> dict[str, Marks]:
    """Return, by the name of each group, the cells that differ from the first group's.

    Where there are more than four groups, they are compared with all other prompts. A group that
    is not compared has no entry.

    Raises:
        InputError: if there are not two groups.
    """
    groups = {
        name: run.cells(metric, effect, records) for name, records in run.named_groups(by).items()
    }
    if len(groups) < 2:
        raise InputError(
            f"all prompts are of one {by}, so there is nothing to mark a cell against",
            hint="leave --significance out, or group --by another one",
        )
    first = next(iter(groups))
    tested = between_groups(groups, run.grid.rows)
    how = f"permutations, q < {LEVEL:g}"
    return {
        name: Marks(
            found.differs,
            f"differs from {'all other prompts' if other == OTHERS else '(a)'} ({how})",
        )
        for (other, name), found in tested.items()
        if other in (first, OTHERS)
    }


def edges_of(heatmap: Heatmap) -> np.ndarray:
    """Return where each column of a figure begins, and where the last one ends.

    A layer that is not measured is shared by those at its sides.
    """
    shown = heatmap.measured_layers
    return np.array([-0.5, *((a + b) / 2 for a, b in pairwise(shown)), heatmap.layers - 0.5])


def draw_marks(axes: "Axes", heatmap: Heatmap, marks: Marks) -> None:
    """Put a dot into each marked cell; it has an edge, so that it shows on any colour."""
    edges = edges_of(heatmap)
    middles = (edges[:-1] + edges[1:]) / 2
    rows, columns = np.nonzero(marks.cells[:, heatmap.measured_layers])
    axes.scatter(
        middles[columns],
        rows,
        s=4.5,
        marker="o",
        facecolors="white",
        edgecolors="0.25",
        linewidths=0.4,
        gid="significance",
    )


def notes_of(heatmap: Heatmap, marks: Marks | None = None) -> str:
    """Return what is said below a figure; "" for nothing."""
    said = [f"\N{WHITE CIRCLE} {marks.note}"] if marks is not None else []
    if heatmap.left_out:
        said.append(left_out_note(heatmap))
    return "; ".join(said)


def left_out_note(heatmap: Heatmap) -> str:
    """Say how many prompts are left out of normalised effects, and why; "" for none."""
    if heatmap.effect is None or not heatmap.left_out:
        return ""
    least = heatmap.effect.least(heatmap.metric)
    unit = described(heatmap.metric).unit
    prompts = "1 prompt is" if heatmap.left_out == 1 else f"{heatmap.left_out} prompts are"
    return f"{prompts} left out, whose total effect is under {least:g} {unit}".rstrip()


def left_out_sentence(heatmap: Heatmap) -> str:
    """Say the same as a sentence of its own."""
    note = left_out_note(heatmap)
    return note and f"{note}; see --least-total."


def fewer_note(heatmap: Heatmap) -> str:
    """Say which rows are averages of fewer prompts, since their edit applies to these alone."""
    most = heatmap.cell_counts().max(axis=1)
    pairs = zip(heatmap.rows, most, strict=True)
    rows = [f"{label(row)} {count}" for row, count in pairs if 0 < count < heatmap.count]
    said = f"Rows that do not apply to every prompt have an n of their own: {', '.join(rows)}."
    return said if rows else ""
