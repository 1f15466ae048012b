"""An error: what went wrong, and what to do about it."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static

from mlxjsd.tui.screens.panel import Panel, PanelScreen
from mlxjsd.tui.text import clean


class TroubleScreen(PanelScreen[bool]):
    """A panel over the screen; the app stays usable behind it.

    Its result is whether the settings are to be changed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(False)", "Close", id="trouble.close",
                tooltip="Close this panel"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    TroubleScreen #remedy { color: $text-muted; margin: 1 0 0 0; }
    """

    def __init__(
        self,
        reason: str,
        remedy: str,
        title: str = "This did not work",
        settings: bool = False,
    ) -> None:
        """Show ``reason`` and ``remedy``; with ``settings`` there is a way to change them."""
        super().__init__()
        self.reason, self.remedy = reason, remedy
        self._title, self._settings = title, settings

    def compose(self) -> ComposeResult:
        with Panel(id="trouble", classes="-bad") as panel:
            panel.border_title = Text(clean(self._title))
            yield Static(Text("\n".join(clean(line) for line in self.reason.split("\n"))),
                         id="reason", markup=False)  # fmt: skip
            yield Static(Text(clean(self.remedy)), id="remedy", markup=False)
            if written := self._written():
                yield Static(Text(f"Libraries wrote:\n{written}"), id="written", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Close", id="close", compact=True, variant="primary")
                if self._settings:
                    yield Button("Change the settings", id="settings", compact=True)

    def _written(self) -> str:
        """Return what libraries have written until now, such as the lines of a panic."""
        output = getattr(self.app, "library_output", None)
        return output.take() if output is not None else ""

    def on_mount(self) -> None:
        """Enter closes the panel."""
        self.query_one("#close").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "settings")
