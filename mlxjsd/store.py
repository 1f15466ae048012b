"""The run on disk: a folder with one SQLite file, in which a batch is one transaction.

A batch is either there as a whole or not at all, whatever ends the process. Results hold
everything needed to draw, print and export them again without the model.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlxjsd import messages, schema
from mlxjsd.errors import InputError, MachineError, said_by
from mlxjsd.formats import FORMATS
from mlxjsd.lock import FileLock, lock_path, owner_of
from mlxjsd.records import Record, Run, Skipped
from mlxjsd.settings import Settings
from mlxjsd.shards import FILE, joined, shard_files

APPLICATION_ID, SCHEMA_VERSION = schema.APPLICATION_ID, schema.VERSION
#: Seconds for which a writer waits for a reader, and a reader for a commit.
PATIENCE = 60.0
#: What a run that was cut off at a bad moment leaves beside its file, or macOS in any folder.
_LEFTOVER = re.compile(r"\.?(run|heatmap)\S*\.(partial\S*|lock)|\.DS_Store")
#: What a bit that flipped can lead to once SQLite has handed a value out.
_NONSENSE = (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError)


class Store:
    """A run folder that is open for writing; use it as a context manager."""

    def __init__(self, folder: Path, header: dict[str, Any], file: str = FILE) -> None:
        """Open ``folder`` for the run that ``header`` describes, a new one or the same one.

        Args:
            folder: made if it is not there.
            header: JSON values; ``settings``, ``model``, ``data``, ``limit`` and the length
                of answers decide whether an existing run is the same, the rest is kept as it
                was first written.
            file: name of the file in it; each can have one writer at a time. See
                :mod:`mlxjsd.shards`.

        Raises:
            InputError: if the folder holds something else, a run that differs (the message
                says in what) or one that is damaged, or another process writes to it. Nothing
                is written then.
        """
        self.folder = folder
        self.path = folder / file
        check_folder(folder)
        for other in shard_files(folder):
            if other != self.path:
                _refuse_if_different(folder, read_header(other), header)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or error
            raise InputError(messages.CANNOT_BEGIN_RUN(folder=folder, why=why)) from None
        self._lock = FileLock(self.path)
        try:
            self._connection = self._open(header)
        except BaseException:
            self._lock.release()
            raise

    def _open(self, header: dict[str, Any]) -> sqlite3.Connection:
        if not self.path.exists():
            return _create(self.path, header)
        connection = _connect(self.path)
        try:
            with _readable(self.path):
                version, meta = _read_meta(connection, self.path)
                _refuse_if_different(self.folder, meta, header)
                _read(connection, self.path)
            _migrate(connection, self.path, version)
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
        """
        with self._commit() as connection:
            new = schema.put_results(connection, records)
            new += schema.put_reasons(connection, "failed", failed)
            schema.add_to_seal(connection, new)

    def forget_failed(self) -> None:
        """Let the prompts that failed be tried again."""
        with self._commit() as connection:
            checksums = [row[0] for row in connection.execute("SELECT checksum FROM failed")]
            connection.execute("DELETE FROM failed")
            schema.take_from_seal(connection, checksums)

    def set_cosines(self, cosines: Mapping[str, Any]) -> None:
        """Write down :attr:`mlxjsd.records.Run.cosines`."""
        self._set("cosines", cosines)

    def set_world(self, world: Mapping[str, Any]) -> None:
        """Write down which launch this process is of; see :func:`mlxjsd.peers.world`."""
        self._set("world", world)

    def set_versions(self, versions: Mapping[str, str]) -> None:
        """Write down what computed the numbers, once other machines' are among them."""
        self._set("versions", versions)

    def _set(self, key: str, value: Mapping[str, Any]) -> None:
        if _read_meta(self._connection, self.path)[1].get(key) != value:
            with self._commit() as connection:
                schema.put_meta(connection, key, value)

    def set_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Write down which prompts are not measured, and why."""
        known = {row[0] for row in self._connection.execute("SELECT id FROM skipped")}
        if new := [s for s in skipped if s.id not in known]:
            with self._commit() as connection:
                schema.put_reasons(connection, "skipped", new)

    @contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection:
                yield self._connection
        except sqlite3.OperationalError as error:  # a full disk, a folder that was taken away
            sentence = messages.CANNOT_WRITE_RUN(path=self.path, why=error, folder=self.folder)
            raise MachineError(sentence) from error


def check_folder(folder: Path) -> None:
    """Raise ``InputError`` if ``folder`` holds something that is not a run."""
    if folder.exists() and not folder.is_dir():
        raise InputError(messages.RUN_IS_A_FILE(folder=folder))
    if not folder.exists() or shard_files(folder):
        return
    if any(not _LEFTOVER.fullmatch(path.name) for path in folder.iterdir()):
        raise InputError(messages.HOLDS_SOMETHING_ELSE(folder=folder))


def check_free(folder: Path, file: str = FILE) -> None:
    """Raise ``InputError`` if another process is writing to the run in ``folder``."""
    if owner := owner_of(folder / file):
        raise InputError(messages.IN_USE(folder=folder, owner=owner))


def forget_lock(folder: Path, file: str = FILE) -> None:
    """Remove the mark of a process that is about to end on purpose: it did not die of a batch."""
    lock_path(folder / file).unlink(missing_ok=True)


def read_header(folder: Path | str) -> dict[str, Any]:
    """Return what :class:`Store` was given as ``header`` when the run began, and ``created``.

    Raises:
        InputError: if it is not a run folder.
    """
    path = _run_files(folder)[0]
    with _readable(path), closing(_connect(path)) as connection:
        return _read_meta(connection, path)[1]


def read_run(folder: Path | str) -> Run:
    """Read a run folder, or a single file of one, also while other processes write to it.

    Raises:
        InputError: if it is not a run folder, not what was written, or its files are not of
            one run.
    """
    paths, runs = _run_files(folder), []
    first = read_header(paths[0])
    for path in paths:
        with _readable(path), closing(_connect(path)) as connection:
            if said := differences(first, _read_meta(connection, path)[1]):
                sentence = messages.OTHER_RUN(path=path, first=paths[0], differences=said)
                raise InputError(sentence)
            runs.append(_read(connection, path))
    return joined(runs, [path.name for path in paths])


def read_tried(folder: Path | str) -> tuple[set[str], set[str]]:
    """Return the ids of the prompts that any file of a run has measured, and of the rest that
    have failed, at a glance: rows are not checked."""
    measured: set[str] = set()
    failed: set[str] = set()
    for path in shard_files(folder):
        with _readable(path), closing(_connect(path)) as connection:
            measured |= {row[0] for row in connection.execute("SELECT id FROM results")}
            if version_of(connection, path) >= schema.CHECKED:
                failed |= {row[0] for row in connection.execute("SELECT id FROM failed")}
    return measured, failed - measured


def count_tried(folder: Path | str) -> int:
    """Return how many prompts of a run are measured or have failed, at a glance."""
    return sum(map(len, read_tried(folder)))


class Damage(Exception):
    """Something in a run file is not what was written."""


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one sentence."""
    try:
        yield
    except InputError:
        raise
    except sqlite3.DatabaseError as error:
        if "locked" in str(error) or "readonly" in str(error):
            raise InputError(messages.BUSY(path=path, why=error)) from None
        if "unable to open" in str(error):
            raise InputError(messages.CANNOT_READ(path=path, why=error)) from None
        raise _damaged(path, error) from None
    except Damage as error:
        raise _damaged(path, error) from None
    except _NONSENSE as error:
        raise _damaged(path, f"{type(error).__name__} while reading it") from None


def _damaged(path: Path, why: object) -> InputError:
    said = said_by(why, 200) if isinstance(why, Exception) else why
    return InputError(messages.DAMAGED(path=path, why=said, folder=path.parent))


def _read(connection: sqlite3.Connection, path: Path) -> Run:
    with connection:
        connection.execute("BEGIN")  # one view of all tables
        for (said,) in connection.execute("PRAGMA integrity_check(1)"):
            if said != "ok":
                raise Damage(" ".join(said.split()))
        version, meta = _read_meta(connection, path)
        rows = list(checked_rows(connection, "results", version, order="position"))
        skipped = reasons_in(connection, "skipped", version)
        failed = reasons_in(connection, "failed", version)
        if version >= schema.CHECKED and schema.seal(schema.checksums(connection)) != meta["seal"]:
            raise Damage("rows are missing")
    return run_of(meta, [schema.record_of(row, meta["layers"]) for row in rows], skipped, failed)


def run_of(
    meta: Mapping[str, Any],
    records: list[Record],
    skipped: list[Skipped],
    failed: list[Skipped],
) -> Run:
    """Put a run together from what its tables hold."""
    return Run(
        settings=Settings.from_json(meta["settings"]),
        model=meta["model"],
        data=meta["data"],
        versions=meta["versions"],
        layers=meta["layers"],
        total=meta["total"],
        records=records,
        skipped=skipped,
        failed=failed,
        labelling=meta["labelling"],
        cosines=meta.get("cosines", {}),
        floor_limit=meta.get("floor_limit"),
    )


def reasons_in(connection: sqlite3.Connection, table: str, version: int) -> list[Skipped]:
    """Return the rows of ``skipped`` or ``failed``, in the order of the data file."""
    if table == "failed" and version < schema.CHECKED:
        return []
    return [Skipped(*row) for row in checked_rows(connection, table, version, order="position")]


def checked_rows(
    connection: sqlite3.Connection, table: str, version: int, order: str = "", where: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table without their checksums.

    Raises:
        Damage: at the first one whose checksum is another.
    """
    for row, sound in rows_of(connection, table, version, f"{where} ORDER BY {order}"):
        if not sound:
            raise Damage(f"a row of {table} is not what was written")
        yield row


def rows_of(
    connection: sqlite3.Connection, table: str, version: int, rest: str, *values: Any
) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """Yield the rows of a table, and whether each is what was written, as far as can be said."""
    columns = schema.columns_for(version) if table == "results" else "id, position, reason"
    if table == "meta":
        columns = "key, value"
    if version < schema.CHECKED:
        for row in connection.execute(f"SELECT {columns} FROM {table} {rest}", values):
            yield row, True
        return
    for *row, kept in connection.execute(f"SELECT {columns}, checksum FROM {table} {rest}", values):
        yield tuple(row), kept == schema.checksum(table, row)


def _run_files(folder: Path | str) -> list[Path]:
    paths = [Path(folder)] if Path(folder).is_file() else shard_files(folder)
    if not paths:
        raise InputError(messages.NOT_A_RUN(folder=folder, file=FILE))
    return paths


def _connect(path: Path) -> sqlite3.Connection:
    # The engine's one thread writes; a reader waits for a commit instead of failing.
    connection = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)
    connection.execute("PRAGMA fullfsync = 1")  # where fsync alone does not reach the disk: macOS
    return connection


def _create(path: Path, header: dict[str, Any]) -> sqlite3.Connection:
    partial = path.with_suffix(".partial")
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    try:
        _remove(partial)
        with closing(sqlite3.connect(partial)) as connection, connection:
            connection.executescript(schema.TABLES)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("BEGIN")
            for key, value in {**header, "created": created}.items():
                schema.put_meta(connection, key, value)
            schema.add_to_seal(connection, [])
        partial.rename(path)  # a run file is whole, or not there
        _sync(path.parent)
    except (OSError, sqlite3.OperationalError) as error:
        _remove(partial)
        why = error.strerror if isinstance(error, OSError) else error
        raise MachineError(messages.CANNOT_BEGIN_RUN(folder=path.parent, why=why)) from error
    return _connect(path)


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


def _read_meta(connection: sqlite3.Connection, path: Path) -> tuple[int, dict[str, Any]]:
    """Return the file's version, and its header."""
    version = version_of(connection, path)
    rows = checked_rows(connection, "meta", version, order="key")
    return version, {key: json.loads(value) for key, value in rows}


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a run file.

    Raises:
        InputError: if it is not one, or a newer one.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise InputError(messages.FOREIGN_FILE(path=path))
    if not 1 <= version <= SCHEMA_VERSION:
        sentence = messages.NEWER_FILE(path=path, version=version, known=SCHEMA_VERSION)
        raise InputError(sentence)
    return int(version)


def _migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Bring a file of an older version to this one, as a whole or not at all."""
    if version == SCHEMA_VERSION:
        return
    try:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            schema.migrate(connection, version)
    except sqlite3.DatabaseError as error:
        raise InputError(messages.CANNOT_MIGRATE(path=path, why=error)) from None


def _refuse_if_different(folder: Path, stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    if said := differences(stored, wanted):
        raise InputError(messages.OTHER_SETTINGS(folder=folder, differences=said))


def differences(stored: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Say in what the runs of two headers differ, as far as it changes a result; "" if not."""
    found = []
    for key in ("settings", "model", "data"):
        before, now = _filled(key, stored[key]), _filled(key, wanted[key])
        # With the same content, what it is called does not matter.
        same = before.get("sha256") == now.get("sha256")
        passed = ("name", "file", *(("revision", "adapter") if same else ()))
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name) and name not in passed:
                label = name if key == "settings" else f"{key} {name}"
                found.append(f"{label} {before.get(name)!r}, now {now.get(name)!r}")
    if stored["limit"] != wanted["limit"]:
        found.append(f"limit {stored['limit']}, now {wanted['limit']}")
    before, now = (header["labelling"]["max_tokens"] for header in (stored, wanted))
    if before != now:
        found.append(f"max-tokens of an answer {before}, now {now}")
    return "; ".join(found)


def _filled(key: str, values: dict[str, Any]) -> dict[str, Any]:
    """Add what older runs did not write down, because there was no choice yet."""
    if key == "settings":
        return Settings.from_json(values).to_json()
    missing = {"data": {"format": FORMATS[0]}, "model": {"path": "one pass"}}
    return missing.get(key, {}) | values
