"""A heatmap on the screen with the cell under its cursor, and the keys that look at it."""

from textual import events
from textual.screen import Screen

from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.scales import scale_label
from mlxjsd.tui.screens.copy import CopyScreen
from mlxjsd.tui.screens.export import ExportScreen
from mlxjsd.tui.widgets.detail import Detail
from mlxjsd.tui.widgets.failure_line import FailureLine
from mlxjsd.tui.widgets.heat_panel import HeatPanel
from mlxjsd.tui.widgets.status_bar import StatusBar


class HeatView(Screen[None]):
    """Draws a state, of a whole run or of one sentence; what else is there is its heirs'."""

    #: Where panels have no room beside each other, they stand below each other.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (56, "-wide")]
    DEFAULT_CSS = """
    HeatView {
        #below { height: 1fr; }
        Detail { width: 2fr; min-width: 30; max-width: 76; }
        &.-narrow #below {
            layout: vertical;
            & > * { width: 1fr; min-width: 0; height: 1fr; }
        }
    }
    """

    def __init__(self, state: RunState) -> None:
        super().__init__()
        self.state = state
        self.heat = HeatPanel(state)
        self.detail = Detail(state)
        self.status = StatusBar(state)
        self.failure = FailureLine(state)

    def on_mount(self) -> None:
        self.show_all()
        self.heat.take_focus()

    def on_resize(self, event: events.Resize) -> None:
        self.heat.fit(event.size.height)

    # Drawing.

    def show_all(self) -> None:
        """Draw everything anew."""
        self._show_numbers()
        self._show_status()

    def _show_numbers(self) -> None:
        self.heat.show_state()
        self.detail.show_state()

    def _show_status(self) -> None:
        self.status.show_state()
        self.failure.show_state()
        self.refresh_bindings()

    def _show_view(self) -> None:
        """Draw another view of the same numbers; the focus stays on it."""
        focused = self.heat.has_focus_within
        self.heat.show_state()
        self.detail.show_state()
        self.refresh_bindings()
        if focused:
            self.heat.take_focus()

    def on_heat_panel_cursor_moved(self) -> None:
        self.heat.show_state()
        self.detail.show_state()

    # Keys.

    def action_toggle_lines(self) -> None:
        self.state.as_lines = not self.state.as_lines
        self._show_view()

    def action_next_map(self) -> None:
        """Go from the rows to the first map, from one to the next, and back."""
        self.state.next_map()
        self._show_view()

    def action_next_metric(self) -> None:
        self.state.next_metric()
        self.show_all()

    def action_next_scale(self) -> None:
        self.state.next_scale()
        self.app.remember(scale=self.state.scale_name)  # type: ignore[attr-defined]
        self.heat.show_state()
        self.notify(
            f"Scale: {scale_label(self.state.scale_name, self.state.described)}",
            timeout=2,
            markup=False,
        )

    def action_next_colours(self) -> None:
        self.state.next_colour_map()
        self.app.remember(map=self.state.chosen_colours)  # type: ignore[attr-defined]
        self.heat.show_state()

    def action_export(self) -> None:
        self.app.push_screen(ExportScreen(self.state))

    def action_copy_value(self) -> None:
        self.app.push_screen(CopyScreen(self.state))
