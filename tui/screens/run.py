"""The run screen: the heatmap as it grows, the cell under the cursor, the prompts."""

import asyncio
import time
from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.screen import Screen

from mlxjsd.model.hub import to_download
from mlxjsd.run.events import BatchDone, Finished, Stopped
from mlxjsd.tui.compare_state import panel_of_state
from mlxjsd.tui.garbage import Shelf
from mlxjsd.tui.intervals import Intervals
from mlxjsd.tui.protocol import Engine, Failed, Job, Loading, News, Opened
from mlxjsd.tui.run_data import GROUP_NAMES, Interval, Measured, View
from mlxjsd.tui.run_state import RunState, Status
from mlxjsd.tui.scales import scale_label
from mlxjsd.tui.screens.ask import AskScreen
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.export import ExportScreen
from mlxjsd.tui.screens.reading import ReadingScreen
from mlxjsd.tui.screens.run_keys import KEYS, works
from mlxjsd.tui.text import clean
from mlxjsd.tui.widgets.detail import Detail
from mlxjsd.tui.widgets.group_bar import GroupBar
from mlxjsd.tui.widgets.heat_panel import HeatPanel
from mlxjsd.tui.widgets.key_bar import KeyBar
from mlxjsd.tui.widgets.prompt_list import PromptList
from mlxjsd.tui.widgets.prompt_table import PromptTable
from mlxjsd.tui.widgets.status_bar import StatusBar


class RunScreen(Screen[None]):
    """Watches a run, live or read from its folder."""

    BINDINGS = KEYS
    DEFAULT_CSS = """
    RunScreen {
        #below { height: 1fr; }
        Detail { width: 2fr; min-width: 30; max-width: 76; }
    }
    """
    #: Seconds between two drawings of arriving batches, at least.
    PACE = 0.05

    class Told(Message):
        """The engine's news; posted from its thread."""

        def __init__(self, news: News) -> None:
            super().__init__()
            self.news = news

    class IntervalKnown(Message):
        """An interval is worked out; posted from the thread that did it."""

        def __init__(self, measured: Measured, view: View, interval: Interval) -> None:
            super().__init__()
            self.measured, self.view, self.interval = measured, view, interval

    def __init__(self, engine: Engine, state: RunState, job: Job | None, start: bool) -> None:
        """Show ``state``.

        Args:
            engine: computes.
            state: what is shown.
            job: how the run is computed; None if it cannot be taken up.
            start: begin at once.
        """
        super().__init__()
        self.engine, self.state, self.job = engine, state, job
        self._shelf = Shelf()
        self._start_at_once = start
        self._drawing_due = False
        self._asking_due = False
        self._drawing_takes = 0.0
        self.intervals = Intervals(lambda *known: self.post_message(self.IntervalKnown(*known)))
        self.groups = GroupBar(state)
        self.heat = HeatPanel(state)
        self.detail = Detail(state)
        self.status = StatusBar(state)
        self.list = PromptList(state)
        self.prompts = self.list.table

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.groups
        yield self.heat
        with Horizontal(id="below"):
            yield self.detail
            yield self.list
        yield KeyBar()

    def on_mount(self) -> None:
        self.show_all()
        self.heat.take_focus()
        if self._start_at_once:
            self.start()

    async def on_unmount(self) -> None:
        # Not on the app's thread, which has another screen to draw.
        await asyncio.to_thread(self.intervals.close)
        self._shelf.clear()

    def on_resize(self, event: events.Resize) -> None:
        self.heat.fit(event.size.height)

    # The engine.

    def start(self) -> None:
        """Begin the job, or go on with it."""
        if self.job is None:
            self.notify("This run cannot be taken up here.", severity="warning", markup=False)
            return
        wanted = None if self.job.download else to_download(self.job.model, self.job.revision)
        if wanted is not None:
            self.state.status = Status.STOPPED
            self._show_status()
            question = (
                f"This run names the model {wanted}, which is not on this machine. Its folder may "
                "come from somebody else. Download the model?"
            )
            self.app.push_screen(AskScreen("Download a model", question), self._may_download)
            return
        self.state.status, self.state.doing = Status.LOADING, "starting"
        self.engine.start(self.job, lambda news: self.post_message(self.Told(news)))
        self._show_status()

    def _may_download(self, yes: bool | None) -> None:
        if yes and self.job is not None:
            self.job = replace(self.job, download=True)
            self.start()

    def on_run_screen_told(self, message: Told) -> None:
        state, news = self.state, message.news
        if isinstance(news, BatchDone):
            state.add(news)
            self._draw_soon()
            return
        if isinstance(news, Loading):
            state.status, state.doing = Status.LOADING, news.what
        elif isinstance(news, Opened):
            state.folder = news.folder
            state.open(news.run, news.notes)
            state.status = Status.RUNNING
            self.show_all()
        elif isinstance(news, Finished):
            state.status = Status.FINISHED
            self.notify(f"{news.total} prompts measured. The run is in {clean(str(state.folder))}",
                        title="Finished", markup=False)  # fmt: skip
        elif isinstance(news, Stopped):
            state.status = Status.STOPPED
        elif isinstance(news, Failed):
            state.status = Status.FAILED
            self.app.push_screen(TroubleScreen(news.reason, news.remedy))
        if not state.status.live:
            self._show_numbers()  # an interval that had to wait is worked out now
        self._show_status()

    def on_run_screen_interval_known(self, message: IntervalKnown) -> None:
        """Show an interval, and ask for the next one."""
        message.measured.intervals[message.view] = message.interval
        if message.measured is self.state.measured:
            self._show_numbers()

    def _draw_soon(self) -> None:
        # Drawing a large run takes its time, and keys come first: never more than a fifth of it.
        if not self._drawing_due:
            self._drawing_due = True
            self.set_timer(max(self.PACE, 4 * self._drawing_takes), self._draw_batch)

    def _draw_batch(self) -> None:
        began = time.perf_counter()
        self._drawing_due = False
        self.show_all()
        self._drawing_takes = time.perf_counter() - began

    # Drawing.

    def show_all(self) -> None:
        self._shelf.keep(self.state.done)
        self.groups.show_state()
        self._show_numbers()
        self.list.show_state()
        self._show_status()

    def _show_numbers(self) -> None:
        rest = self.intervals.ask(self.state)
        if rest is not None and not self._asking_due:
            # Without this a group chosen during a rest would wait for the next batch.
            self._asking_due = True
            self.set_timer(rest, self._ask_again)
        self.heat.show_state()
        self.detail.show_state()

    def _ask_again(self) -> None:
        self._asking_due = False
        self._show_numbers()

    def _show_status(self) -> None:
        self.status.show_state()
        self.refresh_bindings()

    def on_heat_panel_cursor_moved(self) -> None:
        self.heat.show_state()
        self.detail.show_state()
        self.prompts.cursor_moved()

    def on_prompt_table_chosen(self, event: PromptTable.Chosen) -> None:
        self._select(event.record.id)

    def _select(self, name: str | None) -> None:
        records = self.state.measured.records
        self.state.selected = next((r for r in records if r.id == name), None)
        self.heat.show_state()
        self.detail.show_state()
        self.refresh_bindings()

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return works(action, parameters, self.state, self.job)

    def action_pause(self) -> None:
        """Pause, go on, or take up a run that was stopped."""
        status = self.state.status
        if status is Status.RUNNING:
            self.engine.pause()
            self.state.status = Status.PAUSED
        elif status is Status.PAUSED:
            self.engine.go_on()
            self.state.status = Status.RUNNING
        else:
            self.start()
        self._show_status()

    def action_stop(self) -> None:
        self.engine.stop()
        self.state.status = Status.STOPPING
        self._show_status()

    def action_toggle_prompt(self) -> None:
        if self.state.selected is not None:
            self._select(None)
        elif (record := self.prompts.highlighted) is not None:
            self._select(record.id)

    def action_average(self) -> None:
        """Back to the average; out of the filter first."""
        if self.list.field.has_focus or (self.list.filtering and self.state.selected is None):
            self.list.close_filter()
        else:
            self._select(None)

    def action_toggle_lines(self) -> None:
        focused = self.heat.has_focus_within
        self.state.as_lines = not self.state.as_lines
        self.heat.show_state()
        if focused:
            self.heat.take_focus()

    def action_toggle_bands(self) -> None:
        """Show or hide the intervals; from the grid, go to the lines first."""
        self.state.bands = not (self.state.bands and self.state.as_lines)
        if self.state.as_lines:
            self.heat.show_state()
        else:
            self.action_toggle_lines()

    def action_group(self, group: str) -> None:
        if self.state.show_group(group):
            self.show_all()

    def action_next_group(self) -> None:
        self.state.next_group()
        self.show_all()

    def on_group_bar_picked(self, event: GroupBar.Picked) -> None:
        self.action_group(event.group)

    def action_read(self) -> None:
        state = self.state
        if state.selected is not None:
            title = f"One prompt · {state.selected.text[:60]}"
        else:
            title = f"{GROUP_NAMES[state.group]}, n = {state.heatmap.count}"
        self.app.push_screen(ReadingScreen(title, state.shown_heatmap))

    def action_compare(self) -> None:
        panel = panel_of_state(self.state)
        self.app.compare_with(panel, self.state.group)  # type: ignore[attr-defined]

    def action_next_metric(self) -> None:
        self.state.next_metric()
        self.show_all()

    def action_next_scale(self) -> None:
        self.state.next_scale()
        self.heat.show_state()
        self.notify(
            f"Scale: {scale_label(self.state.scale_name, self.state.described)}",
            timeout=2,
            markup=False,
        )

    def action_next_colours(self) -> None:
        self.state.next_colour_map()
        self.heat.show_state()

    def action_export(self) -> None:
        self.app.push_screen(ExportScreen(self.state))

    def action_copy_value(self) -> None:
        said = f"{self.state.value:.6f}"
        self.app.copy_to_clipboard(said)
        self.notify(f"{said} is copied", timeout=2, markup=False)

    def action_filter(self) -> None:
        self.list.open_filter()

    def action_sort(self) -> None:
        self.prompts.sort_by_next()

    def action_reverse(self) -> None:
        self.prompts.sort_by(self.prompts.sorted_by)

    def action_new_run(self) -> None:
        if self.state.status.live:
            self.action_stop()
        self.app.choose_run(self.job)  # type: ignore[attr-defined]
