"""Copying what is under the cursor: the number, its row, or the figure as a file."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import platformdirs
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mlxjsd.errors import InputError, MachineError
from mlxjsd.tui.clipboard import copy
from mlxjsd.tui.map_sheet import MapSheet
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.export import EXPORT, draw
from mlxjsd.tui.screens.panel import Panel, PanelScreen
from mlxjsd.tui.text import amount, clean


def value_of(state: RunState) -> str:
    """Return the number under the cursor."""
    return f"{state.sheet.value:.6f}"


def row_of(state: RunState) -> str:
    """Return the row of the cursor as two lines of tab-separated values: layers, and numbers."""
    layers, sheet = state.grid.measured_layers, state.sheet
    values = sheet.shown()[sheet.row]
    heading = "\t".join(["layer", *map(str, layers)])
    # A cell that does not apply is empty, as in exports.
    numbers = ("" if values[at] != values[at] else f"{values[at]:.6f}" for at in layers)
    return f"{heading}\n" + "\t".join([_name_of(state), *numbers])


def _name_of(state: RunState) -> str:
    """Return what the row of the cursor is called in a table: its key, or the token."""
    sheet = state.sheet
    token = isinstance(sheet, MapSheet) and sheet.record is not None
    return sheet.labels[sheet.row] if token else clean(sheet.rows[sheet.row])


def figure_path(state: RunState) -> Path:
    """Return where the figure of what is shown goes in order to be copied."""
    named = "sentence" if state.asked else state.folder.absolute().name
    parts = [named, state.metric.replace("/", "-"), state.group]
    if state.map is not None:
        parts.append(f"map-{state.map.replace(':', '-')}")
    name = "-".join(parts)
    return platformdirs.user_cache_path("mlxjsd", appauthor=False) / "figures" / f"{name}.png"


class CopyScreen(PanelScreen[None]):
    """Offers what can be copied; the key that opened it takes the first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="copy.cancel", tooltip="Copy nothing"),
        Binding("y,v", "take('value')", "Value", id="copy.value", tooltip="Copy the value"),
        Binding("r", "take('row')", "Row", id="copy.row",
                tooltip="Copy the row as tab-separated values"),
        Binding("f", "take('figure')", "Figure", id="copy.figure",
                tooltip="Draw the figure, and copy the path of its file"),
    ]  # fmt: skip
    DEFAULT_CSS = """
    CopyScreen {
        OptionList { border: none; padding: 0; height: auto; background: transparent; }
        #where { color: $text-muted; margin-top: 1; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__()
        self.state = state

    def compose(self) -> ComposeResult:
        state = self.state
        with Panel(id="copy") as panel:
            panel.border_title = "Copy"
            sheet = state.sheet
            place = f"{sheet.labels[sheet.row]} layer {state.layer}"
            lines = (
                f"y  the value    {amount(sheet.value, state.described)} · {place}",
                f"r  the row      {len(state.grid.measured_layers)} layers, tab-separated",
                "f  the figure   as the path of a PNG",
            )
            yield OptionList(*(Option(Text(line)) for line in lines), id="what", compact=True)
            yield Static("Enter takes what is marked.", id="where", markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.action_take(("value", "row", "figure")[event.option_index])

    def action_take(self, what: str) -> None:
        app = self.app
        self.dismiss()
        if what == "figure":
            work = partial(_draw_and_copy, app, self.state, figure_path(self.state))
            app.run_worker(work, thread=True, group=EXPORT, exclusive=True)
        else:
            text = value_of(self.state) if what == "value" else row_of(self.state)
            tell(app, text, f"{text} is copied" if what == "value" else "The row is copied")


def tell(app: App[Any], text: str, done: str) -> None:
    """Copy, and say whether that has worked."""
    if copy(app, text):
        app.notify(clean(done), timeout=3, markup=False)
        return
    said = text if "\n" not in text else "export writes it into a file"
    app.notify(
        f"Nothing is copied: this terminal takes no text, and there is no pbcopy, wl-copy or "
        f"xclip. {clean(said)}",
        severity="warning",
        timeout=10,
        markup=False,
    )


def _draw_and_copy(app: App[Any], state: RunState, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(state, path)
    except (InputError, MachineError, OSError, ValueError) as error:
        why = clean(str(error))
        app.call_from_thread(
            lambda: app.notify(why, title="Not drawn", severity="error", markup=False)
        )
    else:
        app.call_from_thread(tell, app, str(path), f"The path is copied: {path}")
