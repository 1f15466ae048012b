"""The framed list of prompts: the filter's line above the table, the counts on the frame."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from mlxjsd.tui.run_data import ALL
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.widgets.prompt_table import PromptTable


class PromptList(Vertical):
    DEFAULT_CSS = """
    PromptList {
        width: 3fr;
        border: round $primary 60%;
        border-title-color: $text-primary;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        padding: 0 1;
        &:focus-within { border: round $accent; }
        #filter { display: none; background: transparent; padding: 0; }
        #filter.-open { display: block; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__(id="list")
        self.state = state
        self.table = PromptTable(state)
        self.field = Input(id="filter", compact=True, placeholder="type to filter")

    def compose(self) -> ComposeResult:
        yield self.field
        yield self.table

    def show_state(self) -> None:
        self.table.show_state()
        self._show_titles()

    def open_filter(self) -> None:
        self.field.add_class("-open")
        self.field.focus()

    @property
    def filtering(self) -> bool:
        return self.field.has_class("-open")

    def close_filter(self) -> None:
        """List everything again."""
        self.field.value = ""
        self.field.remove_class("-open")
        self.table.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.table.set_filter(event.value)
        self._show_titles()

    def on_input_submitted(self) -> None:
        """Go from the filter to what it has found."""
        self.table.focus()

    def _show_titles(self) -> None:
        state = self.state
        count = state.measured.count(state.group)
        self.border_title = "Prompts" if state.group == ALL else f"Prompts · {state.group}"
        if self.table.filter:
            self.border_subtitle = f"{self.table.count} of {count}"
        else:
            self.border_subtitle = "" if state.group == ALL else f"{count} of {state.done}"
