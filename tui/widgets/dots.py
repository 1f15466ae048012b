"""Lines and bands as braille dots, and names that stand in order beside them.

A character holds two columns and four lines of dots. Heights are counted in lines of dots from
the top, so that nothing here knows of a scale.
"""

from collections.abc import Sequence

import numpy as np

Place = tuple[int, int]
"""Line and column of a character."""

#: The dots of a braille character, by line and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def height_of(value: float, low: float, high: float, lines: int) -> int:
    """Return the line of dots, of so many, of a value between ``low`` and ``high``."""
    share = (value - low) / (high - low) if high > low else 0.0
    return round((1 - min(max(share, 0.0), 1.0)) * (lines - 1))


def dots_of(heights: Sequence[tuple[int, int]], layers: int, width: int) -> dict[Place, int]:
    """Return the dots of a line through points, from the first of them to the last.

    Args:
        heights: layer and height of each point, by layer.
        layers: of the model, of which the first is at the left edge, the last at the right one.
        width: columns.
    """
    if not heights:
        return {}
    at = np.linspace(0, max(layers - 1, 1), 2 * width)
    known, levels = zip(*heights, strict=True)
    found: dict[Place, int] = {}
    before = None
    # Half a layer on: a single point is one that can be seen.
    inside = np.flatnonzero((at >= known[0] - 0.5) & (at <= known[-1] + 0.5))
    heights_there = np.interp(at[inside], known, levels).round().astype(int)
    for x, y in zip(inside.tolist(), heights_there.tolist(), strict=True):
        before = y if before is None else before
        # A steep step fills the dots between two neighbours.
        step = range(min(before, y) + (before < y), max(before, y) + (before <= y))
        for filled in {*step, y}:
            _add(found, x, filled)
        before = y
    return found


def band_of(lower: Sequence[int], upper: Sequence[int], width: int) -> dict[Place, int]:
    """Return every other dot between two lines with a point at each layer."""
    layers = np.arange(len(lower))
    at = np.linspace(0, max(len(lower) - 1, 1), 2 * width)
    bottoms, tops = (np.interp(at, layers, end).round().astype(int) for end in (lower, upper))
    found: dict[Place, int] = {}
    for x, (top, bottom) in enumerate(zip(tops.tolist(), bottoms.tolist(), strict=True)):
        for y in range(top, bottom + 1):
            if (x + y) % 2 == 0:
                _add(found, x, y)
    return found


def _add(found: dict[Place, int], x: int, y: int) -> None:
    place = (y // 4, x // 2)
    found[place] = found.get(place, 0) | _DOTS[y % 4][x % 2]


def stacked(wanted: Sequence[int], lines: int) -> list[int]:
    """Return a line of its own for each name, in this order and near where it is wanted.

    Args:
        wanted: line of each, not decreasing, and no more of them than ``lines``.
        lines: how many there are.
    """
    found: list[int] = []
    for y in wanted:
        found.append(max(y, found[-1] + 1) if found else y)
    last = lines - 1
    for place in reversed(range(len(found))):
        found[place] = min(found[place], last)
        last = found[place] - 1
    return found
