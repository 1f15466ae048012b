"""Opening a run folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from mlxjsd.store.folders import RUNS, look
from mlxjsd.tui.compare_state import Figure
from mlxjsd.tui.screens.panel import Panel, PanelScreen
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.run_list import RunList


class OpenScreen(PanelScreen[Path | Figure | None]):
    """Offers the runs that are kept here, and takes any other folder.

    To compare, published figures are offered as well.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="open.cancel", tooltip="Open nothing"),
    ]
    DEFAULT_CSS = """
    OpenScreen {
        RunList { max-height: 14; height: auto; margin-bottom: 1; }
        #figures { max-height: 6; height: auto; border: none; padding: 0; margin-bottom: 1; }
    }
    """

    def __init__(self, title: str = "Open a run", figures: Sequence[Figure] = ()) -> None:
        super().__init__()
        self._title, self._figures = title, tuple(figures)

    def compose(self) -> ComposeResult:
        found = look()
        with Panel(id="open") as panel:
            panel.border_title = self._title
            if self._figures:
                yield Label("a published figure:", markup=False)
                names = [Option(Text(figure.name)) for figure in self._figures]
                yield OptionList(*names, id="figures", compact=True)
                yield Label("or a run:", markup=False)
            if found.runs:
                yield RunList(found.runs, id="runs")
            else:
                yield Label(f"There are no runs in {RUNS} yet.", markup=False)
            if found.warning:
                yield Label(clean(found.warning), id="unreadable", markup=False)
            yield Label("or the path of a run folder:", markup=False)
            yield Input(id="folder", compact=True, placeholder="path/to/run")

    def on_option_list_option_selected(self, event: RunList.OptionSelected) -> None:
        if event.option_list.id == "figures":
            self.dismiss(self._figures[event.option_index])
            return
        self.dismiss(self.query_one("#runs", RunList).runs[event.option_index].folder)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.dismiss(Path(event.value.strip()).expanduser())
