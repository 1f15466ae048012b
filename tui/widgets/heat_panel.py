"""The heatmap, as a grid or as lines, its colour scale, and the cursor's keys."""

from typing import ClassVar

import numpy as np
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from mlxjsd.tui.map_sheet import MapSheet
from mlxjsd.tui.run_data import ALL, GROUP_NAMES
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.styles import Themed, colours_of
from mlxjsd.tui.text import clean, digits_for
from mlxjsd.tui.widgets.colour_scale import ColourScale
from mlxjsd.tui.widgets.heat_grid import HeatGrid
from mlxjsd.tui.widgets.line_chart import LineChart

#: Lines of a panel that hold no cells: its frame, and the numbers of the layers.
FRAME = 3
#: Columns below which there is no scale beside the cells.
_ROOMY = 30
#: Lines of a cell, by the lowest height of the terminal.
_CELL_HEIGHTS = {50: 5, 30: 3, 0: 2}


class HeatPanel(Horizontal, Themed):
    """What the run screen is about."""

    KEYS_OF = "The heatmap"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(0,-1)", "Layer before", id="cursor.left", show=False,
                tooltip="Move the cursor to the layer before"),
        Binding("right,l", "move(0,1)", "Layer after", id="cursor.right", show=False,
                tooltip="Move the cursor to the layer after"),
        Binding("up,k", "move(-1,0)", "Row above", id="cursor.up", show=False,
                tooltip="Move the cursor to the row above, on a map to the token above"),
        Binding("down,j", "move(1,0)", "Row below", id="cursor.down", show=False,
                tooltip="Move the cursor to the row below, on a map to the token below"),
        Binding("home", "move(0,-10000)", "First layer", id="cursor.first", show=False,
                tooltip="Move the cursor to the first layer"),
        Binding("end", "move(0,10000)", "Last layer", id="cursor.last", show=False,
                tooltip="Move the cursor to the last layer"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    HeatPanel {
        border: round $primary 60%;
        border-title-color: $text-primary;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        &:focus-within { border: round $accent; }
        &.-lines HeatGrid, &.-lines ColourScale, &.-narrow ColourScale { display: none; }
        LineChart { display: none; }
        &.-lines LineChart { display: block; }
    }
    """

    class CursorMoved(Message):
        """The cursor is on another cell."""

    def __init__(self, state: RunState) -> None:
        super().__init__(id="heat")
        self.state = state
        self.grid = HeatGrid(state, id="grid")
        self.scale = ColourScale(state, id="scale")
        self.chart = LineChart(state, id="chart")
        self._titles = ("", "")

    def compose(self) -> ComposeResult:
        yield self.grid
        yield self.scale
        yield self.chart

    def show_theme(self) -> None:
        self.show_state()

    def on_resize(self, event: events.Resize) -> None:
        """Where there is hardly room for the cells, the scale gives way."""
        self.set_class(event.size.width < _ROOMY, "-narrow")

    def show_state(self) -> None:
        state = self.state
        state.dark = self.app.current_theme.dark
        self.fit(self.app.size.height)
        self.set_class(state.draws_lines, "-lines")
        if state.draws_lines:
            self.chart.show_state()
        else:
            self.grid.state = self.scale.state = state.sheet
            self.grid.show_state()
            self.scale.show_state()
        title = self._title()
        colours = f"{state.colour_map} · " if colours_of(self) else ""
        subtitle = f"{colours}scale {state.scale_name}{self._ends()}"
        if state.shows_bands:
            subtitle += " · bands: 95 % of the mean"
        if (title, subtitle) != self._titles:  # a title repaints the whole frame
            self._titles = title, subtitle
            self.border_title, self.border_subtitle = Text(title), subtitle

    def _title(self) -> str:
        """Say what is shown: of what, and of which prompts."""
        state, sheet = self.state, self.state.sheet
        of_map = f"{sheet.title} · " if isinstance(sheet, MapSheet) else ""
        if state.sentence or state.selected is not None:
            text = state.sentence if state.selected is None else state.selected.text
            return f"One prompt · {of_map}{clean(text)[:120]}"
        what = f"{of_map}{clean(state.described.label)} by role" if of_map else (
            f"Average {clean(state.described.label)}"
        )  # fmt: skip
        title = f"{what} · {sheet.heatmap.count} prompts"
        return title if state.group == ALL else f"{title} · {GROUP_NAMES[state.group]}"

    def _ends(self) -> str:
        """Say from where to where the scale goes; nothing before there is a number."""
        if not np.isfinite(self.state.sheet.shown()).any():
            return ""
        scale = self.state.sheet.scale()
        digits = digits_for(scale.high) + 1
        low = f"{scale.low:.{digits}f}" if scale.low else "0"
        return f", {low} to {scale.high:.{digits}f}"

    def fit(self, lines: int) -> None:
        """Take the height that the rows need, of a terminal of ``lines`` lines."""
        rows, room = len(self.state.sheet.rows), lines // 2 - FRAME
        wanted = next(height for least, height in _CELL_HEIGHTS.items() if lines >= least)
        cell = min(max(room // rows, 1), wanted)
        self.styles.height = min(rows * cell, max(room, 1)) + FRAME

    def take_focus(self) -> None:
        """Focus whichever view is shown."""
        (self.chart if self.state.draws_lines else self.grid).focus()

    def action_move(self, rows: int, layers: int) -> None:
        sheet = self.state.sheet
        if sheet.go_to(sheet.row + rows, sheet.layer + layers):
            self.post_message(self.CursorMoved())

    def on_heat_grid_picked(self, event: HeatGrid.Picked) -> None:
        event.stop()
        if self.state.sheet.go_to(event.row, event.layer):
            self.post_message(self.CursorMoved())
