"""One writer at a time: a lock on a run file, held by the operating system for a process.

The kernel lets go of the lock when its process ends, however it ends, so a lock whose owner is
dead is simply taken. Readers need none.
"""

import fcntl
import json
import os
import socket
from contextlib import suppress
from datetime import datetime
from io import FileIO
from pathlib import Path
from types import TracebackType

from mlxjsd import messages
from mlxjsd.errors import InputError


class FileLock:
    """The right to write one file, held from construction to :meth:`release`."""

    def __init__(self, path: Path) -> None:
        """Take the lock of the file ``path``, which need not be there, but its folder must.

        It lies beside the file, not on it: SQLite has locks of its own there.

        Raises:
            InputError: if another process holds it; the message says which one, and since when.
        """
        self.path = path.with_name(f"{path.name}.lock")
        self._file: FileIO | None = None
        try:
            while self._file is None:
                self._file = self._try()
            self._file.truncate()
            self._file.write(json.dumps(_myself()).encode())
        except OSError as error:
            self.release()
            why = error.strerror or error
            raise InputError(messages.CANNOT_LOCK(path=path, why=why)) from None

    def _try(self) -> FileIO | None:
        """Return an open, locked file; None if its owner has just given it up."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        file = FileIO(descriptor, "r+")  # closed, and so let go, with its last reference
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), self.path.stat()):
                return file
        except BlockingIOError:
            raise InputError(
                messages.IN_USE(folder=self.path.parent, owner=_owner(descriptor))
            ) from None
        except FileNotFoundError:
            pass  # removed between our two steps
        return None

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def owner_of(path: Path) -> str | None:
    """Say who holds the lock of the file ``path``, or None if nobody does."""
    try:
        file = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR)
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


def _myself() -> dict[str, str | int]:
    now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}


def _owner(file: int) -> str:
    """Say who wrote the lock's file; its owner may not have got so far."""
    try:
        told = json.loads(os.pread(file, 4096, 0))
        pid, host, since = int(told["pid"]), str(told["host"]), str(told["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
    where = "" if host == socket.gethostname() else f" on {host}"
    return f"process {pid}{where}, since {since}"
