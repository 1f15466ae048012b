"""One line that says why a run has ended, for as long as that is so."""

from rich.text import Text
from textual.widgets import Static

from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.text import clean


class FailureLine(Static):
    """The reason, cut to the width; a click shows all of it."""

    DEFAULT_CSS = """
    FailureLine {
        display: none;
        height: 1;
        padding: 0 1;
        color: $text-error;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &.-failed { display: block; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__(id="failure", markup=False)
        self.state = state

    def show_state(self) -> None:
        reason = self.state.failure.split("\n")[0]
        self.set_class(bool(reason), "-failed")
        if reason:
            self.update(Text(f"! {clean(reason)}", no_wrap=True))

    async def on_click(self) -> None:
        await self.screen.run_action("why")
