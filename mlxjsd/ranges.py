"""Layers and windows as they are typed."""

import re
from collections.abc import Sequence

from mlxjsd.errors import InputError


def parse_windows(typed: str) -> tuple[int, ...]:
    """Return the windows that are meant: "5", or several as in "1,5,9".

    Raises:
        InputError: if the text names none.
    """
    parts = typed.split(",")
    if not all(re.fullmatch(r"\s*-?\d{1,6}\s*", part) for part in parts):
        raise InputError(
            f"--window is a number of blocks, or several as in 1,5,9, not {typed[:80]!r}",
            hint="correct it",
        )
    return tuple(map(int, parts))


def parse_layers(typed: str) -> tuple[int, ...]:
    """Return the layers that are meant: "0-29:2" is every second one of 0 to 29, "3,7" are two.

    Raises:
        InputError: if the text names none.
    """
    found: set[int] = set()
    for part in typed.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})(?:\s*-\s*(\d{1,6})(?:\s*:\s*(\d{1,6}))?)?\s*", part)
        if match is None:
            raise InputError(
                f"{typed[:80]!r} names no layers",
                hint="give some with --layers, as in 0-31, 0-31:2 or 3,7,20-25",
            )
        first = int(match[1])
        found.update(range(first, int(match[2] or first) + 1, int(match[3] or 0) or 1))
    if not found:
        raise InputError(
            f"{typed[:80]!r} names no layers: it counts down",
            hint="give some with --layers, as in 0-31, 0-31:2 or 3,7,20-25",
        )
    return tuple(sorted(found))


def written_layers(layers: Sequence[int]) -> str:
    """Return layers in the shortest words that :func:`parse_layers` takes."""
    parts: list[str] = []
    left = list(layers)
    while left:
        step = left[1] - left[0] if len(left) > 1 else 1
        count = next((n for n in range(1, len(left)) if left[n] != left[0] + n * step), len(left))
        if count < 3 and step > 1:
            count, step = 1, 1
        last, left = left[count - 1], left[count:]
        first = last - (count - 1) * step
        span = f"{first}-{last}" if count > 1 else f"{first}"
        parts.append(f"{span}:{step}" if step > 1 else span)
    return ",".join(parts)
