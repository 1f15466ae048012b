"""Checksums, which tell what was written from what is read.

SQLite notices when the structure of its file is damaged, but not a bit that flips inside a
number. So each row carries a checksum of its values, and ``seal`` in ``meta`` one of how many
rows there are and which: a row that is changed or lost does not go unnoticed.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from mlxjsd.store import schema


def checksum(table: str, values: Sequence[Any]) -> str:
    """Return the checksum of a row's values, as SQLite gives them back."""
    plain = [value.hex() if isinstance(value, bytes) else value for value in values]
    return hashlib.blake2b(json.dumps([table, plain]).encode(), digest_size=16).hexdigest()


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]]) -> list[str]:
    """Insert rows of this version with their checksums; return these.

    A row of ``meta`` takes the place of the one with its key.
    """
    columns, checksums = (*schema.TABLES[table], "checksum"), []

    def checked() -> Iterable[tuple[Any, ...]]:
        for row in rows:
            checksums.append(checksum(table, row))
            yield (*row, checksums[-1])

    verb = "INSERT OR REPLACE" if table == "meta" else "INSERT"
    marks = ", ".join("?" * len(columns))
    connection.executemany(
        f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({marks})", checked()
    )
    return checksums


def put_meta(connection: sqlite3.Connection, key: str, value: Any) -> None:
    """Write one entry of the header."""
    insert(connection, "meta", [(key, json.dumps(value))])


def seal(checksums: Iterable[str], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what stands for rows in any order, together with those of a seal ``before``."""
    count, mixed = (before["rows"], int(before["checksums"], 16)) if before else (0, 0)
    for one in checksums:
        count += 1
        mixed ^= int(one, 16)
    return {"rows": count, "checksums": f"{mixed:032x}"}


def seal_of(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return the seal of all rows that are there: of what was measured, and of what failed."""
    query = "SELECT checksum FROM results UNION ALL SELECT checksum FROM failed"
    return seal(row[0] for row in connection.execute(query))


def add_to_seal(connection: sqlite3.Connection, new: Iterable[str]) -> None:
    """Write down that rows with these checksums were added."""
    put_meta(connection, "seal", seal(new, _written_seal(connection)))


def take_from_seal(connection: sqlite3.Connection, gone: Iterable[str]) -> None:
    """Write down that rows with these checksums were removed."""
    before, taken = _written_seal(connection), seal(gone)
    mixed = int(before["checksums"], 16) ^ int(taken["checksums"], 16)
    left = {"rows": before["rows"] - taken["rows"], "checksums": f"{mixed:032x}"}
    put_meta(connection, "seal", left)


def _written_seal(connection: sqlite3.Connection) -> dict[str, Any]:
    (value,) = connection.execute("SELECT value FROM meta WHERE key = 'seal'").fetchone()
    found: dict[str, Any] = json.loads(value)
    return found
