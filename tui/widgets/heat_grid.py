"""The heatmap as a grid of coloured cells, drawn line by line.

Only cells whose colour or text changed are repainted, and styles are made once for each
colour: a batch costs a few cells, however large the terminal is.
"""

import math
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
from mlxjsd.tui.text import amount, digits_for, fitted, number, row_label
from mlxjsd.tui.widgets.canvas import Line
from mlxjsd.tui.widgets.cell_cursor import CellCursor

#: Columns of the row labels, with the space behind them: at least, and at the most.
LABEL_WIDTH, MAX_LABEL_WIDTH = 6, 17
MAX_CELL_HEIGHT = 5

Cell = tuple[int, str]
"""What a cell looks like: level (-1 for no value) and text."""


class HeatGrid(Widget, can_focus=True):
    """Rows by layer, with a cursor."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"grid--label", "grid--at-cursor", "grid--empty"}
    DEFAULT_CSS = """
    HeatGrid {
        width: 1fr;
        height: 1fr;
        .grid--label { color: $text-muted; }
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
        """Lines of a cell."""
        fitting = (self.size.height - 1) // len(self.state.rows)
        return min(max(fitting, 1), MAX_CELL_HEIGHT)

    @property
    def label_width(self) -> int:
        """Columns of the row labels, at most a quarter of all: longer ones are cut."""
        longest = max(cell_len(row_label(key)) for key in self.state.rows)
        return max(min(longest + 1, MAX_LABEL_WIDTH, self.size.width // 4), LABEL_WIDTH)

    @property
    def shown_rows(self) -> range:
        """The rows shown: where they are too many, they scroll under the cursor as well."""
        rows = len(self.state.rows)
        fitting = min(max((self.size.height - 1) // self.cell_height, 1), rows)
        first = min(max(self.state.row - fitting // 2, 0), rows - fitting)
        return range(first, first + fitting)

    def region_of(self, row: int, layer: int) -> Region:
        """Return where a cell is drawn; nothing, if it is not."""
        if row not in self.shown_rows or layer not in self.columns.shown:
            return Region()
        start, end = self.columns.span(layer)
        y = (row - self.shown_rows.start) * self.cell_height
        return Region(self.label_width + start, y, end - start, self.cell_height)

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """Return the cell at a place in this widget, or None."""
        column = x - self.label_width
        row = y // self.cell_height + self.shown_rows.start
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
        cells = [[(self._scale.level(v), self._text(v)) for v in row] for row in values]
        before, self._cursor = self._cursor, self._cursor_now(values)
        drawn = (
            state.colour_map, columns.first, self.shown_rows, state.layers, state.rows, self.size,
            colours_of(self),
        )  # fmt: skip
        if drawn != self._drawn or not self._cells:
            self._cells, self._drawn = cells, drawn
            self.refresh()
            return
        changed = [
            self.region_of(row, layer)
            for row, line in enumerate(cells)
            for layer, cell in enumerate(line)
            if cell != self._cells[row][layer]
        ]
        if self._cursor != before:
            changed += [before.region, self._cursor.region]
        if self._cursor.place != before.place:
            height = len(self.shown_rows) * self.cell_height
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

    def _text(self, value: float) -> str:
        width, digits = self.cell_width, digits_for(self._scale.high)
        if math.isnan(value):
            return "·" if self._is_empty() else ""
        if self._signed:
            # Narrower cells have no room for a sign and two digits.
            return number(value, max(width - 1, 4), digits, signed=True) if width >= 4 else ""
        if width >= 4:
            return number(value, width - 1, digits)
        if self._plain and width > 1 and self._scale.high < 1:
            # Without colours the number has to be in the cell, in hundredths.
            return f"{min(round(value * 100), 99):02d}"
        return ""

    def render_line(self, y: int) -> Strip:
        """Return one line of the grid, or the line of layer numbers under it."""
        place, inside = divmod(y, self.cell_height)
        rows = self.shown_rows
        if not self._cells or place > len(rows) or (place == len(rows) and inside):
            return Strip.blank(self.size.width, self.rich_style)
        segments = self._axis() if place == len(rows) else self._row(rows[place], inside)
        strip = Strip(segments).apply_style(self.rich_style)
        return strip.adjust_cell_length(self.size.width, self.rich_style)

    def _row(self, row: int, inside: int) -> list[Segment]:
        empty = self._part("empty")
        line = Line(self.columns.width, empty)
        if self.columns.parts == 2:
            self._halves(line, row, inside, empty)
        else:
            for layer in self.columns.shown:
                self._cell(line, row, layer, inside, empty)
        if row == self.state.row:
            self._draw_cursor(line, inside)
        return [*self._label(row, inside), *line.segments()]

    def _label(self, row: int, inside: int) -> list[Segment]:
        look = self._part("at-cursor" if row == self.state.row else "label")
        middle = (self.cell_height - 1) // 2
        label = row_label(self.state.rows[row]) if inside == middle else ""
        rows, more = self.shown_rows, " "
        if row == rows.start and rows.start and inside == 0:
            more = "▴"
        elif row == rows.stop - 1 < len(self.state.rows) - 1 and inside == self.cell_height - 1:
            more = "▾"
        text = fitted(label, self.label_width - 1).plain
        return [Segment(text, look), Segment(more, self._part("at-cursor"))]

    def _cell(self, line: Line, row: int, layer: int, inside: int, empty: Style) -> None:
        """Draw a cell's part of one line, where each layer has columns of its own."""
        height = self.cell_height
        start, end = self.columns.span(layer)
        width, (level, text) = end - start, self._cells[row][layer]
        style = styles(self.state.colour_map, colours_of(self))[level]
        content = " " * width
        if level < 0:
            style = empty
        elif self._plain:
            style = Style()
            content = signed_shade(level, width) if self._signed else shade(level) * width
        text_line = (height - 1) // 2
        if self._plain and width < 4 and height > 1:
            text_line = height - 1  # the shade above, the number below it
        if inside == text_line and text and (height > 1 or width >= 4 or level < 0):
            content = text.center(width)
            if self._plain:
                # Neighbouring numbers touch: weight tells them apart.
                style = Style(bold=layer % 2 == 0)
        line.put(start, content, style)

    def _halves(self, line: Line, row: int, inside: int, empty: Style) -> None:
        """Draw a line of a row in which two layers share each column."""
        parts, cells = self.columns.parts_of, self._cells[row]
        colour_map, colours = self.state.colour_map, colours_of(self)
        fronts = foregrounds(colour_map, colours)
        dots = "·" if self._is_empty() and inside == (self.cell_height - 1) // 2 else " "
        for column in range(self.columns.width):
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
        line = Line(self.columns.width, plain)
        for mark in axis(self.columns, self.state.layer):
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
        return f"{row_label(self.state.rows[row])} layer {layer}: {said}"

    def _is_empty(self) -> bool:
        """Whether there is no number yet; a gap among numbers is an edit that does not apply."""
        return bool(np.isnan(self.state.shown()).all())
