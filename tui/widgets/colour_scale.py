"""The colour scale beside the grid: which colour is which number."""

from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from mlxjsd.output.columns import ticks_by_line
from mlxjsd.tui.colours import DIVERGING, LEVELS, foregrounds, shade, signed_shade
from mlxjsd.tui.compare_state import Sheet
from mlxjsd.tui.styles import colours_of, part
from mlxjsd.tui.text import bare, fitted

#: Columns of the bar, with the space in front of it and the one behind it.
_BAR = 4


class ColourScale(Widget):
    """A vertical bar with round numbers, the highest on top; as wide as they need."""

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
        self._labels: dict[int, str] = {}

    def show_state(self) -> None:
        """Repaint if the scale has changed."""
        scale, described = self.state.scale(), self.state.described
        known = bool(np.isfinite(self.state.shown()).any())
        drawn = (scale, self.state.colour_map, described, known, self.size.height, colours_of(self))
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self._labels = self._placed() if known else {}
        longest = max(map(len, self._labels.values()), default=0)
        # Seldom another width: the grid beside it would move.
        self.styles.width = _BAR + max(longest, 4)
        self.refresh()

    def on_resize(self) -> None:
        self.show_state()

    def _placed(self) -> dict[int, str]:
        """Return the round numbers by the line that each stands on."""
        scale, last = self.state.scale(), self._lines - 1
        signed = self.state.described.signed or self._signed
        found = ticks_by_line(scale.low, scale.high, last, signed)
        return {last - at: said if len(said) <= 4 else bare(said) for at, said in found.items()}

    @property
    def _lines(self) -> int:
        """How high the bar is; the last line names the unit."""
        return max(self.size.height - 1, 1)

    @property
    def _signed(self) -> bool:
        return self.state.colour_map == DIVERGING

    def render_line(self, y: int) -> Strip:
        """Return one line of the bar; the last one names the unit."""
        muted, lines = part(self, "scale--number"), self._lines
        if y >= lines:
            unit = fitted(self.state.described.unit, self.content_size.width).plain
            return self._strip([Segment(unit, muted)])
        # Two colours to a line: the upper half of the bar's cell and the lower one.
        upper, lower = (_level(2 * y + half, 2 * lines) for half in (0, 1))
        colours = foregrounds(self.state.colour_map, colours_of(self))
        if colours_of(self) == 0:
            bar = Segment(signed_shade(upper, 2) if self._signed else shade(upper) * 2)
        else:
            bar = Segment("▀▀", Style(color=colours[upper], bgcolor=colours[lower]))
        return self._strip([bar, Segment(f" {self._labels.get(y, '')}", muted)])

    def _strip(self, segments: list[Segment]) -> Strip:
        strip = Strip(segments).apply_style(self.rich_style)
        return strip.adjust_cell_length(self.size.width, self.rich_style)


def _level(half: int, halves: int) -> int:
    """Return the level of a half line, counted from the top."""
    return round((1 - half / (halves - 1)) * (LEVELS - 1))
