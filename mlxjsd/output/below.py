"""What is said below a figure, such as what its marks mean, in small letters."""

from dataclasses import dataclass

from mlxjsd.output.page import Page
from mlxjsd.output.plain_matplotlib import ConstrainedLayoutEngine, Figure

#: Points below which letters are too small to be read in print.
_SMALLEST = 6.0
#: Inches around it, for each point of the page's letters.
_AROUND = 0.6 / 72


@dataclass(frozen=True)
class Below:
    """A note below a figure that is about to be drawn; "" for none."""

    page: Page
    text: str
    width: float
    """Inches of the figure."""

    @property
    def letters(self) -> float:
        """Points of its letters: smaller than the others, as far as they can be read."""
        return min(self.page.letters, max(0.75 * self.page.letters, _SMALLEST))

    @property
    def wrapped(self) -> str:
        """The note in lines that fit."""
        return self.page.wrapped(self.text, self.width - 0.2, self.letters)

    @property
    def lines(self) -> float:
        """How high it is, in lines of the page's letters."""
        return self._inches / self.page.high(0, 1)

    @property
    def _inches(self) -> float:
        if not self.text:
            return 0.0
        count = self.wrapped.count("\n") + 1
        return count * self.letters * 1.25 / 72 + self.page.letters * _AROUND

    def write(self, figure: Figure, label: str = "") -> None:
        """Write the note, and above it what all axes of the figure share as a label."""
        height = figure.get_figheight()
        if not self.text:
            if label:
                figure.supxlabel(label)
            return
        share = self._inches / height
        if label:
            # One that has a place of its own is not given room.
            figure.supxlabel(label, y=share)
            share += self.page.high(0, label.count("\n") + 1) / height
        layout = figure.get_layout_engine()
        assert isinstance(layout, ConstrainedLayoutEngine)
        layout.set(rect=(0, share, 1, 1 - share))
        y = self.page.letters * _AROUND / 2 / height
        figure.text(
            0.5, y, self.wrapped, ha="center", va="bottom",
            fontsize=self.letters, color="0.3", gid="note",
        )  # fmt: skip
