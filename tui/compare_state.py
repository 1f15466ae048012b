"""What the screen of two heatmaps shows, apart from how it is drawn."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mlxjsd.analysis.compare import Comparison, Panel, compare, published
from mlxjsd.analysis.published import published_names
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, Metric, described
from mlxjsd.store.reader import read_run
from mlxjsd.tui.colours import COLOUR_MAPS, DIVERGING, Scale, usual_map
from mlxjsd.tui.run_data import ALL, GROUP_NAMES
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.scales import automatic
from mlxjsd.tui.text import clean, row_label


class Sheet(Protocol):
    """What a grid draws: numbers, their scale, a cursor."""

    @property
    def rows(self) -> tuple[str, ...]:
        """Their keys, from the top."""

    @property
    def layers(self) -> int:
        """How many columns."""

    @property
    def described(self) -> Metric:
        """What the numbers are."""

    @property
    def row(self) -> int:
        """Of the cursor."""

    @property
    def layer(self) -> int:
        """Of the cursor."""

    @property
    def colour_map(self) -> str:
        """Which colours stand for the numbers."""

    def shown(self) -> np.ndarray:
        """Return the numbers, (rows, layers)."""

    def scale(self) -> Scale:
        """Return which number is the first colour and which the last."""


@dataclass(frozen=True)
class Figure:
    """A published figure, to be compared with."""

    name: str


def figures(metric: str) -> list[Figure]:
    """Return the published figures that show this metric."""
    if metric != JSD.key:
        return []
    return [Figure(name) for name in published_names(maps=False)]


def panel_of_state(state: RunState) -> Panel:
    """Return the average that a run screen shows, to be compared."""
    name = f"{state.model.get('name', 'run')}, n = {state.heatmap.count}"
    if state.group != ALL:
        name += f", {GROUP_NAMES[state.group]}"
    return Panel(name, state.heatmap.mean, rows=state.rows, metric=state.metric)


def other_panel(chosen: Path | Figure, group: str, metric: str) -> Panel:
    """Read what is compared with: the same kind of answer, or all prompts of a run without it.

    Raises:
        InputError: where there is no run, or nothing in it.
    """
    if isinstance(chosen, Figure):
        return published(chosen.name)
    run = read_run(chosen)
    if not run.records:
        raise InputError(
            "that run has measured nothing yet", hint="choose another one, or take it up"
        )
    if metric not in run.grid.metrics:
        raise InputError(
            f"that run has no numbers of the metric {metric!r}", hint="choose another one"
        )
    state = RunState.of(chosen, run)
    state.metric = metric
    state.show_group(group)  # if it has no such prompt, the name says that all are shown
    return panel_of_state(state)


class CompareState:
    """Two heatmaps, their difference, and one cursor on all three."""

    def __init__(self, a: Panel, b: Panel) -> None:
        self.comparison: Comparison = compare(a, b)
        self.row, self.layer = 0, 0
        self.described = described(a.metric)
        self.chosen_colours: str | None = None
        self.dark = True
        means = np.stack([self.comparison.a.mean, self.comparison.b.mean])
        difference = self.comparison.difference
        scale = automatic(means, self.described)
        furthest = automatic(difference, self.described).high
        around = Scale(-furthest, furthest)
        self.sheets = (
            _Side(self, means[0], scale, lambda: self.colour_map),
            _Side(self, means[1], scale, lambda: self.colour_map),
            _Side(self, difference, around, lambda: DIVERGING),
        )

    @property
    def colour_map(self) -> str:
        """Which colours stand for the numbers of both; see :attr:`RunState.chosen_colours`."""
        if self.described.signed:
            return DIVERGING
        return self.chosen_colours or usual_map(self.dark)

    @property
    def rows(self) -> tuple[str, ...]:
        """Keys of the rows that both have, from the top."""
        return self.comparison.a.rows

    @property
    def layers(self) -> int:
        """Columns: the layers of the deeper one."""
        return int(self.comparison.a.mean.shape[1])

    def go_to(self, row: int, layer: int) -> None:
        """Put the cursor on the nearest cell."""
        self.row = min(max(row, 0), len(self.rows) - 1)
        self.layer = min(max(layer, 0), self.layers - 1)

    def next_colour_map(self) -> None:
        """Take the next colour map for the two heatmaps."""
        at = COLOUR_MAPS.index(self.colour_map) + 1
        self.chosen_colours = COLOUR_MAPS[at % len(COLOUR_MAPS)]

    def at_cursor(self) -> str:
        """Return the three numbers under the cursor."""
        place, sign = (self.row, self.layer), "+" if self.described.signed else ""
        a, b, difference = (float(sheet.shown()[place]) for sheet in self.sheets)
        where = f"{row_label(self.rows[self.row])} layer {self.layer}"
        if math.isnan(difference):
            return f"{where}: one of the two is not known"
        said = f"{where}: {a:{sign}.3f} - {b:{sign}.3f} = {difference:+.3f}"
        return f"{said} {clean(self.described.unit)}".rstrip()

    def table(self) -> list[tuple[str, ...]]:
        """Return, for each row, how well both agree."""
        return [
            (
                row_label(row.row),
                "-" if math.isnan(row.correlation) else f"{row.correlation:+.2f}",
                "-" if math.isnan(row.difference) else f"{row.difference:.3f}",
                row.high[0],
                row.high[1],
                {True: "yes", False: "no", None: "-"}[row.phases_agree],
            )
            for row in self.comparison.rows
        ]


@dataclass
class _Side:
    """One of the three grids."""

    owner: CompareState
    values: np.ndarray
    fixed_scale: Scale
    colours: Callable[[], str]

    @property
    def rows(self) -> tuple[str, ...]:
        return self.owner.rows

    @property
    def described(self) -> Metric:
        return self.owner.described

    @property
    def layers(self) -> int:
        return self.owner.layers

    @property
    def row(self) -> int:
        return self.owner.row

    @property
    def layer(self) -> int:
        return self.owner.layer

    @property
    def colour_map(self) -> str:
        return self.colours()

    def shown(self) -> np.ndarray:
        return self.values

    def scale(self) -> Scale:
        return self.fixed_scale
