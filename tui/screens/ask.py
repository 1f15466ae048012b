"""A question before something is done that nobody at this keyboard has asked for."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from mlxjsd.tui.text import clean


class AskScreen(ModalScreen[bool]):
    """Yes or no; Enter alone means no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", id="ask.no", tooltip="Do not"),
        Binding("y", "answer(True)", "Yes", id="ask.yes", tooltip="Do it"),
    ]
    DEFAULT_CSS = """
    AskScreen {
        align: center middle;
        #question {
            width: 76;
            max-width: 92%;
            height: auto;
            max-height: 80%;
            padding: 1 2;
            background: $surface;
            border: round $warning;
            border-title-color: $text-warning;
            border-title-style: bold;
        }
        #answers { height: auto; margin-top: 1; }
        Button { margin-right: 2; }
    }
    """

    def __init__(self, title: str, question: str) -> None:
        super().__init__()
        self._title, self._question = title, question

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="question") as panel:
            panel.border_title = Text(clean(self._title))
            yield Static(Text(clean(self._question)), markup=False)
            with Horizontal(id="answers"):
                yield Button("No", id="no", compact=True, variant="primary")
                yield Button("Yes", id="yes", compact=True)

    def on_mount(self) -> None:
        """Enter is for those who do not read."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
