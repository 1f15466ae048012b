"""What the heatmap says, in plain words."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.phases import reading, reading_table
from mlxjsd.tui.screens.panel import Panel, PanelScreen
from mlxjsd.tui.text import clean

_HEADER = ("", "Peak divergence phase", "Peak value (nats)", "Low divergence phase")
_RULE = (
    "A row is low where it stays near its base, and high near its peak; one that rises and "
    "falls again is high in between. A phase has two layers or more."
)


class ReadingScreen(PanelScreen[None]):
    """The phases of each row, and a sentence for each."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,w", "dismiss", "Close", id="reading.close", tooltip="Close this panel"),
    ]
    DEFAULT_CSS = """
    ReadingScreen {
        #sentences { margin: 1 0; }
        #rule { color: $text-muted; }
    }
    """

    def __init__(self, title: str, heatmap: Heatmap) -> None:
        """Read ``heatmap``, which is one of divergences."""
        super().__init__()
        self._title, self._heatmap = title, heatmap

    def compose(self) -> ComposeResult:
        table = Table.grid(padding=(0, 2))
        table.add_row(*(Text(name, style="bold") for name in _HEADER))
        for label, *cells in reading_table(self._heatmap):
            table.add_row(Text(label, style="bold"), *(Text(cell) for cell in cells))
        with Panel(id="reading", classes="-wide", can_focus=True) as panel:
            panel.border_title = Text(clean(self._title))
            panel.border_subtitle = "Escape closes"
            yield Static(table, id="phases")
            yield Static("\n".join(reading(self._heatmap)), id="sentences", markup=False)
            yield Static(_RULE, id="rule", markup=False)

    def on_mount(self) -> None:
        """The arrow keys scroll."""
        self.query_one("#reading").focus()
