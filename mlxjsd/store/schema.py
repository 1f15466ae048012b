"""The tables of a run file: their versions, and checksums that tell what was written from what
is read.

SQLite notices when the structure of its file is damaged, but not a bit that flips inside a
number. So each row carries a checksum of its values, and ``seal`` in ``meta`` one of how many
rows there are and which: a row that is changed or lost does not go unnoticed.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mlxjsd.results import Record, Skipped

VERSION = 3
#: Marks the file as ours in its header ("mjsd").
APPLICATION_ID = 0x6D6A7364
#: The first version whose rows carry checksums.
CHECKED = 3

_REASONS = """(
    id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    reason TEXT NOT NULL,
    checksum TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
"""
FAILED = f"CREATE TABLE failed {_REASONS}"
TABLES = f"""
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    checksum TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
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
    popularity REAL,
    checksum TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE skipped {_REASONS}
{FAILED}
"""
RESULT_COLUMNS = (
    *("id", "position", "text", "subject", "relation", "answers", "token_ids", "tokens"),
    *("span_start", "span_end", "source", "prediction", "probability", "entropy", "jsd"),
    *("reliance", "floor", "norms", "answer", "flags", "popularity"),
)
#: Those that hold numbers with a fraction.
REALS = ("probability", "entropy", "reliance", "floor", "popularity")
#: Columns of each table that came with a version, and how they are declared.
ADDED: dict[int, dict[str, dict[str, str]]] = {
    2: {"results": {"flags": "TEXT NOT NULL DEFAULT '[]'", "popularity": "REAL"}},
    3: {
        table: {"checksum": "TEXT NOT NULL DEFAULT ''"} for table in ("meta", "results", "skipped")
    },
}


def checksum(table: str, values: Sequence[Any]) -> str:
    """Return the checksum of a row's values, as SQLite gives them back."""
    plain = [value.hex() if isinstance(value, bytes) else value for value in values]
    return hashlib.blake2b(json.dumps([table, plain]).encode(), digest_size=16).hexdigest()


def seal(checksums: Iterable[str], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what stands for rows in any order, together with those of a seal ``before``."""
    count, mixed = (before["rows"], int(before["checksums"], 16)) if before else (0, 0)
    for one in checksums:
        count += 1
        mixed ^= int(one, 16)
    return {"rows": count, "checksums": f"{mixed:032x}"}


def columns_for(version: int) -> str:
    """Return the columns of ``results`` in a file of ``version``; what it lacks is read as NULL."""
    added = [columns for since, columns in ADDED.items() if since > version]
    missing = {name for tables in added for name in tables.get("results", ())}
    return ", ".join("NULL" if name in missing else name for name in RESULT_COLUMNS)


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring a file of an older ``version`` to this one; inside a transaction of the caller."""
    for since, tables in ADDED.items():
        if since <= version:
            continue
        for table, columns in tables.items():
            for name, declared in columns.items():
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {declared}")
    if version < CHECKED:
        connection.execute(FAILED)
        _seal_all(connection)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _seal_all(connection: sqlite3.Connection) -> None:
    """Give every row of an older file its checksum; it is taken as it is found."""
    keys = {"results": RESULT_COLUMNS, "skipped": ["id", "position", "reason"]}
    for table, columns in keys.items():
        for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall():
            connection.execute(
                f"UPDATE {table} SET checksum = ? WHERE id = ?", (checksum(table, row), row[0])
            )
    for key, value in connection.execute("SELECT key, value FROM meta").fetchall():
        put_meta(connection, key, json.loads(value))
    add_to_seal(connection, checksums(connection))


def put_meta(connection: sqlite3.Connection, key: str, value: Any) -> None:
    """Write one entry of the header."""
    row = (key, json.dumps(value))
    connection.execute(
        "INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (*row, checksum("meta", row))
    )


def add_to_seal(connection: sqlite3.Connection, new: Iterable[str]) -> None:
    """Write down that rows with these checksums were added."""
    query = "SELECT value FROM meta WHERE key = 'seal'"
    found = connection.execute(query).fetchone()
    put_meta(connection, "seal", seal(new, json.loads(found[0]) if found else None))


def take_from_seal(connection: sqlite3.Connection, gone: Iterable[str]) -> None:
    """Write down that rows with these checksums were removed."""
    (value,) = connection.execute("SELECT value FROM meta WHERE key = 'seal'").fetchone()
    before = json.loads(value)
    taken = seal(gone)
    mixed = int(before["checksums"], 16) ^ int(taken["checksums"], 16)
    left = {"rows": before["rows"] - taken["rows"], "checksums": f"{mixed:032x}"}
    put_meta(connection, "seal", left)


def checksums(connection: sqlite3.Connection) -> list[str]:
    """Return the checksums of all rows of what was measured, and of what failed."""
    query = "SELECT checksum FROM results UNION ALL SELECT checksum FROM failed"
    return [row[0] for row in connection.execute(query)]


def put_results(connection: sqlite3.Connection, records: Iterable[Record]) -> list[str]:
    """Insert what was measured; return the rows' checksums."""
    marks = ", ".join("?" * (len(RESULT_COLUMNS) + 1))
    rows = [(*row, checksum("results", row)) for row in map(row_of, records)]
    connection.executemany(
        f"INSERT INTO results ({', '.join(RESULT_COLUMNS)}, checksum) VALUES ({marks})", rows
    )
    return [row[-1] for row in rows]


def put_reasons(connection: sqlite3.Connection, table: str, given: Iterable[Skipped]) -> list[str]:
    """Insert prompts with the reason why there are no numbers of them; return checksums."""
    found = [(s.id, s.position, s.reason) for s in given]
    rows = [(*row, checksum(table, row)) for row in found]
    connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", rows)
    return [row[-1] for row in rows]


def row_of(record: Record) -> tuple[Any, ...]:
    """Return a record as values of ``RESULT_COLUMNS``."""
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
        _real(record.probability),
        _real(record.entropy),
        np.ascontiguousarray(record.jsd, dtype="<f4").tobytes(),
        _real(record.reliance),
        _real(record.floor),
        np.ascontiguousarray(record.norms, dtype="<f4").tobytes(),
        record.answer,
        json.dumps(record.flags),
        _real(record.popularity),
    )


def _real(value: float | None) -> float | None:
    """Return a number as SQLite gives it back: NaN as NULL, and no negative zero."""
    return None if value is None or np.isnan(value) else float(value) + 0.0


def record_of(row: Sequence[Any], layers: int) -> Record:
    """Return the record that :func:`row_of` made into ``row``."""
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
        reliance=np.nan if row[15] is None else row[15],
        floor=row[16],
        norms=np.frombuffer(row[17], dtype="<f4"),
        answer=row[18],
        flags=tuple(json.loads(row[19] or "[]")),
        popularity=row[20],
    )
