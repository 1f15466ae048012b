"""Damaged run files: recognised, never a wrong number; what can be trusted is saved."""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from commands import call
from damage import PAGE, attempt, check_damaged, write
from hypothesis import given
from hypothesis import strategies as st
from old_runs import DATA, old_run
from records import HEADER, same

from mlxjsd.errors import InputError
from mlxjsd.results import Run
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.store.recovery.pages import rows_in
from mlxjsd.store.recovery.salvage import _checked, salvage_run
from mlxjsd.store.writer import FILE, Store

PROMPTS = 160
#: Flips of one bit that are tried here; tests/benchmarks/fuzz_readers.py tries many more.
FLIPS = 300
#: As many in files of older versions, which are small.
OLD_FLIPS = 100


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return write(folder, PROMPTS), (folder / FILE).read_bytes()


@pytest.mark.slow
def test_a_file_cut_off_anywhere_is_recognised(whole: tuple[Run, bytes], tmp_path: Path) -> None:
    run, content = whole
    assert len(content) > 20 * PAGE
    for size in range(0, len(content), PAGE):
        assert check_damaged(tmp_path, content[:size], run), size
    for size in (1, 50, 99, 100, PAGE + 1, len(content) - 1):
        check_damaged(tmp_path, content[:size], run)


def flips(content: bytes, count: int) -> Iterator[bytes]:
    rng = random.Random(7)
    for _ in range(count):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        yield bytes(damaged)


@pytest.mark.slow
def test_a_flipped_bit_never_becomes_a_wrong_number(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = write(folder, 24)
    content = (folder / FILE).read_bytes()
    recognised = [bool(check_damaged(folder, damaged, run)) for damaged in flips(content, FLIPS)]
    assert sum(recognised) > FLIPS / 3, "most of the file is content"


@pytest.mark.parametrize("migrated", [False, True])
def test_nor_does_one_in_a_file_of_the_version_before(migrated: bool, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    path = old_run("version-3", folder)
    run = read_run(folder)
    if migrated:
        with Store(folder, read_header(folder)):
            pass
    content = path.read_bytes()
    said = [check_damaged(folder, damaged, run) for damaged in flips(content, OLD_FLIPS)]
    # Migrated, the file holds the old rows as well, on pages that are not in use.
    assert sum(map(bool, said)) > OLD_FLIPS / (10 if migrated else 5)


def test_one_in_a_file_without_checksums_leads_to_no_traceback(tmp_path: Path) -> None:
    content = (DATA / "version-1.sqlite").read_bytes()
    for damaged in flips(content, OLD_FLIPS):
        (tmp_path / FILE).write_bytes(damaged)
        for read in (read_header, read_run, salvage_run):
            attempt(lambda read=read: read(tmp_path))


def test_a_number_that_is_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    for change in (
        "UPDATE results SET whole = zeroblob(8) WHERE id = 'p3'",
        "UPDATE results SET cells = zeroblob(96) WHERE id = 'p3'",
        "UPDATE results SET norms = zeroblob(32) WHERE id = 'p3'",
        "DELETE FROM results WHERE id = 'p3'",
        "DELETE FROM failed",
        "UPDATE skipped SET reason = 'none'",
        "UPDATE meta SET value = '9' WHERE key = 'layers'",
        'UPDATE meta SET value = \'["attn", "subj", "last"]\' WHERE key = \'rows\'',
        "DELETE FROM meta WHERE key = 'rows'",
        "DELETE FROM meta WHERE key = 'seal'",
    ):
        folder = tmp_path / str(abs(hash(change)))
        write(folder, 8)
        with closing(sqlite3.connect(folder / FILE)) as connection, connection:
            connection.execute(change)
        with pytest.raises(InputError, match=r"is damaged .* --salvage` saves what can be trusted"):
            read_run(folder)
        with pytest.raises(InputError, match="is damaged"):
            Store(folder, {**HEADER, "total": 9})


def test_what_lies_around_unreadable_pages_is_saved(
    whole: tuple[Run, bytes], tmp_path: Path
) -> None:
    run, content = whole
    (tmp_path / FILE).write_bytes(content)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'results'"
        ).fetchone()
    # Leaves of `results`: all but the first pages, which are the other tables' roots.
    leaves = [page for page in range(root + 2, len(content) // PAGE) if content[page * PAGE] == 10]
    assert len(leaves) > 12
    damaged, lost = bytearray(content), 0
    for page in leaves[2::4]:
        damaged[page * PAGE : page * PAGE + 64] = b"\xff" * 64
        check_damaged(tmp_path, bytes(damaged), run)
        saved = salvage_run(tmp_path)
        assert saved.lost is not None
        assert lost < saved.lost <= lost + 12, "a page holds no more rows, and all others are found"
        lost = saved.lost


def test_without_its_first_page_a_file_is_still_saved(
    whole: tuple[Run, bytes], tmp_path: Path
) -> None:
    run, content = whole
    damaged = b"\0" * PAGE + content[PAGE:]
    assert check_damaged(tmp_path, damaged, run)
    assert same(salvage_run(tmp_path).run, run)


@given(st.binary(max_size=3 * PAGE))
def test_any_bytes_are_read_as_rows_or_not(content: bytes) -> None:
    list(rows_in(content))
    list(_checked(content[:PAGE].ljust(PAGE, b"\0") + b"\x0a" + content))
    list(rows_in(content[:PAGE].ljust(PAGE, b"\0") + b"\x0a" + content))


def test_a_row_of_nothing_is_no_row() -> None:
    page = bytearray(PAGE)
    page[:12] = b"\x0a\0\0\0\x01\0\0\0" + (PAGE - 8).to_bytes(2, "big") + b"\0\0"
    page[PAGE - 8 : PAGE - 6] = b"\x01\x01"  # one byte of content: a header without a column
    content = bytes(PAGE) + bytes(page)
    assert list(rows_in(content)) == [()]
    assert not list(_checked(content))


def test_salvage_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "run", tmp_path / "saved.json"
    write(folder, 8)
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.execute("UPDATE results SET text = 'The capital of Elsewhere' WHERE id = 'p3'")
    assert call("export", folder, "-o", tmp_path / "out.json") == 2
    assert "--salvage" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
    assert call("export", folder, "-o", out, "--salvage") == 0
    assert "7 prompts can be trusted, 1 are lost" in capsys.readouterr().err
    document = json.loads(out.read_text())
    assert document["salvage"] == {"kept": 7, "lost": 1, "header_entries_lost": []}
    assert "p3" not in [prompt["id"] for prompt in document["prompts"]]
    assert call("export", folder, "-o", tmp_path / "out.csv", "--salvage") == 2
    assert "writes a .json file" in capsys.readouterr().err
