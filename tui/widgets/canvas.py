"""One line of a widget, column by column, for what is drawn over something else."""

from rich.segment import Segment
from rich.style import Style


class Line:
    """Characters with their styles; each is one column wide."""

    def __init__(self, width: int, style: Style) -> None:
        """Begin with spaces."""
        self._characters = [" "] * width
        self._styles = [style] * width

    def put(self, start: int, text: str, style: Style) -> None:
        """Write ``text`` from a column on; what would be beside the line is cut off."""
        for place, character in enumerate(text, start):
            if 0 <= place < len(self._characters):
                self._characters[place], self._styles[place] = character, style

    def segments(self) -> list[Segment]:
        """Return the line, one segment for each run of one style."""
        found: list[Segment] = []
        start = 0
        for place in range(1, len(self._styles) + 1):
            ends = place == len(self._styles)
            if ends or self._styles[place] is not self._styles[start]:
                text = "".join(self._characters[start:place])
                found.append(Segment(text, self._styles[start]))
                start = place
        return found if self._styles else []
