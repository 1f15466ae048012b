"""Atomic writes, content hashes."""

import errno
import glob
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError, MachineError


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file, then give it the name ``path``.

    Raises:
        InputError: if that is not possible; a file that was there is left as it was.
        MachineError: if the disk is full; the same.
    """
    _remove_abandoned(path)
    partial = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        write(partial)
        _sync(partial)
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
        partial.unlink(missing_ok=True)


def is_disk_full(error: OSError) -> bool:
    """Say whether an error means that the disk, or one's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files of processes that were killed while they wrote this file."""
    before, after = f".{path.stem}.partial-", path.suffix
    with suppress(OSError):
        for left in path.parent.glob(f"{glob.escape(before)}*{glob.escape(after)}"):
            pid = left.name.removeprefix(before).removesuffix(after)
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


def _sync(path: Path) -> None:
    """See to it that the content is on the disk before the name is."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
