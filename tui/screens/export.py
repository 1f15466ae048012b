"""Writing what is shown to a file, under a name that can be edited."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from mlxjsd.analysis.groups import group, labelling_of
from mlxjsd.analysis.heatmap import heatmap_of
from mlxjsd.errors import InputError, MachineError
from mlxjsd.results import Run
from mlxjsd.tui.colours import SCALES
from mlxjsd.tui.run_data import ALL, GROUP_NAMES
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.text import clean

_FIGURES = (".png", ".pdf", ".svg")
_NUMBERS = (".csv", ".json", ".npz")


class ExportScreen(ModalScreen[None]):
    """Asks for a name; never overwrites without asking."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="export.cancel", tooltip="Write nothing"),
    ]
    DEFAULT_CSS = """
    ExportScreen {
        align: center middle;
        #export {
            width: 72;
            max-width: 95%;
            height: auto;
            padding: 1 2;
            background: $surface;
            border: round $accent;
            border-title-color: $text-accent;
            border-title-style: bold;
        }
        #hint { color: $text-muted; margin-top: 1; height: auto; }
        #hint.-bad { color: $text-error; }
        #hint.-ask { color: $text-warning; }
        #buttons { height: 1; margin-top: 1; }
        Button { margin-right: 2; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__()
        self.state = state
        self.group = state.group
        self._asked_about: Path | None = None

    def compose(self) -> ComposeResult:
        """Ask for the name."""
        with Vertical(id="export") as panel:
            panel.border_title = f"Export the average · {GROUP_NAMES[self.group]}"
            name = "figure.png" if self.group == ALL else f"figure-{self.group.lower()}.png"
            yield Input(str(self.state.folder / name), id="name", compact=True,
                        select_on_focus=False)  # fmt: skip
            yield Static(id="hint", markup=False)
            with Horizontal(id="buttons"):
                yield Button("Write", id="write", compact=True, variant="primary")
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        """Say which endings there are."""
        self._hint()

    def on_input_changed(self) -> None:
        """Another name has not been asked about."""
        self._hint()

    def on_input_submitted(self) -> None:
        """Write."""
        self._write()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Write, or leave it."""
        if event.button.id == "write":
            self._write()
        else:
            self.dismiss()

    @property
    def _path(self) -> Path:
        return Path(self.query_one("#name", Input).value.strip()).expanduser()

    def _hint(self) -> None:
        self._asked_about = None
        self.query_one("#write", Button).label = "Write"
        self._say(
            f"The ending says what is written: a figure ({' '.join(_FIGURES)}), in the colours and "
            f"on the scale of the screen, or the whole run's numbers ({' '.join(_NUMBERS)}), "
            "each kind of answer named."
        )

    def _say(self, message: str, look: str = "") -> None:
        hint = self.query_one("#hint", Static)
        hint.set_classes(look)
        hint.update(Text(clean(message)))

    def _write(self) -> None:
        path = self._path
        ending = path.suffix.lower()
        if ending not in _FIGURES + _NUMBERS:
            self._say(f"The name has to end in {' '.join(_FIGURES + _NUMBERS)}.", "-bad")
        elif path.is_dir():
            self._say(f"{path} is a folder.", "-bad")
        elif not path.parent.is_dir():
            self._say(f"There is no folder {path.parent}.", "-bad")
        elif path.exists() and self._asked_about != path:
            self._asked_about = path
            self.query_one("#write", Button).label = "Overwrite"
            self._say(
                f"{path} is there already. Enter again overwrites it, Escape keeps it.", "-ask"
            )
        else:
            self._say("writing …")
            # The app's worker, because this screen ends before its work does.
            work = partial(self._write_file, path, ending in _FIGURES)
            self.app.run_worker(work, thread=True, group="export", exclusive=True)

    def _write_file(self, path: Path, figure: bool) -> None:
        # The folder holds all that is needed, whole batches only, also in the middle of a run.
        from mlxjsd.store.reader import read_run

        try:
            run = read_run(self.state.folder)
            if figure:
                from mlxjsd.output.figure import Style, plot_heatmap, save_figure, title_of

                scale = SCALES[self.state.scale_name]
                low, high = (scale.low, scale.high) if scale else (0.0, None)
                part = self._part_of(run)
                title = title_of(part)
                if self.group != ALL:
                    title += f"\n{GROUP_NAMES[self.group]}"
                style = Style(low, high, self.state.colour_map)
                save_figure(plot_heatmap(heatmap_of(part), title, style), path)
            else:
                from mlxjsd.output.export import export_run

                export_run(run, path)
        except (InputError, MachineError, OSError, ValueError) as error:
            self.app.call_from_thread(self._say, str(error), "-bad")
        else:
            self.app.call_from_thread(self._done, path)

    def _part_of(self, run: Run) -> Run:
        if self.group == ALL:
            return run
        records = group(run.records, "category", **labelling_of(run)).get(self.group)
        if not records:
            raise InputError(
                f"the run holds no prompt of {GROUP_NAMES[self.group]}", hint="choose another group"
            )
        return replace(run, records=records)

    def _done(self, path: Path) -> None:
        self.app.notify(clean(str(path.resolve())), title="Written to", markup=False)
        self.dismiss()
