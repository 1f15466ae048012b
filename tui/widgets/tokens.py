"""A prompt's tokens as text, the subject's marked."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from mlxjsd.tui.text import clean

_TURNED = Style(reverse=True)


def token_text(
    tokens: Sequence[str],
    span: tuple[int, int],
    subject: Style,
    plain: Style,
    edge: Style,
    at: int | None = None,
    width: int | None = None,
) -> Text:
    """Return ``tokens``, thin bars between them, those in ``span`` as subjects.

    The one ``at`` a cursor is turned round. With a ``width`` they stand in lines of at most so many
    columns, so that no token is parted from the space in front of it.
    """
    text, column = Text(no_wrap=False), 0
    for place, token in enumerate(tokens):
        # A token's leading space belongs to it, and is shown.
        said = clean(token)
        if place:
            text.append("▏", edge)
            column += 1
        if width is not None and column and column + cell_len(said) + 1 > width:
            text.append("\n")
            column = 0
        style = subject if span[0] <= place < span[1] else plain
        text.append(said, style + _TURNED if place == at else style)
        column += cell_len(said)
    return text
