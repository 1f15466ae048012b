"""What the screen of two heatmaps shows, apart from how it is drawn."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mlxjsd.analysis.compare import Comparison, Panel, compare, published
from mlxjsd.assets import PUBLISHED
from mlxjsd.errors import InputError
from mlxjsd.output.markdown import panel_of
from mlxjsd.rows import ROWS
from mlxjsd.store.reader import read_run
from mlxjsd.tui.colours import COLOUR_MAPS, DIVERGING, Scale
from mlxjsd.tui.run_data import ALL, GROUP_NAMES
from mlxjsd.tui.run_state import LABELS, RunState


class Sheet(Protocol):
    """What a grid draws: numbers, their scale, a cursor."""

    @property
    def layers(self) -> int:
        """How many columns."""

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
        """Return the numbers, (3, layers)."""

    def scale(self) -> Scale:
        """Return which number is the first colour and which the last."""


@dataclass(frozen=True)
class Figure:
    """A published figure, to be compared with."""

    name: str


def figures() -> list[Figure]:
    """Return the published figures that come with mlxjsd."""
    return [Figure(path.stem) for path in sorted(PUBLISHED.glob("*.json"))]


def panel_of_state(state: RunState) -> Panel:
    """Return the average that a run screen shows, to be compared."""
    name = f"{state.model.get('name', 'run')}, n = {state.heatmap.count}"
    if state.group != ALL:
        name += f", {GROUP_NAMES[state.group]}"
    return Panel(name, state.heatmap.mean)


def other_panel(chosen: Path | Figure, group: str) -> Panel:
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
    if group != ALL:
        try:
            return panel_of(run, group)
        except InputError:
            pass  # it has no such prompt; its name will say that all are shown
    return panel_of(run)


class CompareState:
    """Two heatmaps, their difference, and one cursor on all three."""

    def __init__(self, a: Panel, b: Panel) -> None:
        self.comparison: Comparison = compare(a, b)
        self.row, self.layer = 0, 0
        self.colour_map = COLOUR_MAPS[0]
        means = self.comparison.a.mean, self.comparison.b.mean
        self._top = max(max(float(np.nanmax(m)) for m in means), 1e-3)
        widest = float(np.nanmax(np.abs(self.comparison.difference)))
        self._widest = max(widest, 1e-3)
        self.sheets = (
            _Side(self, means[0], self._scale, lambda: self.colour_map),
            _Side(self, means[1], self._scale, lambda: self.colour_map),
            _Side(self, self.comparison.difference, self._difference_scale, lambda: DIVERGING),
        )

    @property
    def layers(self) -> int:
        """Columns: the layers of the deeper one."""
        return int(self.comparison.a.mean.shape[1])

    def _scale(self) -> Scale:
        return Scale(0.0, self._top)

    def _difference_scale(self) -> Scale:
        return Scale(-self._widest, self._widest)

    def go_to(self, row: int, layer: int) -> None:
        """Put the cursor on the nearest cell."""
        self.row = min(max(row, 0), len(ROWS) - 1)
        self.layer = min(max(layer, 0), self.layers - 1)

    def next_colour_map(self) -> None:
        """Take the next colour map for the two heatmaps."""
        at = COLOUR_MAPS.index(self.colour_map) + 1
        self.colour_map = COLOUR_MAPS[at % len(COLOUR_MAPS)]

    def at_cursor(self) -> str:
        """Return the three numbers under the cursor."""
        place = self.row, self.layer
        a, b, difference = (float(sheet.shown()[place]) for sheet in self.sheets)
        return f"{LABELS[self.row]} layer {self.layer}: {a:.3f} - {b:.3f} = {difference:+.3f} nats"

    def table(self) -> list[tuple[str, ...]]:
        """Return, for each row, how well both agree."""
        return [
            (
                label,
                "-" if math.isnan(row.correlation) else f"{row.correlation:+.2f}",
                f"{row.difference:.3f}",
                row.high[0],
                row.high[1],
                "yes" if row.phases_agree else "no",
            )
            for label, row in zip(LABELS, self.comparison.rows, strict=True)
        ]


@dataclass
class _Side:
    """One of the three grids."""

    owner: CompareState
    values: np.ndarray
    of_scale: Callable[[], Scale]
    of_colours: Callable[[], str]

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
        return self.of_colours()

    def shown(self) -> np.ndarray:
        return self.values

    def scale(self) -> Scale:
        return self.of_scale()
