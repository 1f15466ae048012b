"""From a number to the style of a cell: the scale, and the styles of a colour map.

The colours are those of :mod:`mlxjsd.output.colours`; styles are made once for each.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style

from mlxjsd.output.colours import (
    COLOUR_MAPS,
    DIVERGING,
    LEVELS,
    RGB,
    SHADES,
    hex_of,
    level_of,
    ramp,
    shade,
    signed_shade,
)

__all__ = [
    "COLOUR_MAPS",
    "DIVERGING",
    "LEVELS",
    "SHADES",
    "Scale",
    "foregrounds",
    "shade",
    "signed_shade",
    "styles",
]


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
def styles(colour_map: str) -> tuple[Style, ...]:
    """Return the style of each level: the colour behind, readable text on it."""
    return tuple(
        Style(bgcolor=hex_of(rgb), color="#ffffff" if _luminance(rgb) < 0.36 else "#101418")
        for rgb in ramp(colour_map)
    )


@lru_cache
def foregrounds(colour_map: str) -> tuple[str, ...]:
    """Return the colour of each level as text, ``#rrggbb``."""
    return tuple(hex_of(rgb) for rgb in ramp(colour_map))


def _luminance(rgb: RGB) -> float:
    red, green, blue = ((c / 255) ** 2.2 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
