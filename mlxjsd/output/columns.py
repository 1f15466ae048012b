"""Where the layers of a heatmap stand on a terminal, which layers are numbered, and round ticks.

The app and the command line draw by the same rules: the layers share the columns evenly, two of
them share a column where there are more layers than columns, and no two numbers touch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

#: Steps between the numbers of layers, and between those of a scale, over a power of ten.
_LAYERS, _STEPS = (1, 2, 5), (1, 2, 4, 5, 10, 20, 40, 50, 100)


@dataclass(frozen=True)
class Columns:
    """The layers that are shown, each in columns of its own, or two to a column."""

    layers: int
    """Of the model, or up to where it is shown."""
    width: int
    """Columns, at least 1."""
    halves: bool = True
    """Whether both halves of a column can have colours of their own."""
    at: int = 0
    """A layer that is shown in any case: where not all fit, those around it are shown."""
    least: int = 0
    """The first layer that may be shown."""

    @property
    def count(self) -> int:
        """How many layers are shown."""
        return min(self.layers - self.least, self.width * (2 if self.halves else 1))

    @property
    def parts(self) -> int:
        """Into how many parts a column falls: 2 where two layers share it."""
        return 2 if self.count > self.width else 1

    @property
    def first(self) -> int:
        """The leftmost layer that is shown."""
        return min(max(self.at - self.count // 2, self.least), self.layers - self.count)

    @property
    def shown(self) -> range:
        """The layers that are shown."""
        return range(self.first, self.first + self.count)

    @property
    def narrowest(self) -> int:
        """Columns of the narrowest layer; 1 where two share a column."""
        return max(self.width // max(self.count, 1), 1)

    @cached_property
    def parts_of(self) -> tuple[int, ...]:
        """The layer of each part of each column, from the left; ``width * parts`` of them."""
        found: list[int] = []
        for layer in self.shown:
            found += [layer] * (self._edge(layer + 1) - self._edge(layer))
        return tuple(found)

    def span(self, layer: int) -> tuple[int, int]:
        """Return the columns [start, end) that a layer has, or has a part of."""
        return self._edge(layer) // self.parts, -(-self._edge(layer + 1) // self.parts)

    def layer_at(self, column: int) -> int:
        """Return the layer of a column; of two, the left one."""
        return self.parts_of[column * self.parts]

    def _edge(self, layer: int) -> int:
        """Return ``round(i W / L)``, in parts of columns."""
        units, count = self.width * self.parts, max(self.count, 1)
        return (2 * (layer - self.first) * units + count) // (2 * count)


@dataclass(frozen=True)
class Mark:
    """What stands under the cells: a layer's number, or that there are more."""

    start: int
    text: str
    layer: int | None = None


def axis(columns: Columns, at: int | None = None) -> list[Mark]:
    """Return what stands under the cells, from the left, a space between any two.

    Args:
        columns: the layers.
        at: a layer that is numbered in any case, such as the cursor's.
    """
    marks = []
    before, after = columns.first - columns.least, columns.layers - columns.first - columns.count
    if before:
        marks.append(Mark(0, f"◂+{before}"))
    if after:
        said = f"+{after}▸"
        marks.append(Mark(columns.width - len(said), said))
    numbered = [_numbered(columns, layer) for layer in columns.shown]
    if at is not None and at in columns.shown:
        # Beside the cursor's number, "more" can wait.
        marks.insert(0, numbered[at - columns.first])
    return _apart(marks, numbered, columns.width)


def point_axis(layers: int, width: int, at: int) -> list[Mark]:
    """Return what stands under points, the first at the left edge, the last at the right one."""
    numbered = []
    for layer in range(layers):
        said = str(layer)
        start = point(layer, layers, width)
        numbered.append(Mark(min(start, max(width - len(said), 0)), said, layer))
    return _apart([numbered[at]], numbered, width)


def point(layer: int, layers: int, width: int) -> int:
    """Return the column of a layer that is a point."""
    return round(layer / max(layers - 1, 1) * (width - 1))


def _apart(first: Sequence[Mark], numbered: Sequence[Mark], width: int) -> list[Mark]:
    """Return ``first`` and every so many of the numbers, as far as they do not touch."""
    widest = max(len(mark.text) for mark in numbered) + 1
    every = _every(widest * len(numbered) / width)
    kept: list[Mark] = []
    for mark in (*first, *(mark for mark in numbered if (mark.layer or 0) % every == 0)):
        inside = mark.start >= 0 and mark.start + len(mark.text) <= width
        if inside and not any(_touch(mark, other) for other in kept):
            kept.append(mark)
    return sorted(kept, key=lambda mark: mark.start)


def _numbered(columns: Columns, layer: int) -> Mark:
    start, end = columns.span(layer)
    said = str(layer)
    start += int((end - start - len(said)) / 2)
    return Mark(min(max(start, 0), max(columns.width - len(said), 0)), said, layer)


def _touch(one: Mark, other: Mark) -> bool:
    """Whether there is no space between two marks."""
    left, right = sorted((one, other), key=lambda mark: mark.start)
    return right.start <= left.start + len(left.text)


def _every(least: float) -> int:
    """Return the smallest round number of layers that is at least so large."""
    power = 1
    while True:
        for step in _LAYERS:
            if step * power >= least:
                return step * power
        power *= 10


def ticks(low: float, high: float, most: int, signed: bool = False) -> list[tuple[float, str]]:
    """Return round numbers from ``low`` to ``high``, evenly apart, and how they are written.

    Args:
        low: the smallest number that may be among them, finite.
        high: the largest one.
        most: how many there may be, at least 1.
        signed: write a plus in front of those above 0.
    """
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return []
    power = 10.0 ** math.floor(math.log10(span / max(most, 1)))
    for step in (factor * power for factor in _STEPS):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            break
    return [(n * step, _written(n * step, step, signed)) for n in range(first, last + 1)]


def _written(value: float, step: float, signed: bool) -> str:
    sign = "+" if signed and value > 0 else ""
    if max(abs(value), step) >= 1e5 or (value and abs(value) < 1e-4):
        return f"{value:{sign}.0e}"
    return f"{value:{sign}.{max(-math.floor(math.log10(step) + 1e-9), 0)}f}"


def places(marked: Sequence[tuple[float, str]], low: float, high: float, last: int) -> list[int]:
    """Return where each tick stands between 0, at ``low``, and ``last``, at ``high``."""
    return [round((value - low) / (high - low) * last) for value, _ in marked]


def ticks_by_line(low: float, high: float, last: int, signed: bool = False) -> dict[int, str]:
    """Return round numbers by their lines, from 0, at ``low``, to ``last``, at ``high``.

    As many as look evenly apart on whole lines: two lines at least, and none of the gaps more than
    half as large again as another. Where none do, those whose gaps differ the least.
    """
    tried: list[tuple[float, dict[int, str]]] = []
    for most in range(max((last + 1) // 2 + 1, 2), 1, -1):
        found = ticks(low, high, most, signed)
        lines = places(found, low, high, last)
        gaps = [after - before for before, after in pairwise(lines)]
        said = dict(zip(lines, (label for _, label in found), strict=True))
        uneven = max(gaps) / max(min(gaps), 0.5) if gaps else math.inf
        if len(gaps) == 1 or (gaps and min(gaps) > 1 and uneven <= 1.5):
            return said
        tried.append((uneven, said))
    return min(tried, key=lambda one: one[0])[1]
