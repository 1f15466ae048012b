"""The runs that are kept here, one line each."""

from datetime import datetime

from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from mlxjsd.store.folders import KnownRun
from mlxjsd.tui.text import clean


class RunList(OptionList):
    """Choose a run, the newest first."""

    DEFAULT_CSS = """
    RunList {
        border: none;
        padding: 0;
        background: transparent;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def __init__(self, runs: list[KnownRun], id: str | None = None) -> None:
        super().__init__(*(Option(_line(run)) for run in runs), id=id, markup=False, compact=True)
        self.runs = runs


def _line(run: KnownRun) -> Text:
    when = datetime.fromtimestamp(run.changed).strftime("%d %b %H:%M")
    text = Text(no_wrap=True)
    text.append("✓ " if run.finished else "◐ ")
    text.append(clean(run.folder.name))
    text.append(f"  {run.done}/{run.total}  {when}", style="dim")
    return text
