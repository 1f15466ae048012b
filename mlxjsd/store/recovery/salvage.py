"""Getting out of a damaged run file what can be trusted, and saying what cannot.

Rows are looked for on every page, see :mod:`mlxjsd.store.recovery.pages`; one counts if its
checksum is its own. A file that was brought here from an older version can hold rows of both on
its pages. Files from before there were checksums are taken as far as SQLite can read them.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlxjsd.errors import InputError
from mlxjsd.records import Grid
from mlxjsd.results import Run, Skipped
from mlxjsd.settings import Labelling
from mlxjsd.store import schema
from mlxjsd.store.checksums import checksum
from mlxjsd.store.reader import run_of
from mlxjsd.store.recovery.pages import rows_in
from mlxjsd.store.rows import grid_of, record_of, rows_of, upgraded
from mlxjsd.store.shards import FILE, joined, shard_files

#: Without these, numbers mean nothing.
_NEEDED = ("settings", "model", "data", *Grid(0).to_json())
#: What the numbers can do without.
_STAND_INS: dict[str, Any] = {
    "labelling": Labelling(max_tokens=None).to_json(),
    "versions": {},
    "total": 0,
}


class _Row(NamedTuple):
    """A row that can be trusted."""

    version: int
    table: str
    values: tuple[Any, ...]


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
    try:
        found = [*_checked(path.read_bytes())] or [*_as_sqlite_reads(path)]
    except OSError as error:
        why = error.strerror or error
        raise InputError(
            f"nothing in {path} can be trusted: {why}", hint="measure it again into another folder"
        ) from None
    tables: dict[str, dict[str, tuple[Any, ...]]] = {name: {} for name in schema.TABLES}
    seals, newest = [], schema.OLDEST
    for version, table, row in found:
        if (table, row[0]) == ("meta", "seal"):
            # A page that is not in use may hold an old one.
            seals.append(json.loads(row[1])["rows"])
        elif table == "results":
            tables[table][row[0]] = upgraded(row, version)
            newest = max(newest, version)
        else:
            tables[table][row[0]] = row
    written = {key: json.loads(value) for key, value in tables["meta"].values()}
    meta = {**_STAND_INS, **schema.LAYOUTS[newest].unwritten, **written}
    if missing := [name for name in _NEEDED if name not in meta]:
        why = f"of its header, {', '.join(missing)} cannot be read"
        raise InputError(
            f"nothing in {path} can be trusted: {why}", hint="measure it again into another folder"
        )
    grid = grid_of(meta)
    records = [record_of(row, grid) for row in tables["results"].values()]
    skipped, failed = (
        [Skipped(*row) for row in tables[name].values()] for name in ("skipped", "failed")
    )
    failed = [one for one in failed if one.id not in tables["results"]]  # tried again since
    lost = max(0, max(seals) - len(records) - len(failed)) if seals else None
    absent = tuple(name for name in _STAND_INS if name not in written)
    return Salvaged(run_of(meta, records, skipped, failed), lost, absent)


def _checked(content: bytes) -> Iterator[_Row]:
    """Yield the rows of a file that are what was written."""
    for row in rows_in(content):
        *values, kept = row or (None,)  # a page of zeros can look like rows of nothing
        for version, table, reals in _SHAPES.get(len(values), ()):
            given = tuple(_as_read(v) if at in reals else v for at, v in enumerate(values))
            if kept == checksum(table, given):
                yield _Row(version, table, given)
                break


def _as_read(value: Any) -> Any:
    """Return a value of a real column: SQLite stores one without a fraction as an integer."""
    return float(value) if isinstance(value, int) else value


def _shapes() -> dict[int, list[tuple[int, str, list[int]]]]:
    """Return what a row of so many columns can be: version, table, and where its reals are."""
    found: dict[int, list[tuple[int, str, list[int]]]] = {}
    for version, layout in schema.LAYOUTS.items():
        for table, columns in layout.tables.items() if layout.checked else ():
            reals = [at for at, name in enumerate(columns) if name in schema.REALS]
            found.setdefault(len(columns), []).append((version, table, reals))
    return found


_SHAPES = _shapes()


def _as_sqlite_reads(path: Path) -> Iterator[_Row]:
    """Yield the rows of a file without checksums, up to the first that cannot be read."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        layout = schema.LAYOUTS.get(version)
        if layout is None or layout.checked:
            return
        for table in layout.tables:
            with suppress(sqlite3.Error):
                for row, _ in rows_of(connection, table, version):
                    with suppress(ValueError, TypeError, KeyError, IndexError):
                        _read_all(table, row, version)
                        yield _Row(version, table, row)


def _read_all(table: str, row: tuple[Any, ...], version: int) -> None:
    """Raise something if a row without a checksum cannot be what was written."""
    if table == "meta":
        json.loads(row[1])
    elif table == "results":
        layers = len(row[schema.LAYOUTS[version].tables[table].index("norms")]) // 4
        axes = schema.LAYOUTS[version].unwritten
        record_of(upgraded(row, version), grid_of({"layers": layers, **axes}))
