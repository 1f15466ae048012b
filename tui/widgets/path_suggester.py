"""What a path goes on with, while it is being typed."""

import asyncio
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from textual.suggester import Suggester

from mlxjsd.tui.text import clean

#: Names that are looked at in a folder; in a longer one, those after them are not found.
_MOST = 5000


class PathSuggester(Suggester):
    """Names that are known, then what lies in the folder that is typed."""

    def __init__(self, names: Callable[[], Iterable[str]] = tuple) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._names = names

    async def get_suggestion(self, value: str) -> str | None:
        """Return the first thing that begins with ``value`` and is longer."""
        if not value.strip():
            return None
        for name in self._names():
            if name.startswith(value) and name != value:
                return name
        return await asyncio.to_thread(completed, value)


def completed(value: str) -> str | None:
    """Return a path that begins as ``value`` does, folders with a slash; None without one."""
    head, slash, begun = value.rpartition("/")
    try:
        folder = Path(head + slash or ".").expanduser()
        with os.scandir(folder) as entries:
            found = sorted(
                entry.name + ("/" if entry.is_dir() else "")
                for entry, _ in zip(entries, range(_MOST), strict=False)
                # A hidden one, or one that cannot be shown as it is, is typed by whoever wants it.
                if entry.name.startswith(begun)
                and (begun or not entry.name.startswith("."))
                and clean(entry.name) == entry.name
            )
    except (OSError, RuntimeError, ValueError):
        return None
    return next((head + slash + name for name in found if name != begun), None)
