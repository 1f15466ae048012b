"""One of the heatmaps that are compared: a grid, its scale, its name."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal

from mlxjsd.tui.compare_state import Sheet
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.colour_scale import ColourScale
from mlxjsd.tui.widgets.heat_grid import MAX_CELL_HEIGHT, HeatGrid
from mlxjsd.tui.widgets.heat_panel import FRAME


class ComparedGrid(Horizontal):
    """A framed grid; its cursor is moved by the screen."""

    DEFAULT_CSS = """
    ComparedGrid {
        height: 1fr;
        min-height: 5;
        border: round $primary 60%;
        border-title-color: $text-primary;
        border-title-style: bold;
        border-subtitle-color: $text-accent;
        &:focus-within { border: round $accent; }
    }
    """

    def __init__(self, sheet: Sheet, title: str, id: str) -> None:
        super().__init__(id=id)
        self.grid = HeatGrid(sheet)
        self.scale = ColourScale(sheet)
        self.border_title = Text(clean(title))
        self.styles.max_height = FRAME + MAX_CELL_HEIGHT * len(sheet.rows)

    def compose(self) -> ComposeResult:
        yield self.grid
        yield self.scale

    def show_state(self) -> None:
        self.grid.show_state()
        self.scale.show_state()
