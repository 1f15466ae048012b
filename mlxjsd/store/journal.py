"""What SQLite would believe before any of its own checks: the file's head, and its journal.

A journal beside a file is rolled back into it, and the file that a *super-journal* name in it
points to is deleted. So both are looked at before SQLite is let near them
(https://www.sqlite.org/fileformat2.html#the_rollback_journal). Run files are never in WAL mode.
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.store import schema
from mlxjsd.store.damage import Damage

#: Bytes in front of the first page's content.
HEAD = 100
_MAGIC = bytes.fromhex("d9d505f920a163d7")
#: Magic, records, nonce, pages before the transaction, bytes of a sector, bytes of a page.
_JOURNAL_HEAD = struct.Struct(">8sIIIII")
#: Records are to be counted by the journal's size.
_UNCOUNTED = 0xFFFFFFFF
#: A page is not locked, and so never in a journal, that holds this byte.
_PENDING = 0x40000000
#: Not waited for if it is a pipe, not followed if it is a link.
_AS_IT_IS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


def page_size_of(head: bytes, path: Path) -> int:
    """Return the bytes of a page, as the first ``HEAD`` bytes of a run file say.

    Raises:
        InputError: if it is a database, but none of ours.
        Damage: if it is none, or one that could not have been written by us.
    """
    if len(head) < HEAD or head[:16] != b"SQLite format 3\0":
        raise Damage("file is not a database")
    if int.from_bytes(head[68:72], "big") != schema.APPLICATION_ID:
        raise InputError(f"{path} was not written by mlxjsd", hint="name a run folder of mlxjsd")
    if head[18:20] != b"\1\1":
        raise Damage("it is in WAL mode, as no run file is")
    (size,) = struct.unpack_from(">H", head, 16)
    size = 65536 if size == 1 else size
    if size < 512 or size & (size - 1):
        raise Damage(f"a page of {size} bytes")
    (encoding,) = struct.unpack_from(">I", head, 56)
    vacuum, step = struct.unpack_from(">I8xI", head, 52)
    if encoding != 1 or vacuum or step or head[21:24] != b"\x40\x20\x20" or any(head[72:92]):
        raise Damage("its first bytes are not those of a run file")
    return int(size)


def journal_of(path: Path) -> Path:
    """Return where SQLite keeps the journal of a file."""
    return path.with_name(f"{path.name}-journal")


def check_beside(path: Path) -> None:
    """Raise ``Damage`` if something lies beside a run file that SQLite would make use of."""
    for kind in ("wal", "shm"):
        if os.path.lexists(path.with_name(f"{path.name}-{kind}")):
            raise Damage(f"beside it lies {path.name}-{kind}, as beside no run file")
    try:
        with opened(journal_of(path)) as file:
            _check_names_nothing(file)
    except FileNotFoundError:
        pass


@contextmanager
def opened(path: Path) -> Iterator[FileIO]:
    """Open a journal as it is.

    Raises:
        Damage: if it is a link, or no regular file.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise Damage(f"{path.name} is no journal: it is a link, or no regular file")
    with FileIO(os.open(path, _AS_IT_IS), "r") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise Damage(f"{path.name} is no journal: it is no regular file")
        yield file


def _check_names_nothing(file: FileIO) -> None:
    size = os.fstat(file.fileno()).st_size
    if size >= 16 and os.pread(file.fileno(), 8, size - 8) == _MAGIC:
        raise Damage("its journal names another file, which SQLite would delete")


def check_journal(journal: Path, page_size: int, pages: int) -> None:
    """Make sure that a journal may be rolled back: it is of this file, and whole.

    What a process had not come to write when it was killed is no damage: SQLite writes to a file
    only what its journal says that it holds.

    Args:
        journal: of a file that nobody writes to; it need not be there.
        page_size: of that file.
        pages: that the file holds now.

    Raises:
        Damage: if it may not.
    """
    try:
        with opened(journal) as file:
            _check_names_nothing(file)
            _check_records(file, page_size, pages)
    except FileNotFoundError:
        pass


def _check_records(file: FileIO, page_size: int, pages: int) -> None:
    descriptor, at, sector = file.fileno(), 0, 0
    size, record = os.fstat(descriptor).st_size, page_size + 8
    while at + _JOURNAL_HEAD.size <= size:
        head = os.pread(descriptor, _JOURNAL_HEAD.size, at)
        magic, count, nonce, before, of_sector, of_page = _JOURNAL_HEAD.unpack(head)
        if magic != _MAGIC:
            return  # SQLite stops here as well
        if at == 0:
            sector = of_sector
            if of_page != page_size or not 0 < before <= pages:
                raise Damage("its journal is that of another file")
            if not 32 <= sector <= 65536 or sector & (sector - 1):
                raise Damage(f"its journal has sectors of {sector} bytes")
        at += sector
        counted = count != _UNCOUNTED
        for _ in range(count if counted else (size - at) // record):
            content = os.pread(descriptor, record, at)
            at += record
            if not _is_record(content, nonce, page_size):
                if counted:
                    raise Damage("its journal is damaged")
                return
        at = -(-at // sector) * sector


def _is_record(content: bytes, nonce: int, page_size: int) -> bool:
    if len(content) != page_size + 8:
        return False
    number = int.from_bytes(content[:4], "big")
    page = content[4:-4]
    summed = nonce + sum(page[at] for at in range(page_size - 200, 0, -200))
    kept = int.from_bytes(content[-4:], "big")
    return number not in (0, _PENDING // page_size + 1) and kept == summed & 0xFFFFFFFF
