"""From a divergence to the style of a cell: the scale, the colour maps, the shades.

The colour maps carry matplotlib's names and anchors, so that an exported figure has the
colours of the screen. Styles are made once for each colour.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style

LN2 = math.log(2)
#: Colours of one map; more cannot be told apart.
LEVELS = 64
#: What carries a value where there is no colour.
SHADES = " ░▒▓█"

_ANCHORS = {
    "Blues": "f7fbff deebf7 c6dbef 9ecae1 6baed6 4292c6 2171b5 08519c 08306b",
    "Blues_r": "08306b 08519c 2171b5 4292c6 6baed6 9ecae1 c6dbef deebf7 f7fbff",
    "viridis": "440154 482878 3e4a89 31688e 26828e 1f9e89 35b779 6dcd59 b4de2c fde725",
    "magma": "000004 1c1044 4f127b 812581 b5367a e55064 fb8761 fec287 fcfdbf",
    "Greys": "ffffff f0f0f0 d9d9d9 bdbdbd 969696 737373 525252 252525 000000",
    "RdBu_r": "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f",
}

#: For differences, white in the middle.
DIVERGING = "RdBu_r"
COLOUR_MAPS = tuple(name for name in _ANCHORS if name != DIVERGING)


@dataclass(frozen=True)
class Scale:
    """Which divergence is the first colour and which the last."""

    low: float
    high: float

    def level(self, value: float) -> int:
        """Return the colour of ``value``, 0 .. LEVELS - 1; -1 for no value."""
        if math.isnan(value):
            return -1
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return min(max(int(share * LEVELS), 0), LEVELS - 1)


#: The scales to choose from; None takes the highest value shown.
SCALES: dict[str, Scale | None] = {
    "automatic": None,
    "fixed": Scale(0.0, LN2),
    "target": Scale(0.2, 0.6),
}
SCALE_LABELS = {
    "automatic": "automatic, 0 to the highest value",
    "fixed": "fixed, 0 to ln 2",
    "target": "as in the published figure, 0.2 to 0.6",
}


def shade(level: int) -> str:
    """Return the character that stands for a colour where there are none."""
    return SHADES[min(level * len(SHADES) // LEVELS, len(SHADES) - 1)]


def signed_shade(level: int, width: int) -> str:
    """Return what stands for a colour of the diverging map where there are none.

    The sign says on which side of the middle it is, the shade how far away.
    """
    away = 2 * level - (LEVELS - 1)
    character = shade(min(abs(away), LEVELS - 1))
    if character == " ":
        return " " * width
    return ("+" if away > 0 else "-") + character * (width - 1)


@lru_cache
def styles(colour_map: str) -> tuple[Style, ...]:
    """Return the style of each level: the colour behind, readable text on it."""
    return tuple(
        Style(bgcolor=_hex(rgb), color="#ffffff" if _luminance(rgb) < 0.36 else "#101418")
        for rgb in _ramp(colour_map)
    )


@lru_cache
def foregrounds(colour_map: str) -> tuple[str, ...]:
    """Return the colour of each level as text, ``#rrggbb``."""
    return tuple(_hex(rgb) for rgb in _ramp(colour_map))


def _ramp(colour_map: str) -> list[tuple[int, int, int]]:
    anchors = [tuple(bytes.fromhex(anchor)) for anchor in _ANCHORS[colour_map].split()]
    ramp = []
    for level in range(LEVELS):
        at = level / (LEVELS - 1) * (len(anchors) - 1)
        low = min(int(at), len(anchors) - 2)
        share = at - low
        pairs = zip(anchors[low], anchors[low + 1], strict=True)
        red, green, blue = (round(a + share * (b - a)) for a, b in pairs)
        ramp.append((red, green, blue))
    return ramp


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _luminance(rgb: tuple[int, int, int]) -> float:
    red, green, blue = ((c / 255) ** 2.2 for c in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
