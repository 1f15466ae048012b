"""The run on disk: a folder with one SQLite file, in which a batch is one transaction.

A batch is either there as a whole or not at all, whatever ends the process. Results hold
everything needed to draw, print and export them again without the model.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.formats import FORMATS
from mlxjsd.records import Record, Run, Skipped
from mlxjsd.settings import Settings

FILE = "run.sqlite"
SCHEMA_VERSION = 2
#: Columns of ``results`` that came with a version, and what they are in older files.
_ADDED = {2: {"flags": "TEXT NOT NULL DEFAULT '[]'", "popularity": "REAL"}}
#: Marks the file as ours in its header ("mjsd").
APPLICATION_ID = 0x6D6A7364
_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE results (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    text TEXT NOT NULL,
    subject TEXT NOT NULL,
    relation TEXT,
    answers TEXT NOT NULL,
    token_ids TEXT NOT NULL,
    tokens TEXT NOT NULL,
    span_start INTEGER NOT NULL,
    span_end INTEGER NOT NULL,
    source TEXT NOT NULL,
    prediction TEXT NOT NULL,
    probability REAL NOT NULL,
    entropy REAL NOT NULL,
    jsd BLOB NOT NULL,
    reliance REAL,
    floor REAL NOT NULL,
    norms BLOB NOT NULL,
    answer TEXT,
    flags TEXT NOT NULL DEFAULT '[]',
    popularity REAL
) WITHOUT ROWID;
CREATE TABLE skipped (
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;
"""
_RESULT_COLUMNS = (
    "id, position, text, subject, relation, answers, token_ids, tokens, span_start, span_end, "
    "source, prediction, probability, entropy, jsd, reliance, floor, norms, answer, "
    "flags, popularity"
)


class Store:
    """A run folder that is open for writing; use it as a context manager."""

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        """Open ``folder`` for the run that ``header`` describes, a new one or the same one.

        Args:
            folder: made if it is not there.
            header: JSON values; ``settings``, ``model``, ``data``, ``limit`` and the length
                of answers decide whether an existing run is the same, the rest is kept as it
                was first written.

        Raises:
            InputError: if the folder holds something else, or a run that differs; the
                message says in what. Nothing is written then.
        """
        self.folder = folder
        path = folder / FILE
        check_folder(folder)
        if path.exists():
            self._connection = _connect(path)
            try:
                _refuse_if_different(folder, _read_meta(self._connection, path), header)
                _migrate(self._connection, path)
            except BaseException:
                self._connection.close()
                raise
        else:
            folder.mkdir(parents=True, exist_ok=True)
            self._connection = _create(path, header)

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def done(self) -> set[str]:
        """Return the ids of the prompts that are measured."""
        return {row[0] for row in self._connection.execute("SELECT id FROM results")}

    def add(self, records: Sequence[Record]) -> None:
        """Commit one batch: all of it or, if the process ends here, none of it."""
        rows = [_to_row(record) for record in records]
        marks = ", ".join("?" * len(_RESULT_COLUMNS.split(",")))
        with self._connection:
            self._connection.executemany(
                f"INSERT INTO results ({_RESULT_COLUMNS}) VALUES ({marks})", rows
            )

    def set_cosines(self, cosines: Mapping[str, Any]) -> None:
        """Write down :attr:`mlxjsd.records.Run.cosines`."""
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('cosines', ?)", (json.dumps(cosines),)
            )

    def set_skipped(self, skipped: Iterable[Skipped]) -> None:
        """Write down which prompts are not measured, and why."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?)",
                [(s.id, s.position, s.reason) for s in skipped],
            )


def check_folder(folder: Path) -> None:
    """Raise ``InputError`` if ``folder`` holds something that is not a run."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the run")
    if folder.exists() and not (folder / FILE).exists() and any(folder.iterdir()):
        raise InputError(f"{folder} holds something else; name a new or an empty folder")


def read_header(folder: Path | str) -> dict[str, Any]:
    """Return what :class:`Store` was given as ``header`` when the run began, and ``created``.

    Raises:
        InputError: if it is not a run folder.
    """
    path = _run_file(folder)
    with closing(_connect(path)) as connection:
        return _read_meta(connection, path)


def read_run(folder: Path | str) -> Run:
    """Read a run folder, also while another process writes to it.

    Raises:
        InputError: if it is not a run folder.
    """
    path = _run_file(folder)
    try:
        with closing(_connect(path)) as connection:
            return _read(connection, path)
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} is damaged or not a run file: {error}") from None


def _read(connection: sqlite3.Connection, path: Path) -> Run:
    connection.execute("BEGIN")  # one view of all tables
    meta = _read_meta(connection, path)
    columns = _columns_of(connection)
    rows = connection.execute(f"SELECT {columns} FROM results ORDER BY position")
    records = [_from_row(row, meta["layers"]) for row in rows]
    skipped = connection.execute("SELECT id, position, reason FROM skipped ORDER BY position")
    return Run(
        settings=Settings.from_json(meta["settings"]),
        model=meta["model"],
        data=meta["data"],
        versions=meta["versions"],
        layers=meta["layers"],
        total=meta["total"],
        records=records,
        skipped=[Skipped(*row) for row in skipped],
        labelling=meta["labelling"],
        cosines=meta.get("cosines", {}),
    )


def _run_file(folder: Path | str) -> Path:
    path = Path(folder) / FILE
    if not path.is_file():
        raise InputError(f"{folder} is not a run folder: it holds no {FILE}")
    return path


def _connect(path: Path) -> sqlite3.Connection:
    # The engine's one thread writes; a reader waits for a commit instead of failing.
    return sqlite3.connect(path, timeout=30, check_same_thread=False)


def _create(path: Path, header: dict[str, Any]) -> sqlite3.Connection:
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    with closing(sqlite3.connect(partial)) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)",
            [(k, json.dumps(v)) for k, v in {**header, "created": created}.items()],
        )
    partial.rename(path)  # a run file is whole, or not there
    return _connect(path)


def _read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise InputError(f"{path} was not written by mlxjsd")
        if not 1 <= version <= SCHEMA_VERSION:
            raise InputError(
                f"{path} has version {version}; this mlxjsd reads up to {SCHEMA_VERSION}"
            )
        rows = connection.execute("SELECT key, value FROM meta").fetchall()
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} is damaged or not a run file: {error}") from None
    return {key: json.loads(value) for key, value in rows}


def _missing(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the columns that a file of an older version lacks, with their declarations."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    later = [columns for added, columns in _ADDED.items() if added > version]
    return {name: declared for columns in later for name, declared in columns.items()}


def _columns_of(connection: sqlite3.Connection) -> str:
    """Return ``_RESULT_COLUMNS`` for this file; what it lacks is read as nothing."""
    missing = _missing(connection)
    names = _RESULT_COLUMNS.split(", ")
    return ", ".join("NULL" if name in missing else name for name in names)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a file of an older version to this one, as a whole or not at all."""
    try:
        if not _missing(connection):
            return
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for name, declared in _missing(connection).items():  # not by another process since
                connection.execute(f"ALTER TABLE results ADD COLUMN {name} {declared}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} cannot be brought to this version: {error}") from None


def _refuse_if_different(folder: Path, stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    differences = []
    for key in ("settings", "model", "data"):
        before, now = _filled(key, stored[key]), _filled(key, wanted[key])
        # With the same content, what it is called does not matter.
        same = before.get("sha256") == now.get("sha256")
        passed = ("name", "file", *(("revision", "adapter") if same else ()))
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name) and name not in passed:
                label = name if key == "settings" else f"{key} {name}"
                differences.append(f"{label} {before.get(name)!r}, now {now.get(name)!r}")
    if stored["limit"] != wanted["limit"]:
        differences.append(f"limit {stored['limit']}, now {wanted['limit']}")
    before, now = (header["labelling"]["max_tokens"] for header in (stored, wanted))
    if before != now:
        differences.append(f"max-tokens of an answer {before}, now {now}")
    if differences:
        raise InputError(
            f"{folder} holds a run with other settings ({'; '.join(differences)}); "
            "give the same ones to go on with it, or another --output"
        )


def _filled(key: str, values: dict[str, Any]) -> dict[str, Any]:
    """Add what older runs did not write down, because there was no choice yet."""
    if key == "settings":
        return Settings.from_json(values).to_json()
    missing = {"data": {"format": FORMATS[0]}, "model": {"path": "one pass"}}
    return missing.get(key, {}) | values


def _to_row(record: Record) -> tuple[Any, ...]:
    return (
        record.id,
        record.position,
        record.text,
        record.subject,
        record.relation,
        json.dumps(record.answers),
        json.dumps(record.token_ids),
        json.dumps(record.tokens),
        *record.subject_span,
        json.dumps(record.source),
        record.prediction,
        record.probability,
        record.entropy,
        np.ascontiguousarray(record.jsd, dtype="<f4").tobytes(),
        record.reliance,
        record.floor,
        np.ascontiguousarray(record.norms, dtype="<f4").tobytes(),
        record.answer,
        json.dumps(record.flags),
        record.popularity,
    )


def _from_row(row: tuple[Any, ...], layers: int) -> Record:
    return Record(
        id=row[0],
        position=row[1],
        text=row[2],
        subject=row[3],
        relation=row[4],
        answers=tuple(json.loads(row[5])),
        token_ids=tuple(json.loads(row[6])),
        tokens=tuple(json.loads(row[7])),
        subject_span=(row[8], row[9]),
        source=json.loads(row[10]),
        prediction=row[11],
        probability=row[12],
        entropy=row[13],
        jsd=np.frombuffer(row[14], dtype="<f4").reshape(3, layers),
        reliance=np.nan if row[15] is None else row[15],  # SQLite keeps NaN as NULL
        floor=row[16],
        norms=np.frombuffer(row[17], dtype="<f4"),
        answer=row[18],
        flags=tuple(json.loads(row[19] or "[]")),
        popularity=row[20],
    )
