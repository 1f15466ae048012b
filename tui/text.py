"""Text from files at a known width; and what makes it harmless, under one name."""

from rich.text import Text

from mlxjsd.text import clean, size_of

__all__ = ["clean", "clock", "fitted", "size_of"]


def fitted(text: str, width: int, style: str = "") -> Text:
    """Return ``text`` cut or padded to ``width`` columns."""
    line = Text(clean(text), style=style, no_wrap=True, end="")
    line.truncate(width, overflow="ellipsis", pad=True)
    return line


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
