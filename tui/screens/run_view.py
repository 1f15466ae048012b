"""A run on the screen: heatmap, cell under the cursor, prompts, and the keys that look at them."""

import asyncio

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from mlxjsd.tui.compare_state import panel_of_state
from mlxjsd.tui.garbage import Shelf
from mlxjsd.tui.intervals import Intervals
from mlxjsd.tui.run_data import GROUP_NAMES, Interval, Measured, View
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.heat_view import HeatView
from mlxjsd.tui.screens.reading import ReadingScreen
from mlxjsd.tui.widgets.group_bar import GroupBar
from mlxjsd.tui.widgets.key_bar import KeyBar
from mlxjsd.tui.widgets.prompt_list import PromptList
from mlxjsd.tui.widgets.prompt_table import PromptTable


class RunView(HeatView):
    """Draws a run's state, and has the keys that change no run."""

    class IntervalKnown(Message):
        """An interval is worked out; posted from the thread that did it."""

        def __init__(self, measured: Measured, view: View, interval: Interval) -> None:
            super().__init__()
            self.measured, self.view, self.interval = measured, view, interval

    def __init__(self, state: RunState) -> None:
        super().__init__(state)
        self._shelf = Shelf()
        self._asking_due = False
        self.intervals = Intervals(lambda *known: self.post_message(self.IntervalKnown(*known)))
        self.groups = GroupBar(state)
        self.list = PromptList(state)
        self.prompts = self.list.table

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.failure
        yield self.groups
        yield self.heat
        with Horizontal(id="below"):
            yield self.detail
            yield self.list
        yield KeyBar()

    async def on_unmount(self) -> None:
        self.app.keep_place(self.state)  # type: ignore[attr-defined]
        # Not on the app's thread, which has another screen to draw.
        await asyncio.to_thread(self.intervals.close)
        self._shelf.clear()

    def on_run_view_interval_known(self, message: IntervalKnown) -> None:
        """Show an interval, and ask for the next one."""
        message.measured.intervals[message.view] = message.interval
        if message.measured is self.state.measured:
            self._show_numbers()

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
        super()._show_numbers()

    def _ask_again(self) -> None:
        self._asking_due = False
        self._show_numbers()

    def _show_view(self) -> None:
        super()._show_view()
        self.prompts.cursor_moved()

    def on_heat_panel_cursor_moved(self) -> None:
        self.prompts.cursor_moved()  # the heatmap is drawn by HeatView's: Textual calls both

    def on_prompt_table_chosen(self, event: PromptTable.Chosen) -> None:
        self._select(event.record.id)

    def _select(self, name: str | None) -> None:
        records = self.state.measured.records
        self.state.select(next((r for r in records if r.id == name), None))
        self.heat.show_state()
        self.detail.show_state()
        self.refresh_bindings()

    # Keys.

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

    def action_toggle_bands(self) -> None:
        """Show or hide the intervals; from the grid, go to the lines first."""
        self.state.bands = not (self.state.bands and self.state.as_lines)
        if self.state.draws_lines:
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

    def action_filter(self) -> None:
        self.list.open_filter()

    def action_sort(self) -> None:
        self.prompts.sort_by_next()

    def action_reverse(self) -> None:
        self.prompts.sort_by(self.prompts.sorted_by)
