"""Text from files, made harmless: no markup, no control characters; and sizes for people."""

import re
import unicodedata

#: Categories that move the cursor, reorder text or cannot be drawn.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_VISIBLE = {"\n": "↵", "\t": "→", "\r": "↵"}


def clean(text: str) -> str:
    """Return ``text`` as one line that a terminal can be trusted with."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_VISIBLE.get(c, "") if unicodedata.category(c) in _UNSAFE else c for c in text)


#: What Markdown reads as something else, wherever it stands; underscores only around words.
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~]|(?<!\w)_|_(?!\w)")


def plain(text: str) -> str:
    """Return ``text`` as one line of Markdown that says just this: no link, image, code or table.

    A model's name, a relation or an answer may hold anything.
    """
    return _MARKDOWN.sub(r"\\\g<0>", clean(text))


def tiny(value: float) -> str:
    """Return a number that is nearly zero: ``2.2e-08``; one that is zero as ``0``."""
    return f"{value:.1e}" if value else "0"


def size_of(count: int) -> str:
    """Return a number of bytes as people say it: ``3.9 MB``."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_of(seconds: float) -> str:
    """Return a time as people say it, in its two largest units: ``3 h 20 min``."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days {whole % 86400 // 3600} h"
