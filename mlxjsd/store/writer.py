"""The run on disk: a folder with one SQLite file, in which a batch is one transaction.

A batch is either there as a whole or not at all, whatever ends the process. Results hold
everything needed to draw, print and export them again without the model; :mod:`mlxjsd.store.reader`
reads them.
"""

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError, MachineError
from mlxjsd.files import is_disk_full
from mlxjsd.results import Record, Skipped
from mlxjsd.store import schema
from mlxjsd.store.checked import refuse_impossible, skipped_from
from mlxjsd.store.checksums import SEAL, Changes
from mlxjsd.store.connection import RunConnection, open_new, open_writer, refuse_link
from mlxjsd.store.damage import Damage, readable
from mlxjsd.store.header import Header
from mlxjsd.store.lock import FileLock, lock_path, owner_of
from mlxjsd.store.migration import migrate
from mlxjsd.store.reader import differences, read_header, read_meta, read_whole
from mlxjsd.store.rows import record_of, row_of
from mlxjsd.store.shards import FILE, shard_files

#: What a run that was cut off at a bad moment leaves beside its file, or macOS in any folder.
_LEFTOVER = re.compile(r"\.?(run|heatmap)\S*\.(partial\S*|lock)|\.DS_Store")


class Store:
    """A run folder that is open for writing; use it as a context manager."""

    def __init__(self, folder: Path, header: dict[str, Any], file: str = FILE) -> None:
        """Open ``folder`` for the run that ``header`` describes, a new one or the same one.

        Args:
            folder: made if it is not there.
            header: JSON values; ``settings``, ``model``, ``data``, ``limit`` and the length
                of answers decide whether an existing run is the same, the rest is kept as it
                was first written. With the axes of its numbers, see
                :meth:`mlxjsd.records.Grid.to_json`.
            file: name of the file in it; each can have one writer at a time. See
                :mod:`mlxjsd.store.shards`.

        Raises:
            InputError: if the folder holds something else, a run that differs (the message
                says in what) or one that is damaged, or another process writes to it. Nothing
                is written then.
        """
        self.folder = folder
        self.path = folder / file
        try:
            self._header = Header.of(header)
        except Damage as error:  # what nobody could read is not begun
            raise InputError(
                f"no run can be begun: {error}", hint="give another model, data or settings"
            ) from None
        check_folder(folder)
        refuse_link(self.path)
        for other in shard_files(folder):
            if other != self.path:
                _refuse_if_different(folder, read_header(other), header)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or error
            what = "make room, or give" if is_disk_full(error) else "give"
            raise InputError(
                f"no run can be begun in {folder}: {why}", hint=f"{what} another --output"
            ) from None
        self._lock = FileLock(self.path)
        try:
            self._connection = self._open(header)
            self._file = self.path.stat()
        except BaseException:
            self._lock.release()
            raise

    def _open(self, header: dict[str, Any]) -> RunConnection:
        if not self.path.exists():
            _create(self.path, header)
        with readable(self.path):
            connection = open_writer(self.path)
            try:
                with connection:
                    connection.execute("BEGIN")  # one view of all tables
                    version, stored = read_meta(connection, self.path)
                    _refuse_if_different(self.folder, stored.values, header)
                    read_whole(connection, self.path)
                _migrate(connection, self.path, version)
                connection.set_progress_handler(None, 0)  # from now on it is known
            except BaseException:
                connection.close()
                raise
        return connection

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._lock.release()

    def done(self) -> set[str]:
        """Return the ids of the prompts that are measured."""
        return {row[0] for row in self._connection.execute("SELECT id FROM results")}

    def failed(self) -> set[str]:
        """Return the ids of the prompts that were tried, and could not be measured."""
        return {row[0] for row in self._connection.execute("SELECT id FROM failed")}

    def begin(self, task: str) -> int:
        """Write down what is done next; return how many processes have died at it before."""
        self._lock.begin(task)
        return self._lock.deaths_at(task)

    def add(self, records: Sequence[Record], failed: Sequence[Skipped] = ()) -> None:
        """Commit one batch: all of it or, if the process ends here, none of it.

        Raises:
            MachineError: if that is not possible, such as on a full disk.
            MeasurementError: if a record holds what cannot be: nobody could read it.
            ValueError: if a record has other numbers than the run.
        """
        for record in records:
            if record.grid != self._header.grid:
                raise ValueError(f"the numbers of {record.id!r} are not those of the run")
        rows = [row_of(record) for record in records]
        reasons = [_reason(one) for one in failed]
        try:
            for row in rows:
                record_of(row, self._header)
            for reason in reasons:
                skipped_from(reason)
        except Damage as error:
            raise refuse_impossible(error) from None
        with self._commit() as changes:
            changes.insert("results", rows)
            changes.insert("failed", reasons)

    def forget_failed(self) -> None:
        """Let the prompts that failed be tried again."""
        with self._commit() as changes:
            changes.remove_failed()

    def set_cosines(self, cosines: Mapping[str, Any]) -> None:
        """Write down :attr:`mlxjsd.results.Run.cosines`."""
        self._set("cosines", cosines)

    def set_launch(self, launch: Mapping[str, Any]) -> None:
        """Write down which launch this process belongs to."""
        self._set("world", launch)

    def set_versions(self, versions: Mapping[str, str]) -> None:
        """Write down what computed the numbers, once other machines' are among them."""
        self._set("versions", versions)

    def set_judgements(self, judgements: Sequence[Mapping[str, Any]]) -> None:
        """Write down :attr:`mlxjsd.results.Run.judgements` as JSON values; none takes them away."""
        self._set("judgements", judgements)

    def _set(self, key: str, value: Any) -> None:
        if read_meta(self._connection, self.path)[1].values.get(key) != value:
            with self._commit() as changes:
                changes.put_meta(key, value)

    def set_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Write down which prompts are not measured, and why."""
        known = {row[0] for row in self._connection.execute("SELECT id FROM skipped")}
        if new := [s for s in skipped if s.id not in known]:
            with self._commit() as changes:
                changes.insert("skipped", map(_reason, new))

    @contextmanager
    def _commit(self) -> Iterator[Changes]:
        self._refuse_if_gone()
        try:
            with self._connection:
                changes = Changes(self._connection)
                yield changes
                changes.put_seal()
        # A full disk, a folder that was taken away, a text that is too long.
        except (sqlite3.OperationalError, sqlite3.DataError) as error:
            raise MachineError(
                f"{self.path} can no longer be written: {error}",
                hint="what was committed is safe; make room and go on with `mlxjsd resume "
                f"{self.folder}`",
            ) from error

    def _refuse_if_gone(self) -> None:
        """Raise ``MachineError`` if the file that is written to is no longer at its place."""
        try:
            now = self.path.stat()
        except OSError:
            what = "was removed, or its folder was moved,"
        else:
            if os.path.samestat(now, self._file):
                return
            what = "was replaced by another file"
        raise MachineError(
            f"{self.path} {what} while it was written",
            hint="what was measured until then is where the file went; put it back and give "
            f"`mlxjsd resume {self.folder}`, or begin anew",
        )


def _reason(given: Skipped) -> tuple[Any, ...]:
    """Return a prompt without numbers as a row of ``skipped`` or ``failed``."""
    return given.id, given.position, given.reason


def check_folder(folder: Path) -> None:
    """Raise ``InputError`` if ``folder`` holds something that is not a run, or can be none."""
    try:
        if not folder.is_absolute():
            Path.cwd()
        folder.lstat()
    except FileNotFoundError as error:
        if error.filename is None:  # of the working folder
            raise InputError(
                "the working folder was removed or moved", hint="go to another one"
            ) from None
        return
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise InputError(
            f"{folder} cannot be a run folder: {error.strerror or error}",
            hint="give another --output",
        ) from None
    if not folder.exists():
        raise InputError(
            f"{folder} is a link that leads nowhere", hint="remove it, or give another --output"
        )
    if not folder.is_dir():
        raise InputError(f"{folder} is a file", hint="name a folder for the run")
    if shard_files(folder):
        return
    if any(not _LEFTOVER.fullmatch(path.name) for path in folder.iterdir()):
        raise InputError(f"{folder} holds something else", hint="name a new or an empty folder")


def check_free(folder: Path, file: str = FILE) -> None:
    """Raise ``InputError`` if another process is writing to the run in ``folder``."""
    if owner := owner_of(folder / file):
        raise InputError(
            f"{folder} is being written by {owner}",
            hint="wait until it has ended, or stop it, or give another --output",
        )


def forget_lock(folder: Path, file: str = FILE) -> None:
    """Remove the mark of a process that is about to end on purpose: it did not die of a batch."""
    lock_path(folder / file).unlink(missing_ok=True)


def _create(path: Path, header: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        _remove(partial)
        with closing(open_new(partial)) as connection, connection:
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {schema.VERSION}")
            connection.execute("BEGIN")
            for table in schema.TABLES:
                connection.execute(schema.create(table))
            changes = Changes(connection, empty=True)
            for key, value in {**header, "created": created}.items():
                if key != SEAL:
                    changes.put_meta(key, value)
            changes.put_seal()
        partial.rename(path)  # a run file is whole, or not there
        _sync(path.parent)
    except (OSError, sqlite3.OperationalError) as error:
        _remove(partial)
        why = error.strerror if isinstance(error, OSError) else error
        raise MachineError(
            f"no run can be begun in {path.parent}: {why}",
            hint="make room, or give another --output",
        ) from error


def _remove(partial: Path) -> None:
    """Remove a file that was not finished, with its journal: a new one would be undone by it."""
    for path in (partial, partial.with_name(f"{partial.name}-journal")):
        with suppress(OSError):
            path.unlink()


def _sync(folder: Path) -> None:
    """Make sure that a new name is on the disk, not only in memory."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Bring a file of an older version to this one, as a whole or not at all."""
    if version == schema.VERSION:
        return
    try:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            migrate(connection, version)
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{path} cannot be brought to this version: {error}",
            hint="measure it again into another folder",
        ) from None


def _refuse_if_different(
    folder: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    if said := differences(stored, wanted):
        raise InputError(
            f"{folder} holds a run with other settings ({said})",
            hint="give the same ones to go on with it, or another --output",
        )
