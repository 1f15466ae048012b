"""What every key does, on one panel."""

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.actions import parse
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from mlxjsd.metrics import JSD, Metric
from mlxjsd.rows import DEFAULT, find
from mlxjsd.tui.compare_state import Sheet
from mlxjsd.tui.text import clean

_DIVERGENCE = """\
Each cell is the Jensen-Shannon divergence, in nats, between what the model predicts and what \
it predicts after one edit at that layer. 0: the edit changes nothing; ln 2 = 0.69: it changes \
everything.
"""
_OTHER = """\
Each cell is a number of what one edit at that layer does to what the model predicts: {said}.
"""


class HelpScreen(ModalScreen[None]):
    """Lists the keys of the screen that it was called from."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1", "dismiss", "Close", id="help.close",
                tooltip="Close this panel"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        #help {
            width: 92;
            max-width: 96%;
            height: auto;
            max-height: 94%;
            padding: 0 2;
            background: $surface;
            border: round $accent;
            border-title-color: $text-accent;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
            scrollbar-size-vertical: 1;
        }
    }
    """

    def __init__(self, about: Screen[object]) -> None:
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        table = Table.grid(padding=(0, 2))
        # What the screen shows; the start screen, what it is about to.
        sheet: Sheet | None = getattr(self._about, "state", None)
        for key in sheet.rows if sheet else DEFAULT:
            if (row := find(key)) is not None:
                table.add_row(Text(row.label, style="bold"), Text(row.help))
        for heading, bindings in self._sections():
            table.add_row()
            table.add_row("", Text(heading, style="bold underline"))
            for binding in bindings:
                keys = self._about.app.get_key_display(binding)
                if binding.key_display is None:
                    keys = " ".join(_short(key) for key in binding.key.split(","))
                table.add_row(Text(keys, style="bold"), Text(binding.tooltip))
        with VerticalScroll(id="help") as panel:
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
        return sections


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


def _short(key: str) -> str:
    arrows = {"left": "←", "right": "→", "up": "↑", "down": "↓"}
    return arrows.get(key, key.replace("ctrl+", "^"))
