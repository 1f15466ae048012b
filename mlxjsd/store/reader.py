"""Reading the files of a run: what is there, or one sentence that says what is wrong with it."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.results import Run
from mlxjsd.settings import Settings
from mlxjsd.store import schema
from mlxjsd.store.checked import skipped_from
from mlxjsd.store.checksums import SEAL, is_header_sealed, seal_of
from mlxjsd.store.connection import reading
from mlxjsd.store.damage import Damage, readable
from mlxjsd.store.header import Header, check_count, most_tried
from mlxjsd.store.rows import checked_rows, record_of, upgraded
from mlxjsd.store.shards import FILE, joined, shard_files
from mlxjsd.store.values import named, parsed

#: Entries of the longest header.
_MOST_ENTRIES = 200


def read_header(folder: Path | str) -> dict[str, Any]:
    """Return the ``header`` that a :class:`mlxjsd.store.writer.Store` was given at first.

    With ``created``, when that was, and with what files of older versions leave out.

    Raises:
        InputError: if it is not a run folder.
    """
    path = _run_files(folder)[0]
    with reading(path) as connection:
        return dict(read_meta(connection, path)[1].values)


def read_run(folder: Path | str) -> Run:
    """Read a run folder, or a single file of one, also while other processes write to it.

    Raises:
        InputError: if it is not a run folder, not what was written, or its files are not of
            one run.
    """
    paths, runs = _run_files(folder), []
    first = read_header(paths[0])
    for path in paths:
        with reading(path) as connection:
            if said := differences(first, read_meta(connection, path)[1].values):
                raise InputError(
                    f"{path} is of another run than {paths[0]} ({said})",
                    hint="move one of the two elsewhere",
                )
            runs.append(read_whole(connection, path))
    run = joined(runs, [path.name for path in paths])
    with readable(paths[0]):
        check_count(run)
    return run


def read_tried(folder: Path | str) -> tuple[set[str], set[str]]:
    """Return the ids of the prompts that any file of a run has measured, and of the rest that
    have failed, at a glance: rows are not checked."""
    return _tried(shard_files(folder))[1:]


def glance(folder: Path | str) -> tuple[dict[str, Any], int]:
    """Return what :func:`read_header` does, and how many prompts are measured or have failed.

    Raises:
        InputError: if it is not a run folder.
    """
    header, *tried = _tried(_run_files(folder))
    return header, sum(map(len, tried))


def count_tried(folder: Path | str) -> int:
    """Return how many prompts of a run are measured or have failed, at a glance."""
    return sum(map(len, read_tried(folder)))


def _tried(paths: list[Path]) -> tuple[dict[str, Any], set[str], set[str]]:
    first: dict[str, Any] = {}
    measured: set[str] = set()
    failed: set[str] = set()
    for path in paths:
        with reading(path) as connection:
            version, header = read_meta(connection, path)
            first = first or dict(header.values)
            # Pages that lead in a circle have rows without end.
            most = most_tried(header.values)
            measured |= _ids(connection, "results", most)
            if "failed" in schema.LAYOUTS[version].tables:
                failed |= _ids(connection, "failed", most)
            if len(measured | failed) > most:
                raise Damage(f"{len(measured | failed)} prompts of {header.total}")
    return first, measured, failed - measured


def _ids(connection: sqlite3.Connection, table: str, most: int) -> set[str]:
    found = set()
    asked = f"SELECT id FROM {table}"  # noqa: S608 - a name of our own
    for at, (key,) in enumerate(connection.execute(asked)):
        if at >= most:
            raise Damage(f"{table} has more rows than the run has prompts")
        found.add(named(key, "id"))
    return found


def read_whole(connection: sqlite3.Connection, path: Path) -> Run:
    """Read one file of a run; in a transaction, so that it is seen at one moment.

    Raises:
        Damage: if it is not what was written; a damaged file leads to other errors too, see
            :func:`mlxjsd.store.damage.readable`.
    """
    for (said,) in connection.execute("PRAGMA integrity_check(1)"):
        if said != "ok":
            raise Damage(" ".join(said.split()))
    version, header = read_meta(connection, path)
    if schema.LAYOUTS[version].checked and seal_of(connection, version) != header.values[SEAL]:
        raise Damage("rows are missing")
    records = [
        record_of(upgraded(row, version), header)
        for row in checked_rows(connection, "results", version)
    ]
    skipped, failed = (
        [skipped_from(row) for row in checked_rows(connection, table, version)]
        for table in ("skipped", "failed")
    )
    return header.run(records, skipped, failed)


def _run_files(folder: Path | str) -> list[Path]:
    paths = [Path(folder)] if Path(folder).is_file() else shard_files(folder)
    if not paths:
        raise InputError(
            f"{folder} is not a run folder: it holds no {FILE}", hint="name one that does"
        )
    return paths


def read_meta(connection: sqlite3.Connection, path: Path) -> tuple[int, Header]:
    """Return the file's version, and its header, complete if the version is an older one.

    Raises:
        InputError: if it is not a run file, or of a newer version.
        Damage: if it has other tables than that version, or the header is not what was written.
    """
    version = version_of(connection, path)
    layout, written = schema.LAYOUTS[version], dict[str, Any]()
    for key, value in checked_rows(connection, "meta", version):
        if len(written) >= _MOST_ENTRIES or key in written:
            raise Damage("a header of more entries than there are")
        written[named(key, "a key of the header")] = parsed(value, f"{key!r} of the header")
    if layout.checked and SEAL not in written:
        raise Damage("the seal is missing")
    if not is_header_sealed(connection, written.get(SEAL), version):
        raise Damage("entries of the header are missing")
    return version, Header.of({**layout.unwritten, **written})


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a run file, whose tables are those of that version.

    Raises:
        InputError: if it is not one, or a newer one.
        Damage: if it holds anything else than the tables of its version.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.APPLICATION_ID:
        raise InputError(f"{path} was not written by mlxjsd", hint="name a run folder of mlxjsd")
    if version not in schema.LAYOUTS:
        raise InputError(
            f"{path} has version {version}; this mlxjsd reads up to {schema.VERSION}",
            hint="bring mlxjsd up to date",
        )
    found: dict[str, str] = {}
    for kind, name, of, statement in connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT 20"
    ):
        if kind != "table" or name != of or not isinstance(statement, str) or name in found:
            raise Damage(f"it holds a {str(kind)[:20]} {str(name)[:80]!r}, as no run file does")
        found[name] = statement
    if not schema.LAYOUTS[version].allows(found):
        raise Damage(f"its tables are not those of version {version}")
    return int(version)


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
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
    for name in ("limit", "sample", "layers", "whole"):
        # Older runs could draw no sample.
        if stored.get(name) != wanted.get(name):
            found.append(f"{name} {stored.get(name)}, now {wanted.get(name)}")
    before, now = (header["labelling"]["max_tokens"] for header in (stored, wanted))
    if before != now:
        found.append(f"max-tokens of an answer {before}, now {now}")
    return "; ".join(found)


def _filled(key: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Add what older runs did not write down, because there was no choice yet."""
    if key == "settings":
        return Settings.from_json(values).to_json()
    missing = {"data": {"format": "jsonl"}, "model": {"path": "one pass"}}
    return {**missing.get(key, {}), **values}
