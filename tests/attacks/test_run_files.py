"""A run folder may come from anybody: looking at one writes nothing, and believes nothing."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from commands import call
from forging import META, forge, hot_journal, killed_writer
from records import HEADER, record, same

from mlxjsd.errors import InputError
from mlxjsd.run.resume import job_of
from mlxjsd.store import schema
from mlxjsd.store.folders import list_runs
from mlxjsd.store.reader import count_tried, read_header, read_run
from mlxjsd.store.recovery.salvage import salvage_run
from mlxjsd.store.shards import FILE
from mlxjsd.store.writer import Store

JOURNAL = f"{FILE}-journal"


@pytest.fixture(autouse=True)
def _no_hangs() -> Iterator[None]:
    """Nothing is waited for."""

    def late(*_: object) -> None:
        raise TimeoutError("it waits for something")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(170)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Store(tmp_path / "runs" / "run", HEADER) as store:
        store.add([record(0), record(1)])
    return tmp_path / "runs" / "run"


def held(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What lies in a folder, and when it was last written to."""
    return {path.name: (path.read_bytes(), path.lstat().st_mtime_ns) for path in folder.iterdir()}


def readers(folder: Path, out: Path) -> dict[str, Callable[[], Any]]:
    """Everything that looks at a run folder."""
    out.mkdir(exist_ok=True)
    return {
        "show": lambda: call("show", folder),
        "plot": lambda: call("plot", folder, "-o", out / "x.png"),
        "export": lambda: call("export", folder, "-o", out / "x.csv"),
        "salvage": lambda: call("export", folder, "-o", out / "x.json", "--salvage"),
        "summary": lambda: call("summary", folder),
        "compare": lambda: call("compare", folder, folder),
        "merge": lambda: call("merge", folder, "-o", out / "merged"),
        "resume": lambda: job_of(folder),
        "list": lambda: list_runs(folder.parent),
        "count": lambda: count_tried(folder),
    }


# Reading never writes.


@pytest.mark.parametrize("name", readers(Path(), Path()))
def test_looking_deletes_nothing(name: str, folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    hot_journal(folder / FILE, victim)
    before = held(folder)
    with suppress(InputError):
        readers(folder, tmp_path / "out")[name]()
    assert victim.read_text() == "mine\n"
    assert held(folder) == before


def test_nor_does_a_writer_delete_what_a_journal_names(folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    hot_journal(folder / FILE, victim)
    before = held(folder)
    with pytest.raises(InputError, match="its journal names another file"):
        Store(folder, HEADER)
    assert victim.read_text() == "mine\n"
    assert held(folder) == before


def test_what_a_killed_writer_left_is_read_and_left_as_it_is(folder: Path, tmp_path: Path) -> None:
    run, killed = read_run(folder), tmp_path / "killed"
    killed_writer(folder, killed)
    before, temporary = held(killed), set(Path(os.environ.get("TMPDIR", "/tmp")).glob("mlxjsd-*"))
    for path in killed.iterdir():
        path.chmod(0o444)
    assert same(read_run(killed), run)
    assert count_tried(killed) == 2
    assert read_header(killed)["total"] == 4
    assert call("show", killed) == 0
    assert held(killed) == before
    assert set(Path(os.environ.get("TMPDIR", "/tmp")).glob("mlxjsd-*")) <= temporary
    for path in killed.iterdir():
        path.chmod(0o644)
    with Store(killed, HEADER) as store:  # which undoes it in place
        assert store.done() == {"p0", "p1"}
        store.add([record(2)])
    assert sorted(path.name for path in killed.iterdir()) == [FILE]
    assert len(read_run(killed).records) == 3


def test_a_journal_that_cannot_be_trusted_is_not_rolled_back(folder: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed_writer(folder, killed)
    whole = (killed / JOURNAL).read_bytes()

    def changed(at: int, new: bytes) -> bytes:
        return whole[:at] + new + whole[at + len(new) :]

    for content, said in (
        (changed(16, b"\0\0\xff\xff"), "of another file"),
        (changed(24, (8192).to_bytes(4, "big")), "of another file"),
        (changed(20, b"\0\0\0\3"), "sectors of 3 bytes"),
        (changed(512 + 4 + 4096 - 200, b"\xff\xff"), "journal is damaged"),
        (changed(512, b"\0\0\0\0"), "journal is damaged"),
    ):
        (killed / JOURNAL).write_bytes(content)
        before = held(killed)
        for look in (lambda: Store(killed, HEADER), lambda: read_run(killed)):
            with pytest.raises(InputError, match=said):
                look()
        assert held(killed) == before


def test_a_journal_that_is_a_pipe_or_a_link_is_not_opened(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "else").write_text("mine\n")
    for make in (os.mkfifo, lambda path: path.symlink_to(tmp_path / "else")):
        make(folder / JOURNAL)
        for look in (lambda: Store(folder, HEADER), lambda: read_run(folder)):
            with pytest.raises(InputError, match="is no journal"):
                look()
        assert (tmp_path / "else").read_text() == "mine\n"
        (folder / JOURNAL).unlink()


def test_a_write_ahead_log_is_no_part_of_a_run(folder: Path) -> None:
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(content[:18] + b"\2\2" + content[20:])
    before = held(folder)
    for look in (lambda: Store(folder, HEADER), lambda: read_run(folder)):
        with pytest.raises(InputError, match="in WAL mode"):
            look()
        assert held(folder) == before, "no log was begun"
    (folder / FILE).write_bytes(content)
    for kind in ("wal", "shm"):
        (folder / f"{FILE}-{kind}").write_bytes(b"x" * 32)
        before = held(folder)
        for look in (lambda: Store(folder, HEADER), lambda: read_run(folder)):
            with pytest.raises(InputError, match=f"beside it lies {FILE}-{kind}"):
                look()
        assert held(folder) == before
        (folder / f"{FILE}-{kind}").unlink()


def test_a_run_file_that_is_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    for at, make in enumerate((os.mkfifo, lambda path: path.symlink_to("/dev/zero"))):
        folder = tmp_path / str(at)
        folder.mkdir()
        make(folder / FILE)
        for look in (read_run, read_header, salvage_run):
            for place in (folder, folder / FILE):
                with pytest.raises(InputError):
                    look(place)
        assert list_runs(tmp_path) == []
        with pytest.raises(InputError, match="holds something else"):
            Store(folder, HEADER)
        assert not stat.S_ISREG((folder / FILE).stat().st_mode)


def test_a_run_file_that_is_a_link_is_read_and_not_written_through(
    folder: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / FILE).symlink_to(folder / FILE)
    before = held(folder)
    assert same(read_run(linked), read_run(folder))
    with pytest.raises(InputError, match="is a link, and what it points to is not written to"):
        Store(linked, HEADER)
    assert held(folder) == before
    assert [path.name for path in linked.iterdir()] == [FILE]


def test_looking_lets_no_lock_of_the_same_process_go(folder: Path) -> None:
    from mlxjsd.store.connection import open_writer

    second = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=0)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
    )
    with closing(open_writer(folder / FILE)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        read_header(folder)
        salvage_run(folder)
        other = subprocess.run(
            [sys.executable, "-c", second, folder / FILE], capture_output=True, text=True
        )
        assert "database is locked" in other.stderr


# What SQLite is told to do by the file itself.

DECLARED = schema.create("results")
SCHEMAS = {
    "a view": "CREATE VIEW more AS SELECT * FROM results",
    "a trigger": "CREATE TRIGGER more AFTER INSERT ON results BEGIN DELETE FROM meta; END",
    "an index": "CREATE INDEX more ON results (position)",
    "a table": "CREATE TABLE more (id)",
    "a view in a table's place": "DROP TABLE skipped; CREATE VIEW skipped AS WITH RECURSIVE n(x) "
    "AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT 's' AS id, x AS position, 'r' AS reason, "
    "'' AS checksum FROM n",
    "a generated column": "DROP TABLE failed; CREATE TABLE failed (id TEXT PRIMARY KEY, position "
    "INTEGER NOT NULL, reason TEXT AS (id || id), checksum TEXT NOT NULL) WITHOUT ROWID",
    "a check": "DROP TABLE failed; CREATE TABLE failed (id TEXT PRIMARY KEY, position INTEGER NOT "
    "NULL, reason TEXT NOT NULL CHECK (length(reason) > 0), checksum TEXT NOT NULL) WITHOUT ROWID",
    "a default": "DROP TABLE failed; CREATE TABLE failed (id TEXT PRIMARY KEY, position INTEGER "
    "NOT NULL DEFAULT 7, reason TEXT NOT NULL, checksum TEXT NOT NULL) WITHOUT ROWID",
    "row ids": "DROP TABLE failed; CREATE TABLE failed (id TEXT PRIMARY KEY, position INTEGER "
    "NOT NULL, reason TEXT NOT NULL, checksum TEXT NOT NULL)",
}


@pytest.mark.parametrize("kind", SCHEMAS)
def test_only_our_tables_are_read(kind: str, tmp_path: Path) -> None:
    path = forge(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMAS[kind])
    before = held(tmp_path)
    for look in (read_run, read_header, count_tried, lambda it: Store(it, META)):
        with pytest.raises(InputError, match=r"tables are not those|as no run file does"):
            look(tmp_path)
    assert held(tmp_path) == before


def test_a_reader_can_do_nothing_but_read(folder: Path) -> None:
    from mlxjsd.store.connection import reading

    with reading(folder / FILE) as connection:
        assert connection.execute("SELECT id FROM results").fetchall() == [("p0",), ("p1",)]
        for statement in (
            "DELETE FROM results",
            "ATTACH ':memory:' AS more",
            "PRAGMA writable_schema = 1",
            "SELECT load_extension('x')",
            "CREATE TEMP TABLE more (id)",
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x FROM n",
        ):
            with pytest.raises(sqlite3.DatabaseError):
                connection.execute(statement)


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"


def test_no_query_outlives_its_time_or_ctrl_c(folder: Path) -> None:
    from mlxjsd.store.connection import open_writer
    from mlxjsd.store.damage import readable

    def ask_without_end(seconds: float) -> None:
        with readable(folder / FILE), closing(open_writer(folder / FILE)) as connection:
            connection.clock.until = time.monotonic() + seconds
            connection.execute(ENDLESS).fetchone()

    with pytest.raises(InputError, match="takes too long"):
        ask_without_end(0.2)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            ask_without_end(60)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_one_bad_folder_keeps_no_list_from_being_shown(folder: Path) -> None:
    from mlxjsd.store.folders import look

    bad = folder.parent
    forge(bad / "text for a total", {**META, "total": "many"})
    forge(bad / "no total", {key: value for key, value in META.items() if key != "total"})
    forge(bad / "deep", {**META, "total": b"[" * 100_000})
    old = forge(bad / "old")
    os.utime(old, (0, 2**40))
    (bad / "garbage").mkdir()
    (bad / "garbage" / FILE).write_bytes(b"x" * 5000)
    listing = look(bad)
    assert [run.folder.name for run in listing.runs if run.folder.name != "old"] == ["run"]
    assert "cannot be read" in listing.warning
    assert {"deep", "garbage", "no total", "text for a total"} <= {
        path.name for path in listing.unreadable
    }
