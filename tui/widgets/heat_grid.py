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

from mlxjsd.tui.colours import DIVERGING, Scale, shade, signed_shade, styles
from mlxjsd.tui.compare_state import Sheet
from mlxjsd.tui.styles import part
from mlxjsd.tui.text import amount, fitted, number, row_label

#: Columns of the row labels, with the space behind them: at least, and at the most.
LABEL_WIDTH, MAX_LABEL_WIDTH = 6, 14
MAX_CELL_WIDTH, MAX_CELL_HEIGHT = 7, 5

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
        self._drawn: tuple[object, ...] = ()
        self._cursor = (0, 0)

    # Geometry.

    @property
    def cell_width(self) -> int:
        """Columns of a cell."""
        fitting = (self.size.width - LABEL_WIDTH) // max(self.state.layers, 1)
        return min(max(fitting, 1), MAX_CELL_WIDTH)

    @property
    def cell_height(self) -> int:
        """Lines of a cell."""
        fitting = (self.size.height - 1) // len(self.state.rows)
        return min(max(fitting, 1), MAX_CELL_HEIGHT)

    @property
    def label_width(self) -> int:
        """Columns of the row labels: cells go first, and long labels are cut."""
        longest = max(cell_len(row_label(key)) for key in self.state.rows)
        left = self.size.width - self.cell_width * self.state.layers
        return max(min(longest + 1, left, MAX_LABEL_WIDTH), LABEL_WIDTH)

    @property
    def first_layer(self) -> int:
        """The leftmost layer shown: a deep model scrolls under the cursor."""
        fitting = (self.size.width - self.label_width) // self.cell_width
        return _first(self.state.layer, self.state.layers, fitting)

    @property
    def shown_rows(self) -> range:
        """The rows shown: where they are too many, they scroll under the cursor as well."""
        rows = len(self.state.rows)
        fitting = max((self.size.height - 1) // self.cell_height, 1)
        first = _first(self.state.row, rows, fitting)
        return range(first, min(first + fitting, rows))

    def region_of(self, row: int, layer: int) -> Region:
        """Return where a cell is drawn."""
        width, height = self.cell_width, self.cell_height
        x = self.label_width + (layer - self.first_layer) * width
        return Region(x, (row - self.shown_rows.start) * height, width, height)

    def cell_at(self, x: int, y: int) -> tuple[int, int] | None:
        """Return the cell at a place in this widget, or None."""
        layer = (x - self.label_width) // self.cell_width + self.first_layer
        row = y // self.cell_height + self.shown_rows.start
        inside = x >= self.label_width and layer < self.state.layers and row in self.shown_rows
        return (row, layer) if inside else None

    # Content.

    def show_state(self) -> None:
        """Repaint what differs from what is drawn."""
        state = self.state
        values, self._scale = state.shown(), state.scale()
        width = self.cell_width
        cells = [[(self._scale.level(v), self._text(v, width)) for v in row] for row in values]
        cursor = (state.row, state.layer)
        drawn = (
            state.colour_map, self.first_layer, self.shown_rows, state.layers, state.rows, self.size
        )  # fmt: skip
        if drawn != self._drawn or not self._cells:
            self._cells, self._drawn, self._cursor = cells, drawn, cursor
            self.refresh()
            return
        changed = [
            self.region_of(row, layer)
            for row, line in enumerate(cells)
            for layer, cell in enumerate(line)
            if cell != self._cells[row][layer]
        ]
        if cursor != self._cursor:
            changed += [self.region_of(*self._cursor), self.region_of(*cursor)]
            height = len(self.shown_rows) * self.cell_height
            labels = Region(0, 0, self.label_width, height)
            axis = Region(0, height, self.size.width, 1)
            changed += [labels, axis]
        self._cells, self._cursor = cells, cursor
        if changed:
            self.refresh(*changed)

    def _text(self, value: float, width: int) -> str:
        if math.isnan(value):
            return "·" if self._is_empty() else ""
        if self.state.colour_map == DIVERGING:
            # Narrower cells have no room for a sign and two digits.
            return number(value, max(width - 1, 4), signed=True) if width >= 4 else ""
        if width >= 4:
            return number(value, width - 1)
        if self.app.no_color and width > 1 and self._scale.high < 1:
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
        middle = (self.cell_height - 1) // 2
        look = "grid--at-cursor" if row == self.state.row else "grid--label"
        label = row_label(self.state.rows[row]) if inside == middle else ""
        written = fitted(label, self.label_width - 1).plain
        segments = [Segment(f"{written} ", part(self, look))]
        palette = styles(self.state.colour_map)
        empty = part(self, "grid--empty")
        for layer in range(self.first_layer, self.state.layers):
            level, text = self._cells[row][layer]
            style = palette[level] if level >= 0 else empty
            at_cursor = (row, layer) == (self.state.row, self.state.layer)
            segments.append(self._cell(level, text, style, inside, at_cursor, layer))
        return segments

    def _cell(
        self, level: int, text: str, style: Style, inside: int, at_cursor: bool, layer: int
    ) -> Segment:
        width, height = self.cell_width, self.cell_height
        fill = " " * width
        if self.app.no_color and level >= 0:
            signed = self.state.colour_map == DIVERGING
            fill = signed_shade(level, width) if signed else shade(level) * width
        text_line = (height - 1) // 2
        if self.app.no_color and width < 4 and height > 1:
            text_line = height - 1  # the shade above, the number below it
        content = fill
        if inside == text_line and text and (height > 1 or width >= 4 or level < 0):
            content = text.center(width)
            if self.app.no_color:
                # Neighbouring numbers touch: weight tells them apart.
                style = Style(bold=layer % 2 == 0)
        if at_cursor:
            content, style = _framed(content, inside, height), style + Style(bold=True)
        return Segment(content, style)

    def _axis(self) -> list[Segment]:
        width = self.cell_width
        every = 1 if width > 2 else 2 if width == 2 else 4
        plain = part(self, "grid--label")
        bright = part(self, "grid--at-cursor")
        at, segments = self.state.layer, [Segment(f"{'Layer':<{self.label_width}}", plain)]
        line = []
        for layer in range(self.first_layer, self.state.layers):
            if layer == at:
                line.append((layer, bright))
            # The cursor's number needs its own place and, being wider than a narrow cell, the next.
            elif layer % every == 0 and (every == 1 or not -every < layer - at < every):
                line.append((layer, plain))
        place = 0
        for layer, style in line:
            start = (layer - self.first_layer) * width
            label = str(layer).center(width)
            if layer == at:  # at the right edge there may be too little room for it
                start = min(start, self.size.width - self.label_width - len(label))
            if start < place:
                continue
            segments += [Segment(" " * (start - place), plain), Segment(label, style)]
            place = start + len(label)
        return segments

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


def _first(at: int, count: int, fitting: int) -> int:
    """Return the first of ``count`` things that is shown, so that ``at`` is in the middle."""
    return min(max(at - fitting // 2, 0), max(count - fitting, 0))


def _framed(content: str, inside: int, height: int) -> str:
    """Draw the cursor's part of one line of a cell around its content."""
    width = len(content)
    if width == 1:
        return "◆"
    if height < 3:
        return f"▌{content[1:-1]}▐"
    if inside == 0:
        return f"┏{'━' * (width - 2)}┓"
    if inside == height - 1:
        return f"┗{'━' * (width - 2)}┛"
    return f"┃{content[1:-1]}┃"
