"""The frame around the cell under the cursor, and the whole number in it."""

from dataclasses import dataclass

from textual.geometry import Region


@dataclass(frozen=True)
class CellCursor:
    """What is drawn over one cell and, where it is narrow, over those beside it."""

    cell: Region
    number: str
    """"" where there is none."""
    start: int = 0
    """Column of the number."""
    place: tuple[int, int] = (-1, -1)
    """Row and layer."""

    @classmethod
    def around(
        cls, cell: Region, number: str, plot: Region, place: tuple[int, int]
    ) -> "CellCursor":
        """Return the cursor around ``cell``, its number kept within ``plot`` where it fits."""
        start = cell.x + int((cell.width - len(number)) / 2)
        start = max(min(start, plot.right - len(number)), plot.x)
        return cls(cell, number, start, place)

    @property
    def region(self) -> Region:
        """Everything that is drawn over."""
        if not self.cell:
            return self.cell
        left = min(self.cell.x, self.start)
        right = max(self.cell.right, self.start + len(self.number))
        return Region(left, self.cell.y, right - left, self.cell.height)

    def drawn(self, inside: int) -> list[tuple[int, str]]:
        """Return what stands on one line of the cell: columns and texts, those on top last.

        The frame has sides where the number leaves room for them, and else lies above and below
        it. Of a single line, the number is all there is.
        """
        width, height = self.cell.width, self.cell.height
        if not width:
            return []
        middle = (height - 1) // 2
        said: list[tuple[int, str]] = []
        if self.number and inside == middle:
            # The number of the cell itself stood elsewhere in it, or was shorter.
            said = [(self.cell.x, " " * width), (self.start, self.number)]
        if width >= max(len(self.number) + 2, 2):
            left, right = _sides(inside, height)
            between = "━" if height >= 3 and inside in (0, height - 1) else ""
            frame = [(self.cell.x, left), (self.cell.right - 1, right)]
            if between:
                frame.append((self.cell.x + 1, between * (width - 2)))
            return [*said, *frame]
        if inside == middle:
            return said or [(self.cell.x, "◆" * width)]
        # Above and below, the cell's own columns.
        edge = inside in (0, height - 1)
        return [(self.cell.x, ("━" if edge else " ") * width)]


def _sides(inside: int, height: int) -> tuple[str, str]:
    if height < 3:
        return "▌", "▐"
    if inside == 0:
        return "┏", "┓"
    return ("┗", "┛") if inside == height - 1 else ("┃", "┃")
