"""Two heatmaps, one above the other, and their difference."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from mlxjsd.tui.compare_state import CompareState
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.compared_grid import ComparedGrid
from mlxjsd.tui.widgets.heat_grid import HeatGrid
from mlxjsd.tui.widgets.key_bar import KeyBar


class CompareScreen(Screen[None]):
    """A, B, and A minus B on a scale around 0, with one cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,d", "dismiss", "Back", id="compare.back", key_display="esc",
                tooltip="Back to the run"),
        Binding("c", "next_colours", "Colours", id="compare.colours",
                tooltip="Take the next colour map"),
        Binding("left,h", "move(0,-1)", "Layer before", id="compare.left", show=False,
                tooltip="Move the cursor to the layer before"),
        Binding("right,l", "move(0,1)", "Layer after", id="compare.right", show=False,
                tooltip="Move the cursor to the layer after"),
        Binding("up,k", "move(-1,0)", "Row above", id="compare.up", show=False,
                tooltip="Move the cursor to the row above"),
        Binding("down,j", "move(1,0)", "Row below", id="compare.down", show=False,
                tooltip="Move the cursor to the row below"),
        Binding("home", "move(0,-10000)", "First layer", id="compare.first", show=False,
                tooltip="Move the cursor to the first layer"),
        Binding("end", "move(0,10000)", "Last layer", id="compare.last", show=False,
                tooltip="Move the cursor to the last layer"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    CompareScreen {
        #agreement { height: auto; padding: 0 1; }
        #source {
            height: 1;
            padding: 0 1;
            color: $text-muted;
            text-wrap: nowrap;
            text-overflow: ellipsis;
        }
    }
    """

    def __init__(self, state: CompareState) -> None:
        super().__init__()
        self.state = state
        comparison = state.comparison
        difference = f"A - B · {state.described.label}"
        if comparison.relative:
            difference += " · over relative depth: the depths differ"
        names = (f"A · {comparison.a.name}", f"B · {comparison.b.name}", difference)
        self.grids = tuple(
            ComparedGrid(sheet, name, id)
            for sheet, name, id in zip(state.sheets, names, ("a", "b", "difference"), strict=True)
        )

    def compose(self) -> ComposeResult:
        yield from self.grids
        table = Table.grid(padding=(0, 2))
        unit = clean(self.state.described.unit)
        header = ("", "rank corr.", f"|A-B| {unit}", "high in A", "high in B", "agree")
        table.add_row(*(Text(name, style="bold", no_wrap=True) for name in header))
        for cells in self.state.table():
            table.add_row(*(Text(cell, no_wrap=True) for cell in cells))
        yield Static(table, id="agreement")
        if source := self.state.comparison.b.source:
            yield Static(clean(f"B: {source}"), id="source", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self.grids[0].grid.focus()
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._show())
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Around 0 there is only one colour map."""
        return None if action == "next_colours" and self.state.described.signed else True

    def _show(self) -> None:
        self.state.dark = self.app.current_theme.dark
        for grid in self.grids:
            grid.show_state()
        self.grids[2].border_subtitle = Text(self.state.at_cursor())

    def action_move(self, rows: int, layers: int) -> None:
        """Move the cursor on all three."""
        self.state.go_to(self.state.row + rows, self.state.layer + layers)
        self._show()

    def on_heat_grid_picked(self, event: HeatGrid.Picked) -> None:
        self.state.go_to(event.row, event.layer)
        self._show()

    def action_next_colours(self) -> None:
        self.state.next_colour_map()
        self._show()
