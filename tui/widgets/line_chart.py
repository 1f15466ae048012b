"""The rows as lines over the layers: the grid's numbers, seen from the side."""

import math
from string import ascii_letters
from typing import ClassVar

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from mlxjsd.tui.colours import DIVERGING
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.styles import part
from mlxjsd.tui.text import fitted, number, row_label
from mlxjsd.tui.widgets.heat_grid import HeatGrid

#: Columns in front of the plot: its numbers.
AXIS_WIDTH = 6
#: Columns behind it, which say which line is which: at least, and at the most.
NAME_WIDTH, MAX_NAME_WIDTH = 7, 14
#: The dots of a braille character, by line and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
#: Colours of the lines, by the theme's names; more rows begin anew.
_COLOURS = ("primary", "warning", "success", "error", "secondary", "accent")


class LineChart(Widget, can_focus=True):
    """A line in braille dots for each row."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"chart--{name}" for name in _COLOURS),
        *(f"chart--{name}-band" for name in _COLOURS),
        "chart--axis",
        "chart--cursor",
        "chart--number",
    }
    DEFAULT_CSS = """
    LineChart {
        width: 1fr;
        height: 1fr;
        .chart--primary { color: $text-primary; text-style: bold; }
        .chart--primary-band { color: $text-primary 50%; }
        .chart--warning { color: $text-warning; text-style: bold; }
        .chart--warning-band { color: $text-warning 50%; }
        .chart--success { color: $text-success; text-style: bold; }
        .chart--success-band { color: $text-success 50%; }
        .chart--error { color: $text-error; text-style: bold; }
        .chart--error-band { color: $text-error 50%; }
        .chart--secondary { color: $text-secondary; text-style: bold; }
        .chart--secondary-band { color: $text-secondary 50%; }
        .chart--accent { color: $text-accent; text-style: bold; }
        .chart--accent-band { color: $text-accent 50%; }
        .chart--axis { color: $text-muted; }
        .chart--cursor { color: $foreground 30%; }
        .chart--number { color: $text-accent; text-style: bold; }
    }
    """

    def __init__(self, state: RunState, id: str | None = None) -> None:
        super().__init__(id=id)
        self.state = state
        self._strips: list[Strip] = []

    @property
    def name_width(self) -> int:
        """Columns of the rows' names, a space on both sides."""
        longest = max(cell_len(row_label(key)) for key in self.state.rows)
        return min(max(longest + 2, NAME_WIDTH), MAX_NAME_WIDTH)

    @property
    def plot_size(self) -> tuple[int, int]:
        """Columns and lines of the plot itself."""
        width = max(self.size.width - AXIS_WIDTH - self.name_width, 4)
        return width, max(self.size.height - 1, 2)

    def column_of(self, layer: int) -> int:
        """Return the column of the plot in which a layer stands."""
        width, _ = self.plot_size
        return round(layer / max(self.state.layers - 1, 1) * (width - 1))

    def show_state(self) -> None:
        if self.size:
            self._strips = self._draw()
            self.refresh()

    def on_resize(self) -> None:
        self.show_state()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the layer, in the row it is in."""
        width, _ = self.plot_size
        share = (event.x - AXIS_WIDTH) / max(width - 1, 1)
        if 0 <= share <= 1:
            layer = round(share * (self.state.layers - 1))
            self.post_message(HeatGrid.Picked(self.state.row, layer))

    def render_line(self, y: int) -> Strip:
        if y >= len(self._strips):
            return Strip.blank(self.size.width, self.rich_style)
        return self._strips[y]

    def _draw(self) -> list[Strip]:
        width, height = self.plot_size
        values, scale = self.state.shown(), self.state.scale()
        names = [_COLOURS[row % len(_COLOURS)] for row in range(len(values))]
        rows = [self._part(f"chart--{name}") for name in names]
        bands = [self._part(f"chart--{name}-band") for name in names]
        letters = _letters([row_label(key) for key in self.state.rows])
        characters = [[" "] * width for _ in range(height)]
        looks: list[list[Style | None]] = [[None] * width for _ in range(height)]
        cursor = self.column_of(self.state.layer)
        for y in range(height):
            characters[y][cursor], looks[y][cursor] = "│", self._part("chart--cursor")
        interval = self.state.interval
        if self.state.shows_bands and interval is not None:
            for row, style in enumerate(bands):
                for y, x, character in self._band(interval.ends[:, row], scale.low, scale.high):
                    characters[y][x], looks[y][x] = character, style
        for row, style in enumerate(rows):
            for y, x, character in self._line(values[row], scale.low, scale.high, letters[row]):
                if looks[y][x] is bands[row] and not self.app.no_color:
                    # The dots of the line among those of its own band.
                    character = chr(ord(character) | ord(characters[y][x]))
                characters[y][x], looks[y][x] = character, style
        ends, signed = self._ends(values, scale.low, scale.high), self.state.colour_map == DIVERGING
        strips = []
        for y in range(height):
            share = 1 - y / (height - 1)
            value = scale.low + share * (scale.high - scale.low)
            mark = f"{number(value, AXIS_WIDTH - 1, signed=signed)} " if y % 2 == 0 else ""
            segments = [Segment(f"{mark:>{AXIS_WIDTH}}", self._part("chart--axis"))]
            segments += [Segment(c, look) for c, look in zip(characters[y], looks[y], strict=True)]
            if y in ends:
                name = fitted(row_label(self.state.rows[ends[y]]), self.name_width - 2).plain
                segments.append(Segment(f" {name}", rows[ends[y]]))
            strips.append(self._strip(segments))
        strips.append(self._strip(self._layer_numbers()))
        return strips

    def _line(
        self, values: np.ndarray, low: float, high: float, letter: str
    ) -> list[tuple[int, int, str]]:
        """Return the characters of one line: (line, column, character)."""
        width, height = self.plot_size
        known = [(layer, float(v)) for layer, v in enumerate(values) if not math.isnan(v)]
        if not known:
            return []
        if self.app.no_color:
            return [
                (self._height_of(v, low, high) // 4, self.column_of(i), letter) for i, v in known
            ]
        layers = np.array([layer for layer, _ in known])
        columns = 2 * width
        at = np.linspace(0, max(self.state.layers - 1, 1), columns)
        heights = [self._height_of(v, low, high) for v in np.interp(at, layers, values[layers])]
        dots: dict[tuple[int, int], int] = {}
        for x, y in enumerate(heights):
            # A steep step fills the dots between two neighbours.
            before = heights[x - 1] if x else y
            step = range(min(before, y) + (before < y), max(before, y) + (before <= y))
            for inside in {*step, y}:
                place = (inside // 4, x // 2)
                dots[place] = dots.get(place, 0) | _DOTS[inside % 4][x % 2]
        return [(y, x, chr(0x2800 + mask)) for (y, x), mask in dots.items() if y < height]

    def _band(self, ends: np.ndarray, low: float, high: float) -> list[tuple[int, int, str]]:
        """Return the characters of one band, every other dot of it: (line, column, character)."""
        width, _ = self.plot_size
        if np.isnan(ends).any():
            return []
        layers = np.arange(self.state.layers)
        columns = width if self.app.no_color else 2 * width
        at = np.linspace(0, max(self.state.layers - 1, 1), columns)
        lower, upper = (np.interp(at, layers, end) for end in ends)
        dots: dict[tuple[int, int], int] = {}
        for x in range(columns):
            top, bottom = (self._height_of(float(e[x]), low, high) for e in (upper, lower))
            if self.app.no_color:
                dots |= {(y, x): 0 for y in range(top // 4, bottom // 4 + 1)}
                continue
            for y in range(top, bottom + 1):
                if (x + y) % 2 == 0 or y in (top, bottom):
                    place = (y // 4, x // 2)
                    dots[place] = dots.get(place, 0) | _DOTS[y % 4][x % 2]
        return [(y, x, chr(0x2800 + mask) if mask else ":") for (y, x), mask in dots.items()]

    def _height_of(self, value: float, low: float, high: float) -> int:
        """Return the line of dots of a value, 0 on top."""
        dots = 4 * self.plot_size[1]
        share = min(max((value - low) / (high - low), 0.0), 1.0)
        return round((1 - share) * (dots - 1))

    def _ends(self, values: np.ndarray, low: float, high: float) -> dict[int, int]:
        """Return which row's name stands on which line, where its own line ends or near.

        Where there are more rows than lines, the lowest ones have no name.
        """
        height = self.plot_size[1]
        names: dict[int, int] = {}
        for row in np.argsort(-np.nan_to_num(values[:, -1]), kind="stable"):
            value = values[row, -1]
            y = 0 if math.isnan(value) else self._height_of(float(value), low, high) // 4
            while y in names and y < height - 1:
                y += 1
            while y in names and y > 0:
                y -= 1
            names.setdefault(y, int(row))
        return names

    def _layer_numbers(self) -> list[Segment]:
        width, _ = self.plot_size
        line, here = [" "] * (width + 2), self.state.layer
        every = next(n for n in (1, 2, 4, 8, 16, 32, 64) if n * width / self.state.layers >= 4)
        marks = [
            layer for layer in range(0, self.state.layers, every) if abs(layer - here) > every / 2
        ]
        for layer in [*marks, here]:
            x = self.column_of(layer)
            for place, digit in enumerate(str(layer)):
                line[x + place] = digit
        text, start = "".join(line), self.column_of(here)
        end = start + len(str(here))
        axis = self._part("chart--axis")
        return [
            Segment(f"{'Layer':<{AXIS_WIDTH}}", axis),
            Segment(text[:start], axis),
            Segment(text[start:end], self._part("chart--number")),
            Segment(text[end:], axis),
        ]

    def _part(self, name: str) -> Style:
        return part(self, name)

    def _strip(self, segments: list[Segment]) -> Strip:
        strip = Strip(segments).apply_style(self.rich_style)
        return strip.adjust_cell_length(self.size.width, self.rich_style)


def _letters(labels: list[str]) -> list[str]:
    """Return a letter for each line where there are no colours: of its label, if it is free."""
    letters: list[str] = []
    for label in labels:
        wanted = (label + ascii_letters).upper()
        free = (c for c in wanted if c.isalpha() and c.isascii() and c not in letters)
        letters.append(next(free, "?"))
    return letters
