"""Checksums, which tell what was written from what is read.

SQLite notices when the structure of its file is damaged, but not a bit that flips inside a
number. So each row carries a checksum of its values and of the file's version, and ``seal`` in
``meta`` one of how many rows there are and which, the header's included: a row that is changed or
lost does not go unnoticed, nor a file that is taken for one of another version. Files before
version 5 have a seal over what was measured and what failed, and no version in their checksums.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mlxjsd.store import schema

#: Of the header: what is said of all rows.
SEAL = "seal"
#: Tables of which the seal says the same; the other two have a part of their own.
_TRIED = ("results", "failed")
_APART = ("meta", "skipped")


def checksum(table: str, values: Sequence[Any], version: int = schema.VERSION) -> str:
    """Return the checksum of a row's values, as SQLite gives them back."""
    plain = [value.hex() if isinstance(value, bytes) else value for value in values]
    before = [version] if schema.LAYOUTS[version].sealed else []
    text = json.dumps([*before, table, plain])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def seal(checksums: Iterable[str]) -> dict[str, Any]:
    """Return what stands for rows in any order."""
    count, mixed = 0, 0
    for one in checksums:
        count += 1
        mixed ^= int(one, 16)
    return {"rows": count, "checksums": f"{mixed:032x}"}


def seal_of(connection: sqlite3.Connection, version: int) -> dict[str, Any]:
    """Return the seal of all rows that are there, as a file of this version has it."""
    found = seal(one for table in _TRIED for one in _checksums(connection, table))
    return found | (_parts(connection, _APART) if schema.LAYOUTS[version].sealed else {})


def is_header_sealed(connection: sqlite3.Connection, written: Any, version: int) -> bool:
    """Say whether the header has the entries of which its seal speaks, and no others."""
    if not schema.LAYOUTS[version].sealed:
        return True
    return isinstance(written, dict) and _parts(connection, ("meta",)).items() <= written.items()


def _parts(connection: sqlite3.Connection, tables: Sequence[str]) -> dict[str, Any]:
    return {table: seal(_checksums(connection, table)) for table in tables}


def _checksums(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    unsealed = f" WHERE key <> '{SEAL}'" if table == "meta" else ""
    asked = f"SELECT checksum FROM {table}{unsealed}"  # noqa: S608 - names of our own
    return (row[0] for row in connection.execute(asked))


class Changes:
    """Changes of a file of this version, and of its seal with them; in the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, *, empty: bool = False) -> None:
        """Begin with the seal that is written down, or with that of an empty file."""
        self._connection = connection
        self._seal: dict[str, Any] = {**seal([]), **{table: seal([]) for table in _APART}}
        if not empty:
            query = f"SELECT value FROM meta WHERE key = '{SEAL}'"  # noqa: S608 - our own
            self._seal = json.loads(connection.execute(query).fetchone()[0])

    def insert(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows with their checksums."""
        self._add(table, self._insert(table, rows), 1)

    def remove_failed(self) -> None:
        """Remove all rows of ``failed``."""
        self._add("failed", list(_checksums(self._connection, "failed")), -1)
        self._connection.execute("DELETE FROM failed")

    def put_meta(self, key: str, value: Any) -> None:
        """Write one entry of the header, in place of the one that is there."""
        found = self._connection.execute("SELECT checksum FROM meta WHERE key = ?", (key,))
        self._add("meta", [row[0] for row in found], -1)
        self._connection.execute("DELETE FROM meta WHERE key = ?", (key,))
        self.insert("meta", [(key, json.dumps(value))])

    def put_seal(self) -> None:
        """Write down which rows there are now; the last change of a transaction."""
        self._connection.execute("DELETE FROM meta WHERE key = ?", (SEAL,))
        self._insert("meta", [(SEAL, json.dumps(self._seal))])

    def _add(self, table: str, checksums: Sequence[str], sign: int) -> None:
        part = self._seal if table in _TRIED else self._seal[table]
        more = seal(checksums)
        part["rows"] += sign * more["rows"]
        part["checksums"] = f"{int(part['checksums'], 16) ^ int(more['checksums'], 16):032x}"

    def _insert(self, table: str, rows: Iterable[Sequence[Any]]) -> list[str]:
        columns, checksums = (*schema.TABLES[table], "checksum"), []

        def checked() -> Iterable[tuple[Any, ...]]:
            for row in rows:
                checksums.append(checksum(table, row))
                yield (*row, checksums[-1])

        marks = ", ".join("?" * len(columns))
        names = ", ".join(columns)
        asked = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own
        self._connection.executemany(asked, checked())
        return checksums
