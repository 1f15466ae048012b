"""Run files that somebody has made on purpose: with checksums that hold, and values that cannot."""

import json
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from records import HEADER, record

from mlxjsd.store import schema
from mlxjsd.store.checksums import checksum
from mlxjsd.store.rows import row_of
from mlxjsd.store.shards import FILE

COLUMNS = tuple(schema.TABLES["results"])
META = {**HEADER, "created": "2026-01-01T00:00:00+00:00", "sample": None, "batch_sizes": {"any": 2}}
REASON = {"id": "s", "position": 9, "reason": "the subject is not in the text"}
#: Where the lock page lies, behind which SQLite puts the name of a super-journal.
LOCK_PAGE = 0x40000000
MAGIC = bytes.fromhex("d9d505f920a163d7")


def rows(count: int = 3) -> list[dict[str, Any]]:
    """Rows of ``results`` by the names of their columns."""
    return [dict(zip(COLUMNS, row_of(record(at)), strict=True)) for at in range(count)]


def forge(
    folder: Path,
    meta: Mapping[Any, Any] = META,
    results: Sequence[Mapping[str, Any]] | None = None,
    skipped: Sequence[Mapping[str, Any]] = (REASON,),
    failed: Sequence[Mapping[str, Any]] = (),
) -> Path:
    """Write a run file of this version, with checksums and a seal that hold.

    Values of ``meta`` are JSON values, or bytes of what is written in their place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.unlink(missing_ok=True)
    tables: dict[str, list[tuple[Any, ...]]] = {
        "meta": [
            (key, value.decode() if isinstance(value, bytes) else json.dumps(value))
            for key, value in meta.items()
        ],
        "results": [tuple(row.values()) for row in (rows() if results is None else results)],
        "skipped": [tuple(row.values()) for row in skipped],
        "failed": [tuple(row.values()) for row in failed],
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {schema.VERSION}")
        sums: dict[str, list[str]] = {}
        for table, given in tables.items():
            connection.execute(schema.create(table))
            sums[table] = [checksum(table, row) for row in given]
            put(connection, table, given, sums[table])
        seal = sealed(sums["results"] + sums["failed"])
        if getattr(schema.LAYOUTS[schema.VERSION], "sealed", False):
            seal |= {table: sealed(sums[table]) for table in ("meta", "skipped")}
        if "seal" not in meta:
            row = ("seal", json.dumps(seal))
            put(connection, "meta", [row], [checksum("meta", row)])
    return path


def put(
    connection: sqlite3.Connection,
    table: str,
    given: Sequence[tuple[Any, ...]],
    sums: Sequence[str],
) -> None:
    """Insert rows with checksums."""
    for row, one in zip(given, sums, strict=True):
        marks = ", ".join("?" * (len(row) + 1))
        connection.execute(f"INSERT INTO {table} VALUES ({marks})", (*row, one))


def sealed(sums: Sequence[str]) -> dict[str, Any]:
    """What a seal says of rows with these checksums."""
    mixed = 0
    for one in sums:
        mixed ^= int(one, 16)
    return {"rows": len(sums), "checksums": f"{mixed:032x}"}


def hot_journal(path: Path, names: Path) -> None:
    """Put a journal beside a run file, of a transaction that spans the file ``names`` too."""
    name = str(names.absolute()).encode()
    pages = path.stat().st_size // 4096
    head = (MAGIC + struct.pack(">IIIII", 0, 0, pages, 512, 4096)).ljust(512, b"\0")
    tail = struct.pack(">I", LOCK_PAGE // 4096 + 1) + name
    tail += struct.pack(">II", len(name), sum(name) & 0xFFFFFFFF) + MAGIC
    path.with_name(f"{FILE}-journal").write_bytes(head + tail)


def killed_writer(folder: Path, into: Path) -> None:
    """Copy a run folder as a process leaves it that is killed in the middle of a commit."""
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE results SET text = 'never committed', cells = zeroblob(9000)")
        into.mkdir()
        for name in (FILE, f"{FILE}-journal"):
            (into / name).write_bytes((folder / name).read_bytes())
        connection.execute("ROLLBACK")
    assert (into / FILE).read_bytes() != (folder / FILE).read_bytes(), "something was written"
