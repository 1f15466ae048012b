"""Where two runs of the same prompts disagree, in words and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlxjsd.analysis.changes import Change
from mlxjsd.analysis.compare import both_labels
from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.resampling import RESAMPLES
from mlxjsd.analysis.significance import LEVEL, spans
from mlxjsd.output.markdown import only_rows
from mlxjsd.output.marks import Marks
from mlxjsd.output.significance import by_row, number
from mlxjsd.output.writing import markdown_table
from mlxjsd.records import Grid
from mlxjsd.text import plain

_HOW = (
    f"A cell is higher or lower for sure where a paired sign-flip test over prompts ({RESAMPLES:,} "
    f"flips) gives q < {LEVEL:g}, adjusted over all cells (Benjamini-Hochberg); intervals part "
    "where the 95 % intervals of both runs have no number in common."
)


def disagreement_text(first: str, grid: Grid, found: Sequence[Change]) -> str:
    """Say as Markdown where runs disagree with the first one: ranks, tests, intervals.

    Args:
        first: name of the first run.
        grid: of the first run.
        found: what each other run changes.
    """
    header = ("Run", "Row", "Rank correlation", "Differ for sure", "Intervals part")
    table = markdown_table(header, [row for change in found for row in _rows(change)])
    said = [f"## Where they agree with {plain(first)}, and where not", table, _HOW]
    for change in found:
        said.append("\n".join(f"- {sentence}" for sentence in _sentences(first, grid, change)))
    return "\n\n".join(said)


def _rows(change: Change) -> list[tuple[str, ...]]:
    found, name = change.sensitivity, plain(change.name)
    known = np.isfinite(found.tested.p)
    rows: list[tuple[str, ...]] = [
        (
            name,
            plain(both_labels(*names)),
            _rank(correlation),
            f"{int(differs.sum())} of {int(there.sum())}",
            f"{int(parted.sum())} of {int(there.sum())}",
        )
        for names, correlation, differs, parted, there in zip(
            change.pairing.rows,
            found.correlations,
            found.tested.differs,
            found.parted,
            known,
            strict=True,
        )
    ]
    if len(rows) > 1:
        sums = (int(which.sum()) for which in (found.tested.differs, found.parted))
        counts = [f"{count} of {int(known.sum())}" for count in sums]
        rows.append((name, "all cells", _rank(found.overall), *counts))
    return rows


def _rank(correlation: float) -> str:
    return "n/a" if np.isnan(correlation) else f"{correlation:.2f}"


def _sentences(first: str, grid: Grid, change: Change) -> list[str]:
    found, layers = change.sensitivity, grid.measured_layers
    name = plain(change.name)
    said, alike = [], []
    for at, names in enumerate(change.pairing.rows):
        sure, more = found.tested.differs[at], found.tested.difference[at] > 0
        sides = [
            f"{side} in {where}"
            for side, which in (("higher", sure & more), ("lower", sure & ~more))
            if (where := spans(which, layers))
        ]
        parted = spans(found.parted[at], layers)
        if not sides and not parted:
            alike.append(both_labels(*names))
            continue
        told = f"{name} is {' and '.join(sides)}" if sides else "no cell differs for sure"
        said.append(f"{both_labels(*names)}: {told}; intervals part in {parted or 'no layer'}.")
    if alike:
        none = f"No cell differs for sure, and no intervals part: {', '.join(alike)}"
        said.append(none.rstrip(".") + ".")  # a row's name may end in one
    if any(change.turned):
        said.append(
            "Rows of two directions: what one takes away is compared with what the other "
            f"restores, so the effects of {name} are turned around 0 there."
        )
    elif any(change.pairing.turned):
        said.append(
            "Rows of two directions: as measured, one falls where the other rises; "
            "`--effect normalised` compares what they take away and restore."
        )
    only = change.pairing.only_a, change.pairing.only_b
    return [*said, *only_rows((plain(first), name), only)]


def change_marks(change: Change) -> Marks:
    """Return the cells that differ between two runs for sure, for the figure of both."""
    note = f"differs between both on the same prompts (sign flips, q < {LEVEL:g})"
    return Marks(change.sensitivity.tested.differs, note)


def disagreement_json(
    first: str, shared: int, found: Sequence[Change], metric: str, effect: Effect | None
) -> dict[str, Any]:
    """Return every number of a comparison as JSON values; null where there is none."""
    return {
        "first": first,
        "prompts": shared,
        "metric": metric,
        "effect": effect and effect.kind,
        "least_total": effect.least(metric) if effect is not None and effect.normalised else None,
        "test": {
            "name": "paired sign-flip",
            "resamples": RESAMPLES,
            "adjusted": "Benjamini-Hochberg, over all cells of a run",
        },
        "runs": [_change_json(change) for change in found],
    }


def _change_json(change: Change) -> dict[str, Any]:
    found, rows = change.sensitivity, change.rows
    known = np.isfinite(found.tested.p)

    def booleans(which: np.ndarray) -> Mapping[str, list[bool | None]]:
        pairs = zip(rows, which, known, strict=True)
        return {
            row: [bool(c) if k else None for c, k in zip(cells, there, strict=True)]
            for row, cells, there in pairs
        }

    return {
        "name": change.name,
        "compared_with": dict(change.pairing.rows),
        "turned_around": [row for row, turned in zip(rows, change.turned, strict=True) if turned],
        "only_in_first": list(change.pairing.only_a),
        "only_in_this": list(change.pairing.only_b),
        "rank_correlation": number(found.overall),
        "rank_correlations": {
            row: number(value) for row, value in zip(rows, found.correlations, strict=True)
        },
        "mean_first": by_row(rows, found.means[0]),
        "mean": by_row(rows, found.means[1]),
        "ci95_first": {end: by_row(rows, v) for end, v in _ends(found.intervals[0])},
        "ci95": {end: by_row(rows, v) for end, v in _ends(found.intervals[1])},
        "intervals_part": booleans(found.parted),
        "change": by_row(rows, change.mean),
        "change_ci95": {end: by_row(rows, v) for end, v in _ends(change.interval)},
        "n": {row: n.tolist() for row, n in zip(rows, found.tested.counts, strict=True)},
        "p": by_row(rows, found.tested.p),
        "q": by_row(rows, found.tested.q),
        "categories": [
            {"before": before, "now": now, "prompts": count}
            for (before, now), count in sorted(change.counts.items())
        ],
    }


def _ends(interval: np.ndarray) -> list[tuple[str, np.ndarray]]:
    return [("low", interval[0]), ("high", interval[1])]
