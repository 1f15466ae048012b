"""What every key does, on one panel."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.actions import parse
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Static

from mlxjsd.metrics import JSD, Metric
from mlxjsd.row_names import find
from mlxjsd.rows import DEFAULT
from mlxjsd.tui.compare_state import Sheet
from mlxjsd.tui.keys import bound, said_key
from mlxjsd.tui.screens.panel import Panel, PanelScreen
from mlxjsd.tui.text import clean

#: So many columns have room for the names of the keys.
_ROOMY = 124
_DIVERGENCE = """\
Each cell is the Jensen-Shannon divergence, in nats, between what the model predicts and what \
it predicts after one edit at that layer. 0: the edit changes nothing; ln 2 = 0.69: it changes \
everything.
"""
_OTHER = """\
Each cell is a number of what one edit at that layer does to what the model predicts: {said}.
"""


class HelpScreen(PanelScreen[None]):
    """Lists the keys of the screen that it was called from."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1", "dismiss", "Close", id="help.close",
                tooltip="Close this panel"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    HelpScreen #help { padding: 0 2; }
    HelpScreen #help.-names { width: 120; }
    """

    def __init__(self, about: Screen[object]) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        table, roomy = Table.grid(padding=(0, 2)), self.app.size.width >= _ROOMY
        # What the screen shows; the start screen, what it is about to.
        sheet: Sheet | None = getattr(self._about, "state", None)
        for key in sheet.rows if sheet else DEFAULT:
            if (row := find(key)) is not None:
                table.add_row(Text(row.label, style="bold"), Text(row.help))
        for heading, bindings in self._sections():
            table.add_row()
            table.add_row("", Text(heading, style="bold underline"))
            for binding in bindings:
                cells = [Text(said_key(self.app, binding), style="bold"), Text(binding.tooltip)]
                # By this name the configuration gives it another key.
                table.add_row(*cells, *([Text(binding.id or "", style="dim")] if roomy else []))
        with Panel(id="help", classes="-wide", can_focus=True) as panel:
            panel.set_class(roomy, "-names")
            panel.border_title = "Help"
            panel.border_subtitle = "Escape closes"
            yield Static(Text(_said_of(sheet.described if sheet else JSD)), markup=False)
            yield Static(table)

    def on_mount(self) -> None:
        """The arrow keys scroll."""
        self.query_one("#help").focus()

    def _sections(self) -> list[tuple[str, list[Binding]]]:
        """Return the keys of the screen, of its panels, and of the app, as they are declared."""
        sections = [("Keys of this screen", _offered(self._about))]
        for widget in self._about.walk_children():
            if type(widget).__module__.startswith("mlxjsd.") and (found := _offered(widget)):
                sections.append((getattr(widget, "KEYS_OF", type(widget).__name__), found))
        sections.append(("Everywhere", _offered(self.app)))
        keymap = getattr(self.app, "keys", {})
        return [(heading, [bound(b, keymap) for b in found]) for heading, found in sections]


def _said_of(metric: Metric) -> str:
    if metric == JSD:
        return _DIVERGENCE
    return _OTHER.format(said=clean(", ".join(filter(None, (metric.label, metric.unit)))))


def _offered(node: DOMNode) -> list[Binding]:
    """Return the keys that a node declares and does not hide at the moment."""
    declared = [b for b in type(node).BINDINGS if isinstance(b, Binding) and b.tooltip]
    return [b for b in declared if _is_offered(node, b)]


def _is_offered(node: DOMNode, binding: Binding) -> bool:
    namespace, action, parameters = parse(binding.action)
    return bool(namespace) or node.check_action(action, parameters) is not False
