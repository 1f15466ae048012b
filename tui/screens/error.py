"""An error: what went wrong, and what to do about it."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from mlxjsd.tui.text import clean


class TroubleScreen(ModalScreen[None]):
    """A panel over the screen; the app stays usable behind it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Close", id="trouble.close", tooltip="Close this panel"),
    ]
    DEFAULT_CSS = """
    TroubleScreen {
        align: center middle;
        #trouble {
            width: 76;
            max-width: 92%;
            height: auto;
            max-height: 80%;
            padding: 1 2;
            background: $surface;
            border: round $error;
            border-title-color: $text-error;
            border-title-style: bold;
        }
        #remedy { color: $text-muted; margin: 1 0; }
        #written { color: $text-muted; margin-bottom: 1; }
    }
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__()
        self.reason, self.remedy = reason, remedy

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="trouble") as panel:
            panel.border_title = "This did not work"
            yield Static(Text(clean(self.reason)), markup=False)
            yield Static(Text(clean(self.remedy)), id="remedy", markup=False)
            if written := self._written():
                yield Static(Text(f"Libraries wrote:\n{written}"), id="written", markup=False)
            yield Button("Close", id="close", compact=True, variant="primary")

    def _written(self) -> str:
        """Return what libraries have written until now, such as the lines of a panic."""
        output = getattr(self.app, "library_output", None)
        return output.take() if output is not None else ""

    def on_mount(self) -> None:
        """Enter closes the panel."""
        self.query_one("#close").focus()

    def on_button_pressed(self) -> None:
        self.dismiss()
