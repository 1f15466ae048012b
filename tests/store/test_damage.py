"""Damaged run files: recognised, never a wrong number; what can be trusted is saved."""

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import call
from hypothesis import given
from hypothesis import strategies as st
from records import HEADER, LAYERS, record

from mlxjsd.errors import InputError
from mlxjsd.results import Record, Run, Skipped
from mlxjsd.store.folders import list_runs
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.store.salvage import _checked, salvage_run
from mlxjsd.store.sqlite_pages import rows_in
from mlxjsd.store.writer import FILE, Store

PROMPTS = 160
PAGE = 4096
#: Flips of one bit that are tried here; tests/benchmarks/fuzz_run_file.py tries many more.
FLIPS = 300


def plain(record: Record) -> dict[str, Any]:
    """A record that can be compared."""
    values = vars(record)
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}


def same(a: Run, b: Run) -> bool:
    return (
        [plain(r) for r in a.records] == [plain(r) for r in b.records]
        and (a.skipped, a.failed, a.settings) == (b.skipped, b.failed, b.settings)
        and (a.model, a.data, a.layers, a.total) == (b.model, b.data, b.layers, b.total)
        and (a.labelling, a.cosines, a.floor_limit) == (b.labelling, b.cosines, b.floor_limit)
    )


def write(folder: Path, prompts: int = PROMPTS) -> Run:
    with Store(folder, {**HEADER, "total": prompts + 1}) as store:
        store.set_skipped([Skipped("s", prompts + 1, "the subject is not in the text")])
        for at in range(0, prompts, 8):
            store.add([record(i) for i in range(at, min(at + 8, prompts))])
        store.add([], [Skipped("f", prompts, "NaN or infinity appears in block 3")])
        store.set_cosines({"groups": {"FA": [0.5] * LAYERS}})
    return read_run(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return write(folder), (folder / FILE).read_bytes()


def check_damaged(folder: Path, content: bytes, run: Run) -> str:
    """Put a damaged file into a folder; no number that is read from it may be wrong."""
    (folder / FILE).write_bytes(content)
    said = refusal(lambda: read_run(folder))
    if not said:
        assert same(read_run(folder), run)
    if not refusal(lambda: read_header(folder)):
        assert read_header(folder)["settings"] == HEADER["settings"]
    list_runs(folder.parent)
    if refusal(lambda: salvage_run(folder)):
        return said
    saved = salvage_run(folder)
    known = {r.id: plain(r) for r in run.records}
    for kept in saved.run.records:
        assert plain(kept) == known[kept.id]
    assert saved.run.settings == run.settings
    if saved.lost is not None:
        assert saved.lost + len(saved.run.records) + len(saved.run.failed) == len(known) + 1
    return said


def refusal(read: Callable[[], object]) -> str:
    """What is said against reading something, in one sentence; "" for nothing."""
    try:
        read()
    except InputError as error:
        said = str(error)
    else:
        return ""
    assert said
    assert "\n" not in said
    return said


def test_a_file_cut_off_anywhere_is_recognised(whole: tuple[Run, bytes], tmp_path: Path) -> None:
    run, content = whole
    assert len(content) > 20 * PAGE
    for size in range(0, len(content), PAGE):
        assert check_damaged(tmp_path, content[:size], run), size
    for size in (1, 50, 99, 100, PAGE + 1, len(content) - 1):
        check_damaged(tmp_path, content[:size], run)


def test_a_flipped_bit_never_becomes_a_wrong_number(
    whole: tuple[Run, bytes], tmp_path: Path
) -> None:
    run, content = whole
    rng = random.Random(7)
    recognised = 0
    for _ in range(FLIPS):
        damaged = bytearray(content)
        damaged[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        recognised += bool(check_damaged(tmp_path, bytes(damaged), run))
    assert recognised > FLIPS / 3, "most of the file is content"


def test_a_number_that_is_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    for change in (
        "UPDATE results SET floor = 0.5 WHERE id = 'p3'",
        "UPDATE results SET jsd = zeroblob(96) WHERE id = 'p3'",
        "DELETE FROM results WHERE id = 'p3'",
        "DELETE FROM failed",
        "UPDATE skipped SET reason = 'none'",
        "UPDATE meta SET value = '9' WHERE key = 'layers'",
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


def test_of_an_older_file_too_what_can_be_read_is_saved(tmp_path: Path) -> None:
    from test_store import version_1

    version_1(tmp_path)
    saved = salvage_run(tmp_path)
    assert (len(saved.run.records), saved.lost) == (1, None)
