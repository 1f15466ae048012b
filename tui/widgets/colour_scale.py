"""The colour scale beside the grid: which colour is which number."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from mlxjsd.tui.colours import DIVERGING, LEVELS, foregrounds, shade, signed_shade
from mlxjsd.tui.compare_state import Sheet
from mlxjsd.tui.styles import part
from mlxjsd.tui.text import fitted, number


class ColourScale(Widget):
    """A vertical bar with its numbers, the highest on top."""

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
        drawn = (scale, self.state.colour_map, self.state.described)
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line of the bar; the last one names the unit."""
        muted = part(self, "scale--number")
        lines = max(self.size.height - 1, 1)
        if y >= lines:
            unit = fitted(self.state.described.unit, self.content_size.width).plain
            return self._strip([Segment(unit, muted)])
        scale, signed = self.state.scale(), self.state.colour_map == DIVERGING
        # Two colours to a line: the upper half of the bar's cell and the lower one.
        upper, lower = (_level(2 * y + half, 2 * lines) for half in (0, 1))
        colours = foregrounds(self.state.colour_map)
        if self.app.no_color:
            bar = Segment(signed_shade(upper, 2) if signed else shade(upper) * 2)
        else:
            bar = Segment("▀▀", Style(color=colours[upper], bgcolor=colours[lower]))
        every = 1 if lines <= 7 else 2
        share = 1.0 - y / (lines - 1) if lines > 1 else 1.0
        label = ""
        if y % every == 0 or y == lines - 1:
            value = scale.low + share * (scale.high - scale.low)
            label = f" {number(value, 4, signed=signed)}"
        return self._strip([bar, Segment(label, muted)])

    def _strip(self, segments: list[Segment]) -> Strip:
        strip = Strip(segments).apply_style(self.rich_style)
        return strip.adjust_cell_length(self.size.width, self.rich_style)


def _level(half: int, halves: int) -> int:
    """Return the level of a half line, counted from the top."""
    return round((1 - half / (halves - 1)) * (LEVELS - 1))
