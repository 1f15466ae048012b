"""What libraries write to the terminal behind Python's back, kept apart while the app draws on it.

A tokenizer that panics, written in Rust, and much that is written in C put their lines on file
descriptor 2, on which the app draws as well. Here the descriptor leads to a file, and Python's
standard error, which Textual draws on, to a duplicate of the terminal. A file, not a pipe: who
writes may hold Python's lock, and nobody could empty a pipe that is full.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlxjsd.text import clean

#: Lines and bytes of it that are shown: the last ones.
MOST_LINES, MOST_BYTES = 20, 16_384
_STDERR = 2


class LibraryOutput:
    """What has been written since it was last asked for."""

    def __init__(self, descriptor: int) -> None:
        """Read what is appended to a file."""
        self._descriptor = descriptor

    def take(self) -> str:
        """Return the last lines that were written, harmless ones, and forget them; "" for none."""
        size = os.fstat(self._descriptor).st_size
        if not size:
            return ""
        start = max(size - MOST_BYTES, 0)
        written = os.pread(self._descriptor, MOST_BYTES, start)
        os.ftruncate(self._descriptor, 0)
        text = written.decode("utf-8", "replace").replace("\r", "\n")
        lines = [clean(line) for line in text.split("\n") if line.strip()]
        if start or len(lines) > MOST_LINES:
            lines = ["…", *lines[-MOST_LINES:]]
        return "\n".join(lines)


@contextmanager
def kept_apart() -> Iterator[LibraryOutput]:
    """Keep what libraries write off the terminal, and give the terminal back at the end."""
    own, error = sys.__stderr__, sys.stderr
    if own is not None:
        own.flush()
    terminal = os.dup(_STDERR)
    descriptor, name = tempfile.mkstemp(prefix="mlxjsd-")
    # Appending, so that it can be emptied while others write.
    appending = os.open(name, os.O_RDWR | os.O_APPEND)
    Path(name).unlink()
    os.close(descriptor)
    try:
        encoding = "utf-8" if own is None else own.encoding
        with os.fdopen(
            os.dup(terminal), "w", encoding=encoding, errors="backslashreplace"
        ) as stream:
            os.dup2(appending, _STDERR)
            sys.__stderr__ = stream  # type: ignore[misc]
            if error is own:  # whoever has put something else there has a reason
                sys.stderr = stream
            try:
                yield LibraryOutput(appending)
            finally:
                os.dup2(terminal, _STDERR)
                sys.__stderr__ = own  # type: ignore[misc]
                if sys.stderr is stream:
                    sys.stderr = error
    finally:
        os.close(appending)
        os.close(terminal)
