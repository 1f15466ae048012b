"""Text in little room: what tells it apart is kept."""

from rich.cells import cell_len, set_cell_size

from mlxjsd.records import Record
from mlxjsd.tui.text import clean

_CUT = "…"


def subject_place(record: Record) -> tuple[int, int]:
    """Return where the subject stands in a prompt's text, as [start, end); (0, 0) if unknown.

    A record knows the subject's tokens, not its characters. Of several places it is the first one
    that as much text goes before as in front of these tokens.
    """
    text, subject = record.text, record.subject
    if not subject:
        return 0, 0
    start = text.find(subject)
    if "occurs-twice" in record.flags and start >= 0:
        before = len("".join(record.tokens[: record.subject_span[0]]).lstrip())
        places = [at for at in range(len(text)) if text.startswith(subject, at)]
        start = min(places, key=lambda at: abs(at - before))
    return (start, start + len(subject)) if start >= 0 else (0, 0)


def around(text: str, start: int, end: int, width: int) -> tuple[str, str, str]:
    """Cut ``text`` to ``width`` columns so that [start, end) stays to be seen.

    The words after it say what is asked, so these come next, and then those in front of it.

    Returns:
        What is left before, in, and after that part, in all ``width`` columns at most.
    """
    before, within, after = (clean(part) for part in (text[:start], text[start:end], text[end:]))
    if sum(map(cell_len, (before, within, after))) <= width:
        return before, within, after
    if not within:
        return "", "", _head(before + after, width)
    if cell_len(within) >= width:
        return "", _head(within, width), ""
    room = width - cell_len(within)
    # A cut on its own says that there was something; more is worth it only if it can be read.
    in_front = min(cell_len(before), 1 if room - cell_len(after) < 1 else room - cell_len(after))
    after = _head(after, room - in_front)
    return _tail(before, room - cell_len(after)), within, after


def _head(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + _CUT if width > 0 else ""


def _tail(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    if width < 1:
        return ""
    kept = text
    while cell_len(kept) > width - 1:
        kept = kept[1:]
    return _CUT + kept.lstrip() if width > 1 else _CUT
