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
from mlxjsd.output.asked_files import JSON, write_asked
from mlxjsd.output.writers import EXPORTS, FIGURES, REPORT, is_report
from mlxjsd.results import Run
from mlxjsd.tui.map_sheet import MapSheet
from mlxjsd.tui.run_data import ALL, GROUP_NAMES
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.scales import automatic, scales_of
from mlxjsd.tui.screens.panel import Panel, PanelScreen
from mlxjsd.tui.text import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlxjsd.output.style import Style

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
            asked = self.state.asked
            shown = (
                "the sentence"
                if asked
                else "one prompt"
                if selected
                else f"the average · {GROUP_NAMES[self.group]}"
            )
            sheet = self.state.sheet
            view = sheet.title if isinstance(sheet, MapSheet) else ""
            view = "as lines" if self.state.draws_lines else view
            panel.border_title = f"Export {shown}{view and f' · {view}'}"
            metric = [] if self.state.metric == JSD.key else [self.state.metric.replace("/", "-")]
            group = [] if self.group == ALL or selected else [self.group.lower()]
            prompt = [f"prompt-{selected.position}"] if selected else []
            lines = ["lines"] if self.state.draws_lines else []
            lines += [f"map-{self.state.map.replace(':', '-')}"] if self.state.map else []
            first = "sentence" if asked else "figure"
            name = "-".join([first, *metric, *group, *([] if asked else prompt), *lines]) + ".png"
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
        if self.is_current:  # keys still arrive after Escape, when the panel is gone
            self._hint()

    def on_input_submitted(self) -> None:
        if self.is_current:
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
            f"in the colours that were chosen: {FIGURES}. "
            + (
                f"All that was measured: {REPORT} (a page) or {JSON}."
                if self.state.asked
                else f"The whole run's numbers: {EXPORTS}."
            )
        )

    def _say(self, message: str, look: str = "") -> None:
        hint = self.query_one("#hint", Static)
        hint.set_classes(look)
        hint.update(Text(clean(message)))

    def _write(self) -> None:
        path = self._path
        figure = FIGURES.ending_of(path) is not None
        if not figure and not self._is_data(path):
            endings = (*FIGURES.endings, REPORT, JSON) if self.state.asked else _ENDINGS
            self._say(f"The name has to end in {' '.join(endings)}.", "-bad")
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

    def _is_data(self, path: Path) -> bool:
        """Whether a name asks for all that was measured."""
        if self.state.asked is not None:
            return is_report(path) or path.suffix.lower() == JSON
        return EXPORTS.ending_of(path) is not None

    def _write_file(self, app: App[object], path: Path, figure: bool) -> None:
        try:
            run = run_of(self.state)
            if figure:
                FIGURES.write(self._figure_of(run), path)
            elif self.state.asked is not None:
                write_asked(self.state.asked, path)
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
        if state.map is not None:
            return self._map_of(part, state.map)
        heatmap = part.heatmap(metric=state.metric)
        title = title_of(part, heatmap.count)
        if state.selected is not None:
            title += f"\n{escape(state.selected.text)[:120]}"
        elif self.group != ALL:
            title += f"\n{GROUP_NAMES[self.group]}"
        if not state.draws_lines:
            return plot_heatmap(heatmap, title, self._style())
        scale = scales_of(state.described)[state.scale_name]
        interval = None
        if state.shows_bands:
            interval = bootstrap_interval(np.stack([r.of(state.metric) for r in part.records]))
        around = heatmap.mean if interval is None else np.stack([heatmap.mean, *interval])
        scale = scale or automatic(around, state.described)
        return plot_lines(heatmap, title, Style(scale.low, scale.high), interval)

    def _map_of(self, part: Run, name: str) -> "Figure":
        """Draw a map of the prompt, or its averages by role."""
        from mlxjsd.output.map_figure import plot_map, plot_roles

        if self.state.selected is not None:
            return plot_map(part, None, [name], self.state.metric, style=self._style())
        return plot_roles(part, None, [name], self.state.metric, style=self._style())

    def _style(self) -> "Style":
        """Return the scale and the colours that cells have on the screen."""
        from mlxjsd.output.style import Style

        state = self.state
        scale = scales_of(state.described)[state.scale_name]
        low, high = (scale.low, scale.high) if scale else (None, None)
        # A figure lies on paper, whatever the screen's background is.
        colours = state.colour_map if state.described.signed else state.chosen_colours
        return Style(low, high, colours)

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
    FIGURES.write(ExportScreen(state)._figure_of(run_of(state)), path)


def run_of(state: RunState) -> Run:
    """Return all that was measured.

    The folder holds all that is needed, whole batches only, also in the middle of a run; a
    sentence has none.
    """
    from mlxjsd.store.reader import read_run

    return read_run(state.folder) if state.asked is None else state.asked.run
