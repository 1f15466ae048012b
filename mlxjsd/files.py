"""Atomic writes, content hashes."""

import errno
import glob
import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mlxjsd.errors import InputError, MachineError


def write_whole(path: Path, content: bytes | Iterable[bytes], private: bool = False) -> None:
    """Write a file under a temporary name, then give it the name ``path``.

    Content that comes in parts is written as it comes, and need not fit into memory.

    Neither name is followed if it is a link: what one points to is left alone. A file that was
    there leaves its mode to the new one, unless it is ``private``: for its owner alone.

    Raises:
        InputError: if that is not possible; a file that was there is left as it was.
        MachineError: if the disk is full; the same.
    """
    _remove_abandoned(path)
    # Random, and new: in a folder of several people, somebody may have put a link in our way.
    name = f".{path.stem}.partial-{os.getpid()}-{secrets.token_hex(8)}{path.suffix}"
    partial = path.with_name(name)
    try:
        # Not by tempfile, whose files nobody else may read, whatever the umask.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            mode = 0o600 if private else _mode_of(path)
            if mode is not None:
                os.fchmod(descriptor, mode)
            for part in [content] if isinstance(content, bytes) else content:
                file.write(part)
            file.flush()
            os.fsync(descriptor)  # the content is on the disk before the name is
        partial.replace(path)
    except OSError as error:
        why = error.strerror or error
        if is_disk_full(error):
            raise MachineError(
                f"cannot write {path}: {why}",
                hint="make room, and give the same command again: nothing is lost",
            ) from None
        raise InputError(
            f"cannot write {path}: {why}", hint="name a file that can be written with -o"
        ) from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _mode_of(path: Path) -> int | None:
    """Return the mode of a regular file; None if there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else None


def is_disk_full(error: OSError) -> bool:
    """Say whether an error means that the disk, or one's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of processes that were killed while they wrote this file."""
    before, after = f".{path.stem}.partial-", path.suffix
    with suppress(OSError):
        for left in path.parent.glob(f"{glob.escape(before)}*{glob.escape(after)}"):
            pid = left.name.removeprefix(before).removesuffix(after).partition("-")[0]
            if pid.isdecimal() and not process_lives(int(pid)):
                left.unlink(missing_ok=True)


def process_lives(pid: int) -> bool:
    """Say whether there is a process with this number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
