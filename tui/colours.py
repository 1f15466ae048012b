"""From a number to the style of a cell: the scale, and the styles of a colour map.

The colours are those of :mod:`mlxjsd.output.colours`; styles are made once for each.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as Colour
from textual.filter import LineFilter

from mlxjsd.output.colours import (
    COLOUR_MAPS,
    DIVERGING,
    LEVELS,
    ON_DARK,
    SEQUENTIAL,
    SHADES,
    hex_of,
    level_of,
    shade,
    shown,
    signed_shade,
    text_on,
)
from mlxjsd.output.xterm import TRUECOLOUR, nearest

__all__ = [
    "COLOUR_MAPS",
    "DIVERGING",
    "LEVELS",
    "SHADES",
    "TRUECOLOUR",
    "Scale",
    "XtermPalette",
    "foregrounds",
    "halves",
    "shade",
    "signed_shade",
    "styles",
    "usual_map",
]


def usual_map(dark: bool) -> str:
    """Return the map of numbers from 0 up: its low end is near the background."""
    return ON_DARK if dark else SEQUENTIAL


@dataclass(frozen=True)
class Scale:
    """Which number is the first colour and which the last."""

    low: float
    high: float

    def level(self, value: float) -> int:
        """Return the colour of ``value``, 0 .. LEVELS - 1; -1 for no value."""
        if math.isnan(value):
            return -1
        return level_of((value - self.low) / (self.high - self.low) if self.high > self.low else 0)


@lru_cache
def styles(colour_map: str, colours: int = TRUECOLOUR) -> tuple[Style, ...]:
    """Return the style of each level on a terminal of so many colours: behind, and text on it."""
    return tuple(
        Style(bgcolor=hex_of(rgb), color=hex_of(text_on(rgb))) for rgb in shown(colour_map, colours)
    )


@lru_cache
def foregrounds(colour_map: str, colours: int = TRUECOLOUR) -> tuple[str, ...]:
    """Return the colour of each level as text, ``#rrggbb``."""
    return tuple(hex_of(rgb) for rgb in shown(colour_map, colours))


@lru_cache(maxsize=4096)
def halves(colour_map: str, left: int, right: int, colours: int = TRUECOLOUR) -> Style:
    """Return the style of a column whose left half is of one level and whose right of another."""
    found = foregrounds(colour_map, colours)
    return Style(color=found[left], bgcolor=found[right])


class XtermPalette(LineFilter):
    """Puts the nearest colour of the palette in place of each, on a terminal with 256.

    Textual's own rounding would turn dark greys into navy.
    """

    def apply(self, segments: list[Segment], background: Colour) -> list[Segment]:
        """Return the segments in colours of the palette."""
        return [
            Segment(text, None if style is None else _in_palette(style), control)
            for text, style, control in segments
        ]


@lru_cache(maxsize=4096)
def _in_palette(style: Style) -> Style:
    front, behind = (_number(colour) for colour in (style.color, style.bgcolor))
    return style + Style.from_color(front, behind)


def _number(colour: Color | None) -> Color | None:
    if colour is None or colour.triplet is None:
        return colour
    return Color.from_ansi(nearest(tuple(colour.triplet)))
