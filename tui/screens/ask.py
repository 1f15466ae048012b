"""A question before something is done that cannot be taken back, or that nobody here asked for."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Static

from mlxjsd.tui.screens.panel import Panel, PanelScreen
from mlxjsd.tui.text import clean


class AskScreen(PanelScreen[bool]):
    """Yes or no; Enter alone means no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", id="ask.no", tooltip="Do not"),
        Binding("y", "answer(True)", "Yes", id="ask.yes", tooltip="Do it"),
    ]

    def __init__(self, title: str, question: str) -> None:
        super().__init__()
        self._title, self._question = title, question

    def compose(self) -> ComposeResult:
        with Panel(id="question", classes="-ask") as panel:
            panel.border_title = Text(clean(self._title))
            panel.border_subtitle = "y yes · n no"
            yield Static(Text(clean(self._question)), markup=False)
            with Horizontal(classes="buttons"):
                yield Button("No", id="no", compact=True, variant="primary")
                yield Button("Yes", id="yes", compact=True)

    def on_mount(self) -> None:
        """Enter is for those who do not read."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
