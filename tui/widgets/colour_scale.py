"""The colour scale beside the grid: which colour is which divergence."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from mlxjsd.tui.colours import DIVERGING, LEVELS, foregrounds, shade, signed_shade
from mlxjsd.tui.compare_state import Sheet
from mlxjsd.tui.styles import part


class ColourScale(Widget):
    """A vertical bar with its numbers, in nats, the highest on top."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"scale--number"}
    DEFAULT_CSS = """
    ColourScale {
        width: 8;
        height: 1fr;
        padding: 0 0 0 1;
        .scale--number { color: $text-muted; }
    }
    """

    def __init__(self, state: Sheet, id: str | None = None) -> None:
        super().__init__(id=id)
        self.state = state
        self._drawn: tuple[object, ...] = ()

    def show_state(self) -> None:
        """Repaint if the scale has changed."""
        scale = self.state.scale()
        drawn = (scale, self.state.colour_map)
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line of the bar; the last one names the unit."""
        number = part(self, "scale--number")
        lines = max(self.size.height - 1, 1)
        if y >= lines:
            return self._strip([Segment("nats", number)])
        scale = self.state.scale()
        # Two colours to a line: the upper half of the bar's cell and the lower one.
        upper, lower = (_level(2 * y + half, 2 * lines) for half in (0, 1))
        colours = foregrounds(self.state.colour_map)
        if self.app.no_color:
            signed = self.state.colour_map == DIVERGING
            bar = Segment(signed_shade(upper, 2) if signed else shade(upper) * 2)
        else:
            bar = Segment("▀▀", Style(color=colours[upper], bgcolor=colours[lower]))
        every = 1 if lines <= 7 else 2
        share = 1.0 - y / (lines - 1) if lines > 1 else 1.0
        label = ""
        if y % every == 0 or y == lines - 1:
            value = scale.low + share * (scale.high - scale.low)
            signed = self.state.colour_map == DIVERGING
            label = f" {value:+.2f}".replace("0.", ".") if signed else f" {value:.2f}"
        return self._strip([bar, Segment(label, number)])

    def _strip(self, segments: list[Segment]) -> Strip:
        strip = Strip(segments).apply_style(self.rich_style)
        return strip.adjust_cell_length(self.size.width, self.rich_style)


def _level(half: int, halves: int) -> int:
    """Return the level of a half line, counted from the top."""
    return round((1 - half / (halves - 1)) * (LEVELS - 1))
