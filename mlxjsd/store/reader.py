"""Reading the files of a run: what is there, or one sentence that says what is wrong with it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mlxjsd.analysis.judgements import Judgements
from mlxjsd.errors import InputError, said_by
from mlxjsd.results import Record, Run, Skipped
from mlxjsd.settings import Labelling, Settings
from mlxjsd.store import schema
from mlxjsd.store.checksums import seal_of
from mlxjsd.store.rows import Damage, checked_rows, grid_of, record_of, upgraded
from mlxjsd.store.shards import FILE, joined, shard_files

#: Seconds for which a writer waits for a reader, and a reader for a commit.
PATIENCE = 60.0
#: What a bit that flipped can lead to once SQLite has handed a value out.
_NONSENSE = (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError)


def read_header(folder: Path | str) -> dict[str, Any]:
    """Return the ``header`` that a :class:`mlxjsd.store.writer.Store` was given at first.

    With ``created``, when that was, and with what files of older versions leave out.

    Raises:
        InputError: if it is not a run folder.
    """
    path = _run_files(folder)[0]
    with readable(path), closing(connect(path)) as connection:
        return read_meta(connection, path)[1]


def read_run(folder: Path | str) -> Run:
    """Read a run folder, or a single file of one, also while other processes write to it.

    Raises:
        InputError: if it is not a run folder, not what was written, or its files are not of
            one run.
    """
    paths, runs = _run_files(folder), []
    first = read_header(paths[0])
    for path in paths:
        with readable(path), closing(connect(path)) as connection:
            if said := differences(first, read_meta(connection, path)[1]):
                raise InputError(
                    f"{path} is of another run than {paths[0]} ({said})",
                    hint="move one of the two elsewhere",
                )
            runs.append(read_whole(connection, path))
    return joined(runs, [path.name for path in paths])


def read_tried(folder: Path | str) -> tuple[set[str], set[str]]:
    """Return the ids of the prompts that any file of a run has measured, and of the rest that
    have failed, at a glance: rows are not checked."""
    measured: set[str] = set()
    failed: set[str] = set()
    for path in shard_files(folder):
        with readable(path), closing(connect(path)) as connection:
            measured |= {row[0] for row in connection.execute("SELECT id FROM results")}
            if "failed" in schema.LAYOUTS[version_of(connection, path)].tables:
                failed |= {row[0] for row in connection.execute("SELECT id FROM failed")}
    return measured, failed - measured


def count_tried(folder: Path | str) -> int:
    """Return how many prompts of a run are measured or have failed, at a glance."""
    return sum(map(len, read_tried(folder)))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one sentence."""
    try:
        yield
    except InputError:
        raise
    except sqlite3.DatabaseError as error:
        if "locked" in str(error) or "readonly" in str(error):
            raise InputError(
                f"{path} is held by another program: {error}", hint="try again when it has let go"
            ) from None
        if "unable to open" in str(error):
            raise InputError(
                f"cannot read {path}: {error}", hint="name a file that may be read"
            ) from None
        raise _damaged(path, error) from None
    except Damage as error:
        raise _damaged(path, error) from None
    except _NONSENSE as error:
        raise _damaged(path, f"{type(error).__name__} while reading it") from None


def _damaged(path: Path, why: object) -> InputError:
    said = said_by(why, 200) if isinstance(why, Exception) else why
    return InputError(
        f"{path} is damaged or not a run file ({said})",
        hint=f"`mlxjsd export {path.parent} -o saved.json --salvage` saves what can be trusted",
    )


def read_whole(connection: sqlite3.Connection, path: Path) -> Run:
    """Read one file of a run, at one moment.

    Raises:
        Damage: if it is not what was written; a damaged file leads to other errors too, see
            :func:`readable`.
    """
    with connection:
        connection.execute("BEGIN")  # one view of all tables
        for (said,) in connection.execute("PRAGMA integrity_check(1)"):
            if said != "ok":
                raise Damage(" ".join(said.split()))
        version, meta = read_meta(connection, path)
        rows = list(checked_rows(connection, "results", version))
        skipped, failed = (
            [Skipped(*row) for row in checked_rows(connection, table, version)]
            for table in ("skipped", "failed")
        )
        if schema.LAYOUTS[version].checked and seal_of(connection) != meta["seal"]:
            raise Damage("rows are missing")
    grid = grid_of(meta)
    records = [record_of(upgraded(row, version), grid) for row in rows]
    return run_of(meta, records, skipped, failed)


def run_of(
    meta: Mapping[str, Any],
    records: Iterable[Record],
    skipped: Iterable[Skipped],
    failed: Iterable[Skipped],
) -> Run:
    """Put a run together from what its tables hold, in the order of the data file."""
    return Run(
        settings=Settings.from_json(meta["settings"]),
        model=meta["model"],
        data=meta["data"],
        versions=meta["versions"],
        grid=grid_of(meta),
        total=meta["total"],
        records=sorted(records, key=lambda record: record.position),
        skipped=sorted(skipped, key=lambda one: one.position),
        failed=sorted(failed, key=lambda one: one.position),
        labelling=Labelling.from_json(meta["labelling"]),
        cosines=meta.get("cosines", {}),
        floor_limit=meta.get("floor_limit"),
        judgements=Judgements.from_json(meta.get("judgements", [])),
    )


def _run_files(folder: Path | str) -> list[Path]:
    paths = [Path(folder)] if Path(folder).is_file() else shard_files(folder)
    if not paths:
        raise InputError(
            f"{folder} is not a run folder: it holds no {FILE}", hint="name one that does"
        )
    return paths


def connect(path: Path) -> sqlite3.Connection:
    """Open a run file; whoever comes second waits for a commit instead of failing."""
    # The engine's one thread writes.
    connection = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False)
    connection.execute("PRAGMA fullfsync = 1")  # where fsync alone does not reach the disk: macOS
    return connection


def read_meta(connection: sqlite3.Connection, path: Path) -> tuple[int, dict[str, Any]]:
    """Return the file's version, and its header, complete if the version is an older one."""
    version = version_of(connection, path)
    rows = checked_rows(connection, "meta", version)
    written = {key: json.loads(value) for key, value in rows}
    return version, {**schema.LAYOUTS[version].unwritten, **written}


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of a run file.

    Raises:
        InputError: if it is not one, or a newer one.
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
    return int(version)


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
    for name in ("limit", "sample", "layers", "whole"):
        # Older runs could draw no sample.
        if stored.get(name) != wanted.get(name):
            found.append(f"{name} {stored.get(name)}, now {wanted.get(name)}")
    before, now = (header["labelling"]["max_tokens"] for header in (stored, wanted))
    if before != now:
        found.append(f"max-tokens of an answer {before}, now {now}")
    return "; ".join(found)


def _filled(key: str, values: dict[str, Any]) -> dict[str, Any]:
    """Add what older runs did not write down, because there was no choice yet."""
    if key == "settings":
        return Settings.from_json(values).to_json()
    missing = {"data": {"format": "jsonl"}, "model": {"path": "one pass"}}
    return missing.get(key, {}) | values
