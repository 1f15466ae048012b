"""One labelled line of a form."""

from collections.abc import Callable, Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Label, Select

from mlxjsd.tui.form import FieldInfo
from mlxjsd.tui.widgets.path_suggester import PathSuggester


class FormLine(Horizontal):
    """A label and its field, on one line: what is typed, or one of some choices."""

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

    def __init__(
        self, info: FieldInfo, value: str, names: Callable[[], Iterable[str]] = tuple
    ) -> None:
        """Show a field.

        Args:
            info: which.
            value: what it says.
            names: what a field that completes paths goes on with as well.
        """
        super().__init__()
        self.info = info
        self.field: Input | Select[str]
        if info.choices:
            self.field = Select(
                [(name, name) for name in info.choices],
                id=info.name,
                value=value,
                allow_blank=False,
                compact=True,
                tooltip=info.help,
            )
        else:
            self.field = Input(
                value,
                placeholder=info.hint,
                id=info.name,
                compact=True,
                tooltip=info.help,
                suggester=PathSuggester(names) if info.completes else None,
            )

    @property
    def value(self) -> str:
        """What the field says."""
        return str(self.field.value)

    def compose(self) -> ComposeResult:
        yield Label(self.info.label, markup=False)
        yield self.field

    def mark(self, bad: bool) -> None:
        """Show whether this is the field that cannot be used."""
        self.field.set_class(bad, "-bad")
