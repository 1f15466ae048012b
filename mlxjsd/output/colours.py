"""Colour maps where there is no matplotlib: what the terminal and the app draw cells with.

They carry matplotlib's names and are sampled from its maps, so that a cell has the same colour on
the terminal, in the app and in an exported figure. A terminal with 256 colours has too few near
those, so that each map has some twelve steps there, picked from its own palette: lightness rises
or falls all the way, and what is one hue in the map stays one.
"""

from functools import lru_cache

from mlxjsd.output.xterm import RGB, TRUECOLOUR, contrast, xterm

#: Colours of one map; more cannot be told apart.
LEVELS = 64
#: What carries a value where there is no colour.
SHADES = " ░▒▓█"

#: Evenly spaced colours of each map, from its low end to its high one.
_ANCHORS = {
    "Blues": "f7fbff deebf7 c6dbef 9ecae1 6baed6 4292c6 2171b5 08519c 08306b",
    "Blues_r": "08306b 08519c 2171b5 4292c6 6baed6 9ecae1 c6dbef deebf7 f7fbff",
    "viridis": (
        "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
        "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725"
    ),
    "magma": (
        "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 "
        "d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf"
    ),
    "Greys": "ffffff f0f0f0 d9d9d9 bdbdbd 969696 737373 525252 252525 000000",
    "RdBu_r": "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f",
}

#: The same maps on a terminal with 256 colours, as numbers of its palette.
STEPS = {
    "Blues": (231, 255, 189, 153, 111, 75, 33, 32, 26, 25, 18, 17),
    "Blues_r": (17, 18, 25, 26, 32, 33, 75, 111, 153, 189, 255, 231),
    "viridis": (53, 54, 55, 24, 30, 36, 72, 77, 113, 149, 184, 220),
    "magma": (16, 233, 17, 54, 90, 126, 161, 167, 209, 216, 222, 229),
    "Greys": (231, 255, 254, 188, 250, 247, 245, 242, 240, 237, 234, 16),
    "RdBu_r": (18, 25, 32, 75, 153, 189, 231, 224, 217, 210, 167, 124, 52),
}

#: For numbers from 0 up, as in the published figure.
SEQUENTIAL = "Blues"
#: The same where the background is dark: small numbers are near it.
ON_DARK = "Blues_r"
#: For numbers around 0, and differences: white in the middle.
DIVERGING = "RdBu_r"
#: Those to choose from for numbers from 0 up.
COLOUR_MAPS = tuple(name for name in _ANCHORS if name != DIVERGING)


def map_for(signed: bool) -> str:
    """Return the colour map of a metric that can, or cannot, be negative."""
    return DIVERGING if signed else SEQUENTIAL


def level_of(share: float) -> int:
    """Return the colour, 0 .. LEVELS - 1, for a share of the scale, 0 to 1."""
    return min(max(int(share * LEVELS), 0), LEVELS - 1)


@lru_cache
def ramp(colour_map: str) -> tuple[RGB, ...]:
    """Return the LEVELS colours of a map."""
    anchors = [bytes.fromhex(anchor) for anchor in _ANCHORS[colour_map].split()]
    colours = []
    for level in range(LEVELS):
        at = level / (LEVELS - 1) * (len(anchors) - 1)
        low = min(int(at), len(anchors) - 2)
        share = at - low
        pairs = zip(anchors[low], anchors[low + 1], strict=True)
        red, green, blue = (round(a + share * (b - a)) for a, b in pairs)
        colours.append((red, green, blue))
    return tuple(colours)


@lru_cache
def numbers(colour_map: str) -> tuple[int, ...]:
    """Return the LEVELS colours of a map in the palette of 256; neighbours may be the same."""
    steps = STEPS[colour_map]
    return tuple(steps[level * len(steps) // LEVELS] for level in range(LEVELS))


@lru_cache
def shown(colour_map: str, colours: int = TRUECOLOUR) -> tuple[RGB, ...]:
    """Return the LEVELS colours of a map on a terminal that has so many."""
    if colours >= TRUECOLOUR:
        return ramp(colour_map)
    return tuple(xterm(number) for number in numbers(colour_map))


def text_on(rgb: RGB) -> RGB:
    """Return black or white, whichever can be read better; one of them has a contrast of 4.5."""
    black, white = (0, 0, 0), (255, 255, 255)
    return max((black, white), key=lambda text: contrast(text, rgb))


def hex_of(rgb: RGB) -> str:
    """Return a colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


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
