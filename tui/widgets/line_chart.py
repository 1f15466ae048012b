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

from mlxjsd.output.columns import point, point_axis, ticks_by_line
from mlxjsd.tui.colours import Scale
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.styles import Themed, part
from mlxjsd.tui.text import bare, digits_for, fitted, number, row_label
from mlxjsd.tui.widgets.canvas import Line
from mlxjsd.tui.widgets.dots import Place, band_of, dots_of, height_of, stacked
from mlxjsd.tui.widgets.heat_grid import HeatGrid

#: Columns in front of the plot, its numbers, at least.
AXIS_WIDTH = 6
#: Columns behind it, which say which line is which: at least, and at the most.
NAME_WIDTH, MAX_NAME_WIDTH = 7, 18
#: Colours of the lines, by the theme's names; more rows begin anew.
_COLOURS = ("primary", "warning", "success", "error", "secondary", "accent")


class LineChart(Themed, can_focus=True):
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
        .chart--primary-band { color: $text-primary 40%; }
        .chart--warning { color: $text-warning; text-style: bold; }
        .chart--warning-band { color: $text-warning 40%; }
        .chart--success { color: $text-success; text-style: bold; }
        .chart--success-band { color: $text-success 40%; }
        .chart--error { color: $text-error; text-style: bold; }
        .chart--error-band { color: $text-error 40%; }
        .chart--secondary { color: $text-secondary; text-style: bold; }
        .chart--secondary-band { color: $text-secondary 40%; }
        .chart--accent { color: $text-accent; text-style: bold; }
        .chart--accent-band { color: $text-accent 40%; }
        .chart--axis { color: $text-muted; }
        .chart--cursor { color: $foreground 30%; }
        .chart--number { color: $text-accent; text-style: bold; }
    }
    """

    def __init__(self, state: RunState, id: str | None = None) -> None:
        super().__init__(id=id)
        self.state = state
        self._strips: list[Strip] = []
        self._axis_width = AXIS_WIDTH
        # Of what is being drawn; worked out once for all lines.
        self._scale, self._plot = Scale(0.0, 1.0), (4, 2)
        self._values = np.empty((0, 0))

    @property
    def name_width(self) -> int:
        """Columns of the rows' names, a space on both sides; at most a third of all."""
        longest = max(cell_len(name) for name in self._names())
        return max(min(longest + 2, MAX_NAME_WIDTH, self.size.width // 3), NAME_WIDTH)

    @property
    def plot_size(self) -> tuple[int, int]:
        """Columns and lines of the plot itself."""
        width = max(self.size.width - self._axis_width - self.name_width, 4)
        return width, max(self.size.height - 1, 2)

    def column_of(self, layer: int) -> int:
        """Return the column of the plot in which a layer stands."""
        return point(layer, self.state.layers, self.plot_size[0])

    def show_state(self) -> None:
        if self.size:
            self._strips = self._draw()
            self.refresh()

    def show_theme(self) -> None:
        self.show_state()

    def on_resize(self) -> None:
        self.show_state()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the layer, in the row it is in."""
        width, _ = self.plot_size
        share = (event.x - self._axis_width) / max(width - 1, 1)
        if 0 <= share <= 1:
            layer = round(share * (self.state.layers - 1))
            self.post_message(HeatGrid.Picked(self.state.row, layer))

    def render_line(self, y: int) -> Strip:
        if y >= len(self._strips):
            return Strip.blank(self.size.width, self.rich_style)
        return self._strips[y]

    def _draw(self) -> list[Strip]:
        self._scale, self._values = self.state.scale(), self.state.shown()
        numbers = self._numbers()
        width, height = self._plot = self.plot_size
        names = self._names()
        parts = [_COLOURS[row % len(_COLOURS)] for row in range(len(names))]
        looks = [self._part(name) for name in parts]
        axis, blank = self._part("axis"), Style()
        lines = [Line(width, blank) for _ in range(height)]
        cursor = self._part("cursor")
        for line in lines:
            line.put(self.column_of(self.state.layer), "│", cursor)
        self._put_bands(lines, [self._part(f"{name}-band") for name in parts])
        self._put_lines(lines, looks)
        self._put_value(lines, looks[self.state.row])
        ends = self._ends()
        strips = []
        for y in range(height):
            segments = [Segment(f"{numbers.get(y, ''):>{self._axis_width - 1}} ", axis)]
            segments += lines[y].segments()
            if y in ends:
                name = fitted(names[ends[y]], self.name_width - 2).plain
                segments.append(Segment(f" {name}", looks[ends[y]]))
            strips.append(self._strip(segments))
        strips.append(self._strip(self._layer_numbers(axis)))
        return strips

    def _names(self) -> list[str]:
        """Return what the lines are called; without colours, their letters in front."""
        labels = [row_label(key) for key in self.state.rows]
        if not self.app.no_color:
            return labels
        return [f"{letter} {label}" for letter, label in zip(_letters(labels), labels, strict=True)]

    def _numbers(self) -> dict[int, str]:
        """Return the round numbers of the axis by their line; there is room for them now."""
        height, scale = max(self.size.height - 1, 2), self._scale
        self._axis_width = AXIS_WIDTH
        if not np.isfinite(self._values).any():
            return {}
        last = height - 1
        found = ticks_by_line(scale.low, scale.high, last, self.state.described.signed)
        numbers = {
            last - at: said if len(said) < AXIS_WIDTH else bare(said) for at, said in found.items()
        }
        self._axis_width = max([AXIS_WIDTH, *(len(said) + 1 for said in numbers.values())])
        return numbers

    def _put_lines(self, lines: list[Line], looks: list[Style]) -> None:
        """Draw the lines; where they cross, the dots of both stay."""
        values, drawn = self._values, dict[Place, int]()
        letters = _letters([row_label(key) for key in self.state.rows])
        here = self.state.row
        # The cursor's row comes last, and has its colour where lines cross.
        for row in (*(r for r in range(len(values)) if r != here), here):
            known = [(i, float(v)) for i, v in enumerate(values[row]) if not math.isnan(v)]
            if self.app.no_color:
                for layer, value in known:
                    y, x = self._height(value) // 4, self.column_of(layer)
                    # Beside another line's letter, where there is room.
                    x += (y, x) in drawn and (y, x + 1) not in drawn
                    drawn[y, x] = row
                    lines[y].put(x, letters[row], looks[row])
                continue
            heights = [(layer, self._height(value)) for layer, value in known]
            for (y, x), mask in dots_of(heights, self.state.layers, self.plot_size[0]).items():
                drawn[y, x] = drawn.get((y, x), 0) | mask
                lines[y].put(x, chr(0x2800 + drawn[y, x]), looks[row])

    def _put_bands(self, lines: list[Line], looks: list[Style]) -> None:
        """Draw the intervals, every other dot of them, under the lines."""
        interval = self.state.interval
        if not self.state.shows_bands or interval is None:
            return
        drawn = dict[Place, int]()
        for row, look in enumerate(looks):
            ends = interval.ends[:, row]
            if np.isnan(ends).any():
                continue
            lower, upper = ([self._height(float(v)) for v in end] for end in ends)
            for (y, x), mask in band_of(lower, upper, self.plot_size[0]).items():
                drawn[y, x] = drawn.get((y, x), 0) | mask
                lines[y].put(x, ":" if self.app.no_color else chr(0x2800 + drawn[y, x]), look)

    def _put_value(self, lines: list[Line], look: Style) -> None:
        """Write the number at the cursor beside its place."""
        value = self.state.value
        if math.isnan(value):
            return
        width, height = self.plot_size
        y, x = self._height(value) // 4, self.column_of(self.state.layer)
        signed = self.state.described.signed
        said = number(value, 8, digits_for(self._scale.high) + 1, signed)
        if not self.app.no_color:
            lines[y].put(x, "●", look)
        start = x + 2 if x + 2 + len(said) <= width else x - 1 - len(said)
        lines[y - 1 if y else min(1, height - 1)].put(max(start, 0), said, look)

    def _height(self, value: float) -> int:
        """Return the line of dots of a value, 0 on top."""
        return height_of(value, self._scale.low, self._scale.high, 4 * self._plot[1])

    def _ends(self) -> dict[int, int]:
        """Return which row's name stands on which line, in the order in which the lines end.

        Where there are more rows than lines, those around the cursor's row have names.
        """
        lasts = []
        for row, values in enumerate(self._values):
            known = values[np.isfinite(values)]
            lasts.append((float(known[-1]) if known.size else -math.inf, row))
        order = [row for _, row in sorted(lasts, key=lambda last: -last[0])]
        height = self.plot_size[1]
        first = min(max(order.index(self.state.row) - height // 2, 0), max(len(order) - height, 0))
        kept = order[first : first + height]
        last = {row: value for value, row in lasts}
        wanted = [
            height - 1 if math.isinf(last[row]) else self._height(last[row]) // 4 for row in kept
        ]
        return dict(zip(stacked(wanted, height), kept, strict=True))

    def _layer_numbers(self, axis: Style) -> list[Segment]:
        width, here = self.plot_size[0], self.state.layer
        line, bright = Line(width, axis), self._part("number")
        for mark in point_axis(self.state.layers, width, here):
            line.put(mark.start, mark.text, bright if mark.layer == here else axis)
        return [Segment(f"{'Layer':<{self._axis_width}}", axis), *line.segments()]

    def _part(self, name: str) -> Style:
        return part(self, f"chart--{name}")

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
