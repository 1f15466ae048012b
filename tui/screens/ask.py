"""A question before something is done that cannot be taken back, or that nobody here asked for."""

from collections.abc import Callable
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

    #: Seconds after which a question about what goes on is put anew.
    PACE = 0.5

    def __init__(self, title: str, question: Callable[[], str]) -> None:
        """Ask ``question``, which may change while it is there."""
        super().__init__()
        self._title, self._question = title, question
        self._asked = Static(markup=False)

    def compose(self) -> ComposeResult:
        with Panel(id="question", classes="-ask") as panel:
            panel.border_title = Text(clean(self._title))
            panel.border_subtitle = "y yes · n no"
            yield self._asked
            with Horizontal(classes="buttons"):
                yield Button("No", id="no", compact=True, variant="primary")
                yield Button("Yes", id="yes", compact=True)

    def on_mount(self) -> None:
        """Enter is for those who do not read."""
        self.query_one("#no").focus()
        self._ask()
        self.set_interval(self.PACE, self._ask)

    def _ask(self) -> None:
        self._asked.update(Text(clean(self._question())))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
