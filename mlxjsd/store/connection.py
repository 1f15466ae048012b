"""The one place that opens run files: readers never write, and SQLite trusts nothing in them.

A reader sees the file at one moment. If a writer was killed in the middle of a commit, SQLite
would undo it where it lies; a reader lets it do so in a private copy instead. Writers undo it in
place, with the lock of the file, and after its journal was looked at.
"""

import os
import shutil
import sqlite3
import stat
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.store import schema
from mlxjsd.store.damage import Damage, readable, timed
from mlxjsd.store.journal import (
    HEAD,
    check_beside,
    check_journal,
    journal_of,
    opened,
    page_size_of,
)

#: Seconds for which a writer waits for a reader, and a reader for a commit.
PATIENCE = 60.0
#: Seconds that reading a file may take, and bytes of it for which it may take one more.
LONGEST, BYTES_A_SECOND = 60.0, 2_000_000
#: Bytes of the longest text or blob.
MOST_BYTES = 64 << 20
#: Steps of SQLite's machine between two looks at the clock, and at what signals ask for.
_STEPS = 10_000
_CHUNK = 1 << 20

_LIMITS = {
    "LENGTH": MOST_BYTES,
    "SQL_LENGTH": 20_000,
    "COLUMN": 64,
    "EXPR_DEPTH": 50,
    "COMPOUND_SELECT": 4,
    "ATTACHED": 0,
    "LIKE_PATTERN_LENGTH": 100,
    "VARIABLE_NUMBER": 64,
    "TRIGGER_DEPTH": 1,
    "WORKER_THREADS": 0,
}
_SWITCHES = {
    "DEFENSIVE": True,
    "ENABLE_TRIGGER": False,
    "ENABLE_VIEW": False,
    "TRUSTED_SCHEMA": False,
    "WRITABLE_SCHEMA": False,
    "ENABLE_LOAD_EXTENSION": False,
}
_PRAGMAS = ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "temp_store = MEMORY")
#: All that a reader may ask for, by name, and with which argument.
_ASKED = {
    *(("application_id", None), ("user_version", None), ("integrity_check", "1")),
    *(("schema_version", None),),
}


class RunConnection(sqlite3.Connection):
    """A connection to a run file."""

    clock: "_Clock"
    """How long its queries may still take."""
    release: "weakref.finalize[..., RunConnection] | None" = None
    """Lets go of what was held for it."""

    def close(self) -> None:
        """Close it, then let go of its file."""
        super().close()
        if self.release is not None:
            self.release()


class _Clock:
    """Ends queries that take too long; and those that a signal ends, by being called at all."""

    def __init__(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    def __call__(self) -> int:
        timed.out = time.monotonic() > self.until
        return int(timed.out)


# Files that are held open.


@dataclass
class _Held:
    descriptor: int
    users: int = 0


_held: dict[tuple[int, int], _Held] = {}
_guard = threading.Lock()


def _hold(path: Path) -> tuple[tuple[int, int], int]:
    """Return a file's identity, and a descriptor that is shared by all of this process.

    The locks of SQLite on a file go when a process closes *any* descriptor of it
    (https://www.sqlite.org/howtocorrupt.html, section 2.2), so there is one, and it stays open
    as long as a connection to the file.

    Raises:
        Damage: if it is no regular file; it is not waited for.
    """
    with _guard:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise Damage("it is no regular file")
        held = _held.get((found.st_dev, found.st_ino))
        if held is None:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                os.close(descriptor)
                raise Damage("it is no regular file")
            # It may have been replaced by one that is held; then its descriptor stays open.
            held = _held.setdefault((found.st_dev, found.st_ino), _Held(descriptor))
        held.users += 1
        return (found.st_dev, found.st_ino), held.descriptor


def _let_go(identity: tuple[int, int]) -> None:
    with _guard:
        held = _held[identity]
        held.users -= 1
        if held.users == 0:
            del _held[identity]
            os.close(held.descriptor)


def content_of(path: Path) -> bytes:
    """Return the bytes of a run file, which may be damaged.

    Raises:
        Damage: if it is no regular file.
    """
    identity, descriptor = _hold(path)
    try:
        return b"".join(_chunks(descriptor))
    finally:
        _let_go(identity)


def _chunks(descriptor: int) -> Iterator[bytes]:
    at = 0
    while chunk := os.pread(descriptor, _CHUNK, at):
        at += len(chunk)
        yield chunk


# Connections.


@contextmanager
def reading(path: Path) -> Iterator[RunConnection]:
    """Read a run file at one moment; see :func:`open_reader`.

    Raises:
        InputError: whatever is wrong with it.
    """
    with readable(path), closing(open_reader(path)) as connection:
        yield connection


def open_reader(path: Path) -> RunConnection:
    """Open a run file to read it as it was last committed, in one transaction.

    Nothing is written to its folder, whatever lies there.

    Raises:
        Damage: if it is no run file. A damaged file leads to other errors too, see
            :func:`mlxjsd.store.damage.readable`.
    """
    place, until = Path(os.path.realpath(path)), time.monotonic() + PATIENCE
    while True:
        identity, descriptor = _hold(place)
        try:
            size = page_size_of(os.pread(descriptor, HEAD, 0), path)
            check_beside(place)
            try:
                return _begun(_connect(place, "ro", identity))
            except sqlite3.OperationalError as error:
                waits = "locked" in str(error)
                if time.monotonic() > until or not (waits or "readonly" in str(error)):
                    raise
            if not waits and (copied := _undone_copy(descriptor, place, size)):
                return copied
        finally:
            _let_go(identity)
        time.sleep(0.02)


def open_writer(path: Path) -> RunConnection:
    """Open a run file to write to it; the caller holds its lock. A commit of a process that was
    killed is undone.

    Raises:
        InputError: if it is a link.
        Damage: as :func:`open_reader`, or if its journal is not to be trusted.
    """
    refuse_link(path)
    identity, descriptor = _hold(path)
    try:
        size = page_size_of(os.pread(descriptor, HEAD, 0), path)
        check_beside(path)
        check_journal(journal_of(path), size, os.fstat(descriptor).st_size // size)
        connection = _connect(path, "rw", identity)
    finally:
        _let_go(identity)
    connection.execute("PRAGMA fullfsync = 1")  # where fsync alone does not reach the disk: macOS
    return connection


def open_new(path: Path) -> RunConnection:
    """Make an empty file, and open it to be made a run file.

    Raises:
        OSError: if it cannot be made, or is there already.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
    return _connect(path, "rw", _hold(path)[0], held=True)


def refuse_link(path: Path) -> None:
    """Raise ``InputError`` if a run file is a link: what one points to is not written to."""
    if path.is_symlink():
        raise InputError(
            f"{path} is a link, and what it points to is not written to",
            hint="put the file itself there, or give another --output",
        )


def _connect(path: Path, mode: str, identity: tuple[int, int], held: bool = False) -> RunConnection:
    if not held:
        with _guard:
            _held[identity].users += 1
    try:
        # The engine's one thread writes. A reader waits for commits itself, see `open_reader`.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=0.25 if mode == "ro" else PATIENCE,
            check_same_thread=False,
            factory=RunConnection,
        )
    except BaseException:
        _let_go(identity)
        raise
    connection.release = weakref.finalize(connection, _let_go, identity)
    bytes_of = os.fstat(_held[identity].descriptor).st_size
    connection.clock = _Clock(LONGEST + bytes_of / BYTES_A_SECOND)
    connection.set_progress_handler(connection.clock, _STEPS)
    for name, value in _LIMITS.items():
        if hasattr(connection, "setlimit"):  # from Python 3.11 on
            connection.setlimit(getattr(sqlite3, f"SQLITE_LIMIT_{name}"), value)
    for name, switch in _SWITCHES.items():
        if hasattr(connection, "setconfig"):  # from Python 3.12 on
            with suppress(sqlite3.OperationalError):  # SQLite is older
                connection.setconfig(getattr(sqlite3, f"SQLITE_DBCONFIG_{name}"), switch)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _begun(connection: RunConnection) -> RunConnection:
    """Let a connection only read, from now on at one moment."""
    try:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only = ON")
        connection.set_authorizer(_allowed)
        connection.execute("BEGIN")
        connection.execute("PRAGMA schema_version").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _allowed(action: int, one: str | None, two: str | None, *_: str | None) -> int:
    allowed = (
        action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION)
        or (action == sqlite3.SQLITE_READ and one in (*schema.TABLES, "sqlite_master"))
        or (action == sqlite3.SQLITE_PRAGMA and (one, two) in _ASKED)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _undone_copy(descriptor: int, path: Path, page_size: int) -> RunConnection | None:
    """Return a connection to a copy of a file in which the commit that its journal holds is undone.

    No lock is needed. As long as the journal stays the same, only what it can undo is written to
    the file: by whoever has written it, or by a writer that undoes it.

    Returns:
        None if the journal has changed meanwhile, or is gone.
    """
    folder = Path(tempfile.mkdtemp(prefix="mlxjsd-"))
    try:
        copy = folder / "run.sqlite"
        with suppress(FileNotFoundError):
            with opened(journal_of(path)) as file, journal_of(copy).open("xb") as out:
                before = _copied(file.fileno(), out.fileno())
            with copy.open("xb") as out:
                _copied(descriptor, out.fileno())
            with opened(journal_of(path)) as file:
                if _copied(file.fileno(), None) != before:
                    return None
            check_journal(journal_of(copy), page_size, copy.stat().st_size // page_size)
            # Open it is read on, though it has no name any more.
            identity, _ = _hold(copy)
            return _begun(_connect(copy, "rw", identity, held=True))
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copied(source: int, target: int | None) -> bytes:
    """Copy a file, if there is a ``target``; return the digest of what it holds."""
    digest = blake2b()
    for chunk in _chunks(source):
        digest.update(chunk)
        left = memoryview(chunk)
        while target is not None and left:
            left = left[os.write(target, left) :]
    return digest.digest()
