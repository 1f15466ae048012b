"""Marking a sentence's subject on its tokens, or on its words while they are not known."""

import re
from collections.abc import Sequence

Place = tuple[int, int]
"""Characters [from, to) of a text."""


def words(text: str) -> tuple[Place, ...]:
    """Return the places of a text's words, without the spaces around them."""
    return tuple(match.span() for match in re.finditer(r"\S+", text))


class Marking:
    """Which pieces of a text are marked: those from where a mark began to the cursor."""

    def __init__(self) -> None:
        self.text = ""
        self.places: tuple[Place, ...] = ()
        """Of the pieces, in the order of the text; none is empty."""
        self.at = 0
        """The piece that the cursor is on."""
        self._anchor = 0
        self.chosen = False
        """Whether somebody has marked something; at first the cursor is on the first piece."""

    @property
    def marked(self) -> range:
        """The pieces that are marked."""
        low, high = sorted((self._anchor, self.at))
        return range(low, high + 1) if self.places else range(0)

    @property
    def span(self) -> Place | None:
        """The characters that are marked; None where there is no text."""
        marked = self.marked
        if not marked:
            return None
        return self.places[marked[0]][0], self.places[marked[-1]][1]

    def take(self, text: str, places: Sequence[Place], mark: Place | None = None) -> None:
        """Take other pieces.

        Args:
            text: that is cut into pieces.
            places: of the pieces; empty ones are left out.
            mark: characters that are marked from now on; None for those that were.
        """
        self.chosen = bool(mark) or (self.chosen and bool(places))
        kept = mark or self.span
        self.text, self.places = text, tuple(place for place in places if place[0] < place[1])
        touched = [
            at
            for at, (start, end) in enumerate(self.places)
            if kept is not None and start < kept[1] and end > kept[0]
        ]
        self._anchor, self.at = (touched[0], touched[-1]) if touched else (0, 0)

    def move(self, by: int, extend: bool = False) -> None:
        """Move the cursor, not over an end; the mark goes along, or with ``extend`` grows."""
        self.chosen = True
        self.at = min(max(self.at + by, 0), max(len(self.places) - 1, 0))
        if not extend:
            self._anchor = self.at
