"""One writer at a time: a lock on a run file, held by the operating system for a process.

The kernel lets go of the lock when its process ends, however it ends, so a lock whose owner is
dead is simply taken. Readers need none. What the owner was at when it died stands in the lock's
file: a batch that ends the process each time must not be begun for ever.
"""

import errno
import fcntl
import json
import os
import socket
import stat
from contextlib import suppress
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError

#: A link is not followed, for what it points to would be written over; a pipe is not waited for.
_AS_IT_IS = os.O_NOFOLLOW | os.O_NONBLOCK


class FileLock:
    """The right to write one file, held from construction to :meth:`release`."""

    def __init__(self, path: Path) -> None:
        """Take the lock of the file ``path``, which need not be there, but its folder must.

        It lies beside the file, not on it: SQLite has locks of its own there.

        Raises:
            InputError: if another process holds it; the message says which one, and since when.
        """
        self.path = lock_path(path)
        self._file: FileIO | None = None
        self._myself = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
        self._died: dict[str, int] = {}
        try:
            while self._file is None:
                self._file = self._try()
            self._died = _died(_read(self._file.fileno()))
            self._write(None)
        except OSError as error:
            self.release()
            why = error.strerror or error
            raise InputError(
                f"{path} cannot be locked against a second writer: {why}",
                hint="give an --output on a disk that can be written to",
            ) from None

    def _try(self) -> FileIO | None:
        """Return an open, locked file; None if its owner has just given it up."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | _AS_IT_IS, 0o644)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._not_ours() from None
            raise
        file = FileIO(descriptor, "r+")  # closed, and so let go, with its last reference
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            here = os.fstat(descriptor)
            if not stat.S_ISREG(here.st_mode) or here.st_nlink > 1:
                raise self._not_ours()
            if os.path.samestat(here, self.path.lstat()):
                return file
        except BlockingIOError:
            raise InputError(
                f"{self.path.parent} is being written by {_owner(descriptor)}",
                hint="wait until it has ended, or stop it, or give another --output",
            ) from None
        except FileNotFoundError:
            pass  # removed between our two steps
        return None

    def _not_ours(self) -> InputError:
        return InputError(
            f"{self.path} is no lock: it is a link, or no regular file",
            hint="remove it, if you know who put it there",
        )

    def begin(self, task: str) -> None:
        """Write down what is done next: if the process dies, it died at that."""
        self._write(task)

    def deaths_at(self, task: str) -> int:
        """Return how many owners in a row died at ``task``, without an orderly end between."""
        return self._died.get(task, 0)

    def _write(self, task: str | None) -> None:
        assert self._file is not None
        told = json.dumps({**self._myself, "task": task, "died": self._died}).encode()
        os.ftruncate(self._file.fileno(), 0)
        os.pwrite(self._file.fileno(), told, 0)

    def release(self) -> None:
        """Let go; the lock's file goes with it."""
        if self._file is None:
            return
        with suppress(OSError):
            self.path.unlink()
        self._file.close()
        self._file = None

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_path(path: Path) -> Path:
    """Return where the lock of the file ``path`` lies."""
    return path.with_name(f"{path.name}.lock")


def owner_of(path: Path) -> str | None:
    """Say who holds the lock of the file ``path``, or None if nobody does."""
    try:
        file = os.open(lock_path(path), os.O_RDONLY | _AS_IT_IS)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(file)
    except OSError:
        return None
    finally:
        os.close(file)
    return None


def _now() -> str:
    return datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")


def _read(file: int) -> dict[str, Any]:
    """Return what an owner wrote; nothing if it had not got so far."""
    try:
        told = json.loads(os.pread(file, 1 << 20, 0))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _died(told: dict[str, Any]) -> dict[str, int]:
    """Return how many owners died at which task, the one that wrote ``told`` included."""
    before, task = told.get("died"), told.get("task")
    died = (
        {k: v for k, v in before.items() if isinstance(v, int)} if isinstance(before, dict) else {}
    )
    if isinstance(task, str):
        died[task] = died.get(task, 0) + 1
    return died


def _owner(file: int) -> str:
    """Say who wrote the lock's file."""
    told = _read(file)
    if not {"pid", "host", "since"} <= told.keys():
        return "another process"
    where = "" if told["host"] == socket.gethostname() else f" on {told['host']}"
    return f"process {told['pid']}{where}, since {told['since']}"
