"""How large a figure is and how its letters are: for a paper's column, a slide, a screen."""

import math
import re
import textwrap
from dataclasses import dataclass
from typing import Any

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.errors import InputError
from mlxjsd.output.plain_matplotlib import matplotlib

#: Points of the letters of a figure, and of one that has to fit into a column.
LETTERS, LETTERS_IN_COLUMN = 10.0, 8.0
#: Inches below which a figure is one for a column.
COLUMN = 5.0
#: Inches of a line of text, for each point of its letters; and of a letter, on average and at most.
_LINE, _LETTER, _DIGIT = 1.35 / 72, 0.52 / 72, 0.65 / 72
#: Inches of a legend's line and of the room around it, for each point of its letters.
_SIGN = 5 / 72
#: Inches that a panel is wide at least, for letters of 10 points.
_NARROWEST = 2.1
#: matplotlib's settings of letters, which differ by themselves.
_SIZES = (
    *("axes.titlesize", "axes.labelsize", "figure.titlesize", "figure.labelsize"),
    *("xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"),
)
#: A space at which no line is broken.
_TOGETHER = "\N{NO-BREAK SPACE}"
#: From one numbered layer to the next.
_STEPS = (2, 4, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 10**6)


@dataclass(frozen=True)
class Page:
    """The size of a figure. By itself it is as wide as its layers need, to be looked at."""

    width: float | None = None
    """Inches; None for as wide as the layers need."""
    font_size: float | None = None
    """Points of all letters; None for 10, or 8 in a figure of less than 5 inches."""
    title: bool = True
    """Whether model, prompts and corruption stand above the figure."""
    dpi: int = 200
    """Pixels of an inch, in a figure of pixels."""

    def __post_init__(self) -> None:
        for option, value, low, high in (
            ("--width", self.width, 1.5, 100),
            ("--font-size", self.font_size, 4, 72),
            ("--dpi", self.dpi, 30, 2400),
        ):
            if value is not None and not low <= value <= high:
                raise InputError(
                    f"{option} is a number from {low} to {high}, not {value:g}", hint="give one"
                )

    @property
    def letters(self) -> float:
        """Points of the letters."""
        if self.font_size is not None:
            return self.font_size
        return LETTERS_IN_COLUMN if self.width is not None and self.width < COLUMN else LETTERS

    @property
    def scale(self) -> float:
        """How large what goes with the letters is, over what it is for letters of 10 points."""
        return self.letters / LETTERS

    def set_letters(self) -> None:
        """Have matplotlib draw all letters in this size, until its settings are put back."""
        sizes: dict[Any, Any] = dict.fromkeys(_SIZES, "medium")
        matplotlib.rcParams.update({**sizes, "font.size": self.letters})

    def wide(self, otherwise: float) -> float:
        """Return the width in inches, where it is ``otherwise`` if none is asked for."""
        return otherwise if self.width is None else self.width

    def high(self, rows: float, lines: float) -> float:
        """Return the inches that so many rows of cells, and lines of text, take together."""
        return 0.3 * self.scale * rows + self.letters * _LINE * lines

    def columns(self, most: int) -> int:
        """Return how many panels stand beside each other, ``most`` if they may."""
        if self.width is None:
            return most
        return max(min(most, int(self.width / (_NARROWEST * self.scale))), 1)

    def panel(
        self, panels: int = 1, width: float | None = None, longest: int = 5, lines: int = 2
    ) -> float:
        """Return the inches of each of some panels beside each other, about.

        The names of rows, the ``longest`` of so many letters, and the colour bar, whose label has
        so many ``lines``, stand at their sides.
        """
        names = max(longest - 5, 0) * self.letters * _LETTER
        label = (lines - 2) * self.letters * 1.2 / 72
        return max((self.wide(width or COLUMN) - 1.5 * self.scale - names - label) / panels, 0.5)

    def wrapped(self, text: str, inches: float, letters: float | None = None) -> str:
        """Return text in lines that are no wider than so many inches, about.

        ``letters`` are its points, None for those of the page.

        What is set apart by several spaces stays together, and "n = 5" does.
        """
        most = max(int(inches / ((letters or self.letters) * _LETTER)), 8)
        lines = []
        for line in text.split("\n"):
            parts = r"(?<! ) (?! )" if "  " in line else r"(?<=\bn) (?==)|(?<=\bn =) "
            lines.append(textwrap.fill(re.sub(parts, _TOGETHER, line), most))
        return "\n".join(lines).replace(_TOGETHER, " ")

    def entries(self, longest: int, width: float) -> int:
        """Return how many entries of a legend stand beside each other, of so many letters."""
        return max(int(width / (longest * self.letters * _LETTER + _SIGN * self.letters)), 1)

    def ticks(self, heatmap: Heatmap, inches: float, most: int) -> list[int]:
        """Return the layers that are numbered below a panel: ``most``, or as many as there is
        room for."""
        if self.width is not None or self.font_size is not None:
            digits = len(str(heatmap.layers - 1)) + 1
            most = min(most, max(int(inches / (digits * self.letters * _DIGIT)), 1))
        return ticks(heatmap, most)


def ticks(heatmap: Heatmap, most: int) -> list[int]:
    """Return at most so many layers of a heatmap, evenly spaced."""
    if heatmap.only is not None:
        return list(heatmap.only[:: math.ceil(len(heatmap.only) / most)])
    every = next(step for step in _STEPS if heatmap.layers <= step * most)
    return list(range(0, heatmap.layers, every))
