"""Getting out of a damaged run file what can be trusted, and saying what cannot.

Rows are looked for on every page, see :mod:`mlxjsd.store.sqlite_pages`; one counts if its
checksum is its own. Files from before there were checksums are taken as far as
SQLite can read them.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.results import Run, Skipped
from mlxjsd.settings import Labelling
from mlxjsd.store import schema
from mlxjsd.store.reader import rows_of, run_of
from mlxjsd.store.shards import FILE, joined, shard_files
from mlxjsd.store.sqlite_pages import rows_in

#: Without these, numbers mean nothing.
_NEEDED = ("settings", "model", "data", "layers")
#: What the numbers can do without.
_STAND_INS: dict[str, Any] = {
    "labelling": {"max_tokens": None, "match": Labelling.match, "reliance_threshold": None},
    "versions": {},
    "total": 0,
}
_COLUMNS = {"meta": 2, "results": len(schema.RESULT_COLUMNS), "skipped": 3, "failed": 3}
_REALS = tuple(map(schema.RESULT_COLUMNS.index, schema.REALS))


@dataclass(frozen=True)
class Salvaged:
    """What a run file still holds."""

    run: Run
    lost: int | None
    """Prompts whose rows are gone or not what was written; None if nobody knows how many there
    were."""
    entries_lost: tuple[str, ...]
    """Parts of the header that had to be left out."""

    def to_json(self) -> dict[str, Any]:
        """Return what is said beside the numbers."""
        return {
            "kept": len(self.run.records),
            "lost": self.lost,
            "header_entries_lost": list(self.entries_lost),
        }


def salvage_run(folder: Path | str) -> Salvaged:
    """Read what can be trusted of a run folder, damaged or not.

    Raises:
        InputError: if there is no run file, or its header cannot be trusted.
    """
    paths, found, broken = shard_files(folder), [], []
    if not paths:
        raise InputError(
            f"{folder} is not a run folder: it holds no {FILE}", hint="name one that does"
        )
    for path in paths:
        try:
            found.append(_salvage_file(path))
        except InputError as error:
            broken.append(error)
    if not found:
        raise broken[0]
    run = joined([one.run for one in found], [f"file {n}" for n in range(1, len(found) + 1)])
    losses = [one.lost for one in found]
    known = not broken and None not in losses
    lost = sum(loss for loss in losses if loss) if known else None
    entries = dict.fromkeys(name for one in found for name in one.entries_lost)
    return Salvaged(run, lost, tuple(entries))


def _salvage_file(path: Path) -> Salvaged:
    tables: dict[str, dict[str, tuple[Any, ...]]] = {name: {} for name in _COLUMNS}
    try:
        found = [*_checked(path.read_bytes())] or [*_as_sqlite_reads(path)]
    except OSError as error:
        why = error.strerror or error
        raise InputError(
            f"nothing in {path} can be trusted: {why}", hint="measure it again into another folder"
        ) from None
    seals = []
    for table, row in found:
        if (table, row[0]) == ("meta", "seal"):
            seals.append(
                json.loads(row[1])["rows"]
            )  # a page that is not in use may hold an old one
        else:
            tables[table][row[0]] = row
    meta = {key: json.loads(value) for key, value in tables["meta"].values()}
    if missing := [name for name in _NEEDED if name not in meta]:
        why = f"of its header, {', '.join(missing)} cannot be read"
        raise InputError(
            f"nothing in {path} can be trusted: {why}", hint="measure it again into another folder"
        )
    records = [schema.record_of(row, meta["layers"]) for row in tables["results"].values()]
    records.sort(key=lambda record: record.position)
    skipped, failed = (
        sorted((Skipped(*row) for row in tables[name].values()), key=lambda s: s.position)
        for name in ("skipped", "failed")
    )
    failed = [one for one in failed if one.id not in tables["results"]]  # tried again since
    lost = max(0, max(seals) - len(records) - len(failed)) if seals else None
    absent = tuple(name for name in _STAND_INS if name not in meta)
    return Salvaged(run_of({**_STAND_INS, **meta}, records, skipped, failed), lost, absent)


def _checked(content: bytes) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the rows of a file, with their tables, that are what was written."""
    for row in rows_in(content):
        *values, kept = row or (None,)  # a page of zeros can look like rows of nothing
        for table, count in _COLUMNS.items():
            if len(values) != count:
                continue
            if table == "results":  # SQLite stores a whole number as an integer
                for at in _REALS:
                    if isinstance(values[at], int):
                        values[at] = float(values[at])
            if kept == schema.checksum(table, values):
                yield table, tuple(values)


def _as_sqlite_reads(path: Path) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the rows of a file of an older version, up to the first that cannot be read."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not 1 <= version < schema.CHECKED:
            return
        for table in ("meta", "results", "skipped"):
            with suppress(sqlite3.Error):
                for row, _ in rows_of(connection, table, version, ""):
                    with suppress(ValueError, TypeError, KeyError, IndexError):
                        _read_all(table, row)
                        yield table, row


def _read_all(table: str, row: tuple[Any, ...]) -> None:
    """Raise something if a row without a checksum cannot be what was written."""
    if table == "meta":
        json.loads(row[1])
    elif table == "results":
        schema.record_of(row, len(row[17]) // 4)
