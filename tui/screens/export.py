"""Writing what is shown to a file, under a name that can be edited."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Button, Input, Static

from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.errors import InputError, MachineError
from mlxjsd.metrics import JSD
from mlxjsd.output.writers import EXPORTS, FIGURES
from mlxjsd.results import Run
from mlxjsd.tui.run_data import ALL, GROUP_NAMES
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.scales import automatic, scales_of
from mlxjsd.tui.screens.panel import Panel, PanelScreen
from mlxjsd.tui.text import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The app's workers that write files.
EXPORT = "export"
_ENDINGS = (*FIGURES.endings, *EXPORTS.endings)


class ExportScreen(PanelScreen[None]):
    """Asks for a name; never overwrites without asking."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="export.cancel", tooltip="Write nothing"),
    ]
    DEFAULT_CSS = """
    ExportScreen {
        #hint { color: $text-muted; margin-top: 1; height: auto; }
        #hint.-bad { color: $text-error; }
        #hint.-ask { color: $text-warning; }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__()
        # What is shown now: a run goes on behind this screen.
        self.state = replace(state)
        self.group = state.group
        self._asked_about: Path | None = None

    def compose(self) -> ComposeResult:
        with Panel(id="export") as panel:
            selected = self.state.selected
            shown = "one prompt" if selected else f"the average · {GROUP_NAMES[self.group]}"
            panel.border_title = f"Export {shown}{' · as lines' if self.state.as_lines else ''}"
            metric = [] if self.state.metric == JSD.key else [self.state.metric.replace("/", "-")]
            group = [] if self.group == ALL or selected else [self.group.lower()]
            prompt = [f"prompt-{selected.position}"] if selected else []
            lines = ["lines"] if self.state.as_lines else []
            name = "-".join(["figure", *metric, *group, *prompt, *lines]) + ".png"
            yield Input(str(self.state.folder / name), id="name", compact=True,
                        select_on_focus=False)  # fmt: skip
            yield Static(id="hint", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Write", id="write", compact=True, variant="primary")
                yield Button("Cancel", id="cancel", compact=True)

    def on_mount(self) -> None:
        self._hint()

    def on_input_changed(self) -> None:
        """Another name has not been asked about."""
        self._hint()

    def on_input_submitted(self) -> None:
        self._write()

    def on_button_pressed(self, event: Button.Pressed) -> None:
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
            "The ending says what is written. A figure of what is shown, on the screen's scale and "
            f"in the colours that were chosen: {FIGURES}. The whole run's numbers: {EXPORTS}."
        )

    def _say(self, message: str, look: str = "") -> None:
        hint = self.query_one("#hint", Static)
        hint.set_classes(look)
        hint.update(Text(clean(message)))

    def _write(self) -> None:
        path = self._path
        figure = FIGURES.ending_of(path) is not None
        if not figure and EXPORTS.ending_of(path) is None:
            self._say(f"The name has to end in {' '.join(_ENDINGS)}.", "-bad")
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
            work = partial(self._write_file, self.app, path, figure)
            self.app.run_worker(work, thread=True, group=EXPORT, exclusive=True)

    def _write_file(self, app: App[object], path: Path, figure: bool) -> None:
        # The folder holds all that is needed, whole batches only, also in the middle of a run.
        from mlxjsd.store.reader import read_run

        try:
            run = read_run(self.state.folder)
            if figure:
                FIGURES.write(self._figure_of(run), path)
            else:
                EXPORTS.write(run, path)
        except (InputError, MachineError, OSError, ValueError) as error:
            app.call_from_thread(self._failed, str(error))
        else:
            app.call_from_thread(self._done, path)

    def _figure_of(self, run: Run) -> "Figure":
        from mlxjsd.output.figure import Style, escape, plot_heatmap, title_of
        from mlxjsd.output.lines import plot_lines

        state = self.state
        part = self._part_of(run)
        heatmap = part.heatmap(metric=state.metric)
        title = title_of(part, heatmap.count)
        if state.selected is not None:
            title += f"\n{escape(state.selected.text)[:120]}"
        elif self.group != ALL:
            title += f"\n{GROUP_NAMES[self.group]}"
        scale = scales_of(state.described)[state.scale_name]
        if not state.as_lines:
            low, high = (scale.low, scale.high) if scale else (None, None)
            # A figure lies on paper, whatever the screen's background is.
            colours = state.colour_map if state.described.signed else state.chosen_colours
            return plot_heatmap(heatmap, title, Style(low, high, colours))
        interval = None
        if state.shows_bands:
            interval = bootstrap_interval(np.stack([r.of(state.metric) for r in part.records]))
        around = heatmap.mean if interval is None else np.stack([heatmap.mean, *interval])
        scale = scale or automatic(around, state.described)
        return plot_lines(heatmap, title, Style(scale.low, scale.high), interval)

    def _part_of(self, run: Run) -> Run:
        """Return the run of only those prompts that are shown."""
        if self.state.selected is not None:
            return replace(run, records=[self.state.selected])
        if self.group == ALL:
            return run
        records = run.groups("category").get(self.group)
        if not records:
            raise InputError(
                f"the run holds no prompt of {GROUP_NAMES[self.group]}", hint="choose another group"
            )
        return replace(run, records=records)

    def _done(self, path: Path) -> None:
        self.app.notify(clean(str(path.resolve())), title="Written to", markup=False)
        if self.is_current:  # it may have been left in the meantime
            self.dismiss()

    def _failed(self, why: str) -> None:
        if self.is_current:
            self._say(why, "-bad")
        else:
            self.app.notify(clean(why), title="Not written", severity="error", markup=False)


def draw(state: RunState, path: Path) -> None:
    """Write the figure of what is shown.

    Raises:
        InputError: if it cannot be drawn or written.
        MachineError: if the disk is full, or this machine cannot draw it.
    """
    # The folder holds all that is needed, whole batches only, also in the middle of a run.
    from mlxjsd.store.reader import read_run

    FIGURES.write(ExportScreen(state)._figure_of(read_run(state.folder)), path)
