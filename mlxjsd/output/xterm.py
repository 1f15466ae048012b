"""The palette of a terminal with 256 colours, and which of its colours is nearest to another.

Rich and Textual round each channel by itself, which turns a dark grey into navy and a smooth map
into stripes. Here colours are compared as they are seen, in CIELAB.
"""

from functools import lru_cache

RGB = tuple[int, int, int]

#: Colours of a terminal that has all of them.
TRUECOLOUR = 1 << 24
#: Values of a channel in the palette's cube of 6 x 6 x 6 colours.
_CUBE = (0, 95, 135, 175, 215, 255)
#: The first number that means the same colour on every terminal.
_FIRST = 16
#: From linear sRGB to XYZ, over the white point D65.
_XYZ = (
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)


def xterm(number: int) -> RGB:
    """Return the colour of a number from 16 to 255; those below are each user's own."""
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    place = number - _FIRST
    return _CUBE[place // 36], _CUBE[place // 6 % 6], _CUBE[place % 6]


@lru_cache(maxsize=4096)
def nearest(rgb: RGB) -> int:
    """Return the number of the palette's colour that looks most like this one."""
    wanted = lab(rgb)
    return min(range(_FIRST, 256), key=lambda n: _distance(wanted, lab(xterm(n))))


@lru_cache(maxsize=4096)
def lab(rgb: RGB) -> tuple[float, float, float]:
    """Return L*, a* and b* of CIELAB; L* goes from 0, black, to 100, white."""
    linear = [_linear(channel) for channel in rgb]
    x, y, z = (
        _root(sum(factor * c for factor, c in zip(row, linear, strict=True))) for row in _XYZ
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def contrast(one: RGB, other: RGB) -> float:
    """Return how well one colour can be read on the other, 1 to 21, as WCAG 2 has it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(rgb: RGB) -> float:
    """Return the relative luminance, 0 to 1."""
    return sum(factor * _linear(c) for factor, c in zip(_XYZ[1], rgb, strict=True))


def _linear(channel: int) -> float:
    share = channel / 255
    return float(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)


def _root(share: float) -> float:
    return float(share ** (1 / 3) if share > 216 / 24389 else (24389 / 27 * share + 16) / 116)


def _distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
