"""One labelled line of a form."""

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label

from mlxjsd.tui.form import FieldInfo


class FormLine(Horizontal):
    """A label and its field, on one line."""

    DEFAULT_CSS = """
    FormLine {
        height: 1;
        Label { width: 10; color: $text-muted; }
        Input { width: 1fr; }
        Input.-bad { background: $error 30%; }
        Select { width: 1fr; }
        &:focus-within Label { color: $text-accent; text-style: bold; }
    }
    """

    def __init__(self, info: FieldInfo, value: str) -> None:
        super().__init__()
        self._info = info
        self.field = Input(
            value, placeholder=info.hint, id=info.name, compact=True, tooltip=info.help
        )

    def compose(self) -> ComposeResult:
        yield Label(self._info.label, markup=False)
        yield self.field
