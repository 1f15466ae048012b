"""A prompt's tokens as text, the subject's marked."""

from collections.abc import Sequence

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
) -> Text:
    """Return ``tokens`` in one line, thin bars between them, those in ``span`` as subjects.

    The one ``at`` a cursor is turned round.
    """
    text = Text(no_wrap=False)
    for place, token in enumerate(tokens):
        if place:
            text.append("▏", edge)
        # A token's leading space belongs to it, and is shown.
        style = subject if span[0] <= place < span[1] else plain
        text.append(clean(token), style + _TURNED if place == at else style)
    return text
