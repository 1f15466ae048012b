"""The heatmap as a grid of coloured cells, drawn line by line.

Only cells whose colour or text changed are repainted, and styles are made once for each
colour: a batch costs a few cells, however large the terminal is.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mlxjsd.output.columns import Columns, axis
from mlxjsd.tui.colours import DIVERGING, Scale, foregrounds, halves, shade, signed_shade, styles
from mlxjsd.tui.compare_state import Sheet
from mlxjsd.tui.styles import colours_of, part
from mlxjsd.tui.text import amount, digits_for, fitted, hundredths, number
from mlxjsd.tui.widgets.canvas import Line
from mlxjsd.tui.widgets.cell_cursor import CellCursor

#: Columns of the row labels, with the space behind them: at least, and at the most.
LABEL_WIDTH, MAX_LABEL_WIDTH = 6, 17
MAX_CELL_HEIGHT = 5
#: Cells of which it is cheaper to paint all of them.
_MANY = 100

Cell = tuple[int, str]
"""What a cell looks like: level (-1 for no value) and text."""


class HeatGrid(Widget, can_focus=True):
    """Rows by layer, with a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--label", "grid--marked", "grid--at-cursor", "grid--empty",
    }  # fmt: skip
    DEFAULT_CSS = """
    HeatGrid {
        width: 1fr;
        height: 1fr;
        .grid--label { color: $text-muted; }
        .grid--marked { color: $text-warning; }
        .grid--at-cursor { color: $text-accent; text-style: bold; }
        .grid--empty { color: $text-disabled; }
    }
    """

    class Picked(Message):
        """A cell was clicked."""

        def __init__(self, row: int, layer: int) -> None:
            super().__init__()
            self.row, self.layer = row, layer

    def __init__(self, state: Sheet, id: str | None = None) -> None:
        super().__init__(id=id)
        self.state = state
        self._cells: list[list[Cell]] = []
        self._scale = Scale(0.0, 1.0)
        self._columns = Columns(1, 1)
        self._drawn: tuple[object, ...] = ()
        self._cursor = CellCursor(Region(), "")

    # Geometry.

    @property
    def columns(self) -> Columns:
        """Where the layers stand, right of the labels; a deep model scrolls under the cursor."""
        width = max(self.size.width - self.label_width, 1)
        wanted = (max(self.state.layers, 1), width, not self._plain, self.state.layer)
        found = self._columns
        if wanted != (found.layers, found.width, found.halves, found.at):
            self._columns = Columns(*wanted)
        return self._columns

    @property
    def cell_width(self) -> int:
        """Columns of the narrowest cell."""
        return self.columns.narrowest

    @property
    def cell_height(self) -> int:
        """Lines of the lowest cell."""
        fitting = (self.size.height - 1) // len(self.state.rows)
        return min(max(fitting, 1), MAX_CELL_HEIGHT)

    @property
    def label_width(self) -> int:
        """Columns of the row labels, at most a quarter of all: longer ones are cut."""
        longest = max(map(cell_len, self.state.labels))
        return max(min(longest + 1, MAX_LABEL_WIDTH, self.size.width // 4), LABEL_WIDTH)

    @property
    def shown_rows(self) -> range:
        """The rows shown: where they are too many, they scroll under the cursor as well."""
        rows = len(self.state.rows)
        fitting = min(max((self.size.height - 1) // self.cell_height, 1), rows)
        first = min(max(self.state.row - fitting // 2, 0), rows - fitting)
        return range(first, first + fitting)

    @property
    def row_edges(self) -> list[int]:
        """The first line of each shown row, and the line of layer numbers under the last."""
        count = len(self.shown_rows)
        height = min(max(self.size.height - 1, count), MAX_CELL_HEIGHT * count)
        return [(2 * place * height + count) // (2 * count) for place in range(count + 1)]

    def region_of(self, row: int, layer: int) -> Region:
        """Return where a cell is drawn; nothing, if it is not."""
        if row not in self.shown_rows or layer not in self.columns.shown:
            return Region()
        start, end = self.columns.span(layer)
        top, below = self.row_edges[row - self.shown_rows.start :][:2]
        return Region(self.label_width + start, top, end - start, below - top)

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """Return the cell at a place in this widget, or None."""
        column = x - self.label_width
        row = bisect_right(self.row_edges, y) - 1 + self.shown_rows.start
        inside = 0 <= column < self.columns.width and row in self.shown_rows
        return (row, self.columns.layer_at(column)) if inside else None

    @property
    def _plain(self) -> bool:
        """Whether there are no colours, so that shades have to do."""
        return colours_of(self) == 0

    @property
    def _signed(self) -> bool:
        return self.state.colour_map == DIVERGING

    # Content.

    def show_state(self) -> None:
        """Repaint what differs from what is drawn."""
        state, columns = self.state, self.columns
        values, self._scale = state.shown(), state.scale()
        level = self._scale.level
        cells = [
            [(level(v), text) for v, text in zip(row, texts, strict=True)]
            for row, texts in zip(values.tolist(), self._texts(values), strict=True)
        ]
        before, self._cursor = self._cursor, self._cursor_now(values)
        drawn = (
            state.colour_map, columns.first, self.shown_rows, state.layers, state.rows, self.size,
            colours_of(self), state.labels, state.marked,
        )  # fmt: skip
        if drawn != self._drawn or not self._cells:
            self._cells, self._drawn = cells, drawn
            self.refresh()
            return
        others = [
            (row, layer)
            for row, line in enumerate(cells)
            if line != self._cells[row]
            for layer, cell in enumerate(line)
            if cell != self._cells[row][layer]
        ]
        if len(others) > _MANY:
            self._cells = cells
            self.refresh()
            return
        changed = [self.region_of(*place) for place in others]
        if self._cursor != before:
            changed += [before.region, self._cursor.region]
        if self._cursor.place != before.place:
            height = self.row_edges[-1]
            labels = Region(0, 0, self.label_width, height)
            changed += [labels, Region(0, height, self.size.width, 1)]
        self._cells = cells
        if changed := [region for region in changed if region]:
            self.refresh(*changed)

    def _cursor_now(self, values: np.ndarray) -> CellCursor:
        """Return the cursor with its number, wherever both are drawn."""
        value = float(values[self.state.row, self.state.layer])
        said = "" if math.isnan(value) else number(
            value, 8, digits_for(self._scale.high), self._signed
        )  # fmt: skip
        place = self.state.row, self.state.layer
        plot = Region(self.label_width, 0, self.columns.width, self.size.height)
        return CellCursor.around(self.region_of(*place), said, plot, place)

    def _texts(self, values: np.ndarray) -> list[list[str]]:
        """Return what is written in each cell, where it is wide enough."""
        say: Callable[[float], str]
        width, digits = self.cell_width, digits_for(self._scale.high)
        absent = "·" if self._is_empty() else ""
        if width >= 4:
            signed = self._signed
            # Narrower cells have no room for a sign and two digits.
            room = max(width - 1, 4) if signed else width - 1
            say = partial(number, columns=room, digits=digits, signed=signed)
        elif self._plain and width > 1 and self._scale.high < 1 and not self._signed:
            # Without colours the number has to be in the cell, in hundredths.
            say = hundredths
        else:
            return [[absent if v else "" for v in row] for row in np.isnan(values).tolist()]
        return [[absent if math.isnan(v) else say(v) for v in row] for row in values.tolist()]

    def render_line(self, y: int) -> Strip:
        """Return one line of the grid, or the line of layer numbers under it."""
        edges, rows = self.row_edges, self.shown_rows
        if not self._cells or y > edges[-1]:
            return Strip.blank(self.size.width, self.rich_style)
        if y == edges[-1]:
            segments = self._axis()
        else:
            place = bisect_right(edges, y) - 1
            segments = self._row(rows[place], y - edges[place], edges[place + 1] - edges[place])
        strip = Strip(segments).apply_style(self.rich_style)
        return strip.adjust_cell_length(self.size.width, self.rich_style)

    def _row(self, row: int, inside: int, height: int) -> list[Segment]:
        """Return one line of a row that is so many lines high."""
        empty, columns = self._part("empty"), self.columns
        line = Line(columns.width, empty)
        if columns.parts == 2:
            self._halves(line, row, inside == (height - 1) // 2, empty)
        elif self._plain:
            for layer in columns.shown:
                self._shaded(line, row, layer, inside, height, columns, empty)
        else:
            palette = styles(self.state.colour_map, colours_of(self))
            text_line = inside == (height - 1) // 2
            for layer in columns.shown:
                start, end = columns.span(layer)
                level, text = self._cells[row][layer]
                shown = text_line and (height > 1 or end - start >= 4 or level < 0)
                content = text.center(end - start) if shown else " " * (end - start)
                line.put(start, content, palette[level] if level >= 0 else empty)
        if row == self.state.row:
            self._draw_cursor(line, inside)
        return [*self._label(row, inside, height), *line.segments()]

    def _label(self, row: int, inside: int, height: int) -> list[Segment]:
        look = self._part("marked" if row in self.state.marked else "label")
        if row == self.state.row:
            look = self._part("at-cursor")
        label = self.state.labels[row] if inside == (height - 1) // 2 else ""
        rows, more = self.shown_rows, " "
        if row == rows.start and rows.start and inside == 0:
            more = "▴"
        elif row == rows.stop - 1 < len(self.state.rows) - 1 and inside == height - 1:
            more = "▾"
        text = fitted(label, self.label_width - 1).plain
        return [Segment(text, look), Segment(more, self._part("at-cursor"))]

    def _shaded(
        self,
        line: Line,
        row: int,
        layer: int,
        inside: int,
        height: int,
        columns: Columns,
        empty: Style,
    ) -> None:
        """Draw a cell's part of one line without colours."""
        start, end = columns.span(layer)
        width, (level, text) = end - start, self._cells[row][layer]
        style, content = empty, " " * width
        if level >= 0:
            style = Style()
            content = signed_shade(level, width) if self._signed else shade(level) * width
        # In a narrow cell, the shade above and the number below it.
        text_line = height - 1 if width < 4 and height > 1 else (height - 1) // 2
        if inside == text_line and text and (height > 1 or width >= 4 or level < 0):
            # Neighbouring numbers touch: weight tells them apart.
            content, style = text.center(width), Style(bold=layer % 2 == 0)
        line.put(start, content, style)

    def _halves(self, line: Line, row: int, middle: bool, empty: Style) -> None:
        """Draw a line of a row in which two layers share each column."""
        columns, cells = self.columns, self._cells[row]
        parts = columns.parts_of
        colour_map, colours = self.state.colour_map, colours_of(self)
        fronts = foregrounds(colour_map, colours)
        dots = "·" if middle and self._is_empty() else " "
        for column in range(columns.width):
            left, right = cells[parts[2 * column]][0], cells[parts[2 * column + 1]][0]
            if left < 0 and right < 0:
                line.put(column, dots, empty)
            elif left < 0 or right < 0:
                known = Style(color=fronts[max(left, right)])
                line.put(column, "▐" if left < 0 else "▌", known)
            else:
                line.put(column, "▌", halves(colour_map, left, right, colours))

    def _draw_cursor(self, line: Line, inside: int) -> None:
        """Draw the cursor's frame and its number over the cells."""
        level, _ = self._cells[self.state.row][self.state.layer]
        if self._plain:
            style = Style(bold=True)
        elif level < 0:
            style = self._part("at-cursor")
        else:
            style = styles(self.state.colour_map, colours_of(self))[level] + Style(bold=True)
        for x, text in self._cursor.drawn(inside):
            # Among shades a number is found by being turned round.
            turned = self._plain and any(c.isdigit() for c in text)
            line.put(
                x - self.label_width, text, Style(bold=True, reverse=True) if turned else style
            )

    def _axis(self) -> list[Segment]:
        plain = self._part("label")
        columns = self.columns
        line = Line(columns.width, plain)
        for mark in axis(columns, self.state.layer):
            bright = mark.layer is None or mark.layer == self.state.layer
            line.put(mark.start, mark.text, self._part("at-cursor") if bright else plain)
        return [Segment(f"{'Layer':<{self.label_width}}", plain), *line.segments()]

    def _part(self, name: str) -> Style:
        return part(self, f"grid--{name}")

    # Mouse.

    def on_resize(self) -> None:
        self.show_state()

    def on_click(self, event: events.Click) -> None:
        if cell := self.cell_at(event.x, event.y):
            self.post_message(self.Picked(*cell))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        cell = self.cell_at(event.x, event.y)
        self.tooltip = None if cell is None else self.describe(*cell)

    def describe(self, row: int, layer: int) -> str:
        """Return a cell's value in words."""
        value = float(self.state.shown()[row, layer])
        nothing = "not measured yet" if self._is_empty() else "does not apply"
        said = nothing if math.isnan(value) else amount(value, self.state.described)
        return f"{self.state.labels[row]} layer {layer}: {said}"

    def _is_empty(self) -> bool:
        """Whether there is no number yet; a gap among numbers is an edit that does not apply."""
        return bool(np.isnan(self.state.shown()).all())
