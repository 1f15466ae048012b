"""Getting out of a damaged run file what can be trusted, and saying what cannot.

Rows are looked for on every page, see :mod:`mlxjsd.store.recovery.pages`; one counts if its
checksum is its own. A file that was brought here from an older version can hold rows of both on
its pages. Files from before there were checksums are taken as far as SQLite can read them.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from mlxjsd.errors import InputError
from mlxjsd.records import Grid, Record
from mlxjsd.results import Run, Skipped
from mlxjsd.settings import Labelling
from mlxjsd.store import schema
from mlxjsd.store.checked import skipped_from
from mlxjsd.store.checksums import SEAL, checksum
from mlxjsd.store.connection import content_of, open_reader
from mlxjsd.store.damage import NONSENSE, Damage, readable
from mlxjsd.store.header import Header
from mlxjsd.store.reader import version_of
from mlxjsd.store.recovery.pages import rows_in
from mlxjsd.store.rows import record_of, rows_of, upgraded
from mlxjsd.store.shards import FILE, joined, shard_files
from mlxjsd.store.values import integer, parsed

#: Without these, numbers mean nothing.
_NEEDED = ("settings", "model", "data", *Grid(0).to_json())
#: What the numbers can do without.
_STAND_INS: dict[str, Any] = {
    "labelling": Labelling(max_tokens=None).to_json(),
    "versions": {},
    "data_path": "unknown",
    "limit": None,
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
    with readable(path):
        found = [*_checked(content_of(path))] or [*_as_sqlite_reads(path)]
    rows: dict[str, dict[str, _Row]] = {name: {} for name in schema.TABLES}
    seals = []
    for row in found:
        if (row.table, row.values[0]) == ("meta", SEAL):
            # A page that is not in use may hold an old one.
            with suppress(Damage):
                seals.append(_rows_sealed(row.values[1]))
        else:
            rows[row.table][row.values[0]] = row
    newest = max((row.version for row in rows["results"].values()), default=schema.OLDEST)
    header, absent = _header(path, rows["meta"].values(), newest)
    records: dict[str, Record] = {}
    for key, row in rows["results"].items():
        with suppress(*NONSENSE, Damage):  # what cannot be is lost as well
            records[key] = record_of(upgraded(row.values, row.version), header)
    skipped, failed = (_reasons(rows[name].values()) for name in ("skipped", "failed"))
    failed = [one for one in failed if one.id not in records]  # tried again since
    lost = max(0, max(seals) - len(records) - len(failed)) if seals else None
    if "total" in absent:
        header = replace(header, total=len(records) + len(failed))
    with readable(path):
        return Salvaged(header.run(records.values(), skipped, failed), lost, absent)


def _rows_sealed(written: Any) -> int:
    found = parsed(written, "the seal")
    return integer()(found.get("rows") if isinstance(found, dict) else None, "rows of the seal")


def _reasons(rows: Iterable[_Row]) -> list[Skipped]:
    found = []
    for row in rows:
        with suppress(Damage):
            found.append(skipped_from(row.values))
    return found


def _header(path: Path, rows: Iterable[_Row], newest: int) -> tuple[Header, tuple[str, ...]]:
    """Return what the header still says, and which of its entries had to be left out."""
    written = {}
    for row in rows:
        with suppress(Damage):
            written[str(row.values[0])] = parsed(row.values[1], "an entry of the header")
    meta = {**_STAND_INS, **schema.LAYOUTS[newest].unwritten, **written}
    if missing := [name for name in _NEEDED if name not in meta]:
        raise _nothing(path, f"of its header, {', '.join(missing)} cannot be read")
    absent = tuple(name for name in _STAND_INS if name not in written)
    try:
        return Header.of(meta), absent
    except Damage as error:
        raise _nothing(path, str(error)) from None


def _nothing(path: Path, why: str) -> InputError:
    return InputError(
        f"nothing in {path} can be trusted: {why}", hint="measure it again into another folder"
    )


def _checked(content: bytes) -> Iterator[_Row]:
    """Yield the rows of a file that are what was written."""
    for row in rows_in(content):
        *values, kept = row or (None,)  # a page of zeros can look like rows of nothing
        for version, table, reals in _SHAPES.get(len(values), ()):
            given = tuple(_as_read(v) if at in reals else v for at, v in enumerate(values))
            if kept == checksum(table, given, version):
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
    with suppress(sqlite3.Error, Damage, OSError), closing(open_reader(path)) as connection:
        version = version_of(connection, path)
        layout = schema.LAYOUTS[version]
        if layout.checked:
            return
        for table in layout.tables:
            with suppress(sqlite3.Error, Damage):
                for row, _ in rows_of(connection, table, version):
                    yield _Row(version, table, row)
