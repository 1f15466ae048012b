import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import HEADER, LAYERS, plain, record, same

from mlxjsd.errors import InputError
from mlxjsd.metrics import METRICS, Metric
from mlxjsd.records import Grid
from mlxjsd.results import Skipped
from mlxjsd.settings import Settings
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.store.recovery.salvage import salvage_run
from mlxjsd.store.rows import row_of
from mlxjsd.store.writer import FILE, Store


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    flagged = {"flags": ("at-position-0", "occurs-twice"), "popularity": 1234.0}
    records = [
        record(3, **flagged),
        record(0, text='with "quotes", ünïcode\nand \x1b[31m'),
        record(1),
    ]
    with Store(tmp_path / "run", HEADER) as store:
        store.add(records[:2])
        store.add(records[2:])
        store.set_skipped([Skipped("s", 2, "no reason")])
        assert store.done() == {"p0", "p1", "p3"}
    run = read_run(tmp_path / "run")
    assert [r.id for r in run.records] == ["p0", "p1", "p3"], "in the order of the data file"
    for kept in run.records:
        given = next(r for r in records if r.id == kept.id)
        assert plain(kept) == plain(given)
    assert run.skipped == [Skipped("s", 2, "no reason")]
    assert run.settings == Settings()
    assert (run.layers, run.total, run.finished) == (LAYERS, 4, False)


#: Two numbers of each cell, rows in an order of their own, and one more that spans the model.
WIDE = Grid(LAYERS, ("jsd", "loss"), ("last", "subj"), ("reliance", "floor", "lesion"))


@pytest.fixture
def header(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The header of a run whose numbers are those of ``WIDE``."""
    monkeypatch.setitem(METRICS, "loss", Metric("loss", "Loss", "nats"))
    settings = Settings(rows=WIDE.rows, metrics=WIDE.metrics)
    return {**HEADER, **WIDE.to_json(), "settings": settings.to_json()}


def test_numbers_keep_their_names_whatever_they_are(header: dict[str, Any], tmp_path: Path) -> None:
    given = [record(position, grid=WIDE) for position in range(3)]
    with Store(tmp_path, header) as store:
        store.add(given)
    run = read_run(tmp_path)
    assert run.grid == WIDE
    assert [plain(kept) for kept in run.records] == [plain(one) for one in given]
    assert read_header(tmp_path)["whole"] == ["reliance", "floor", "lesion"]
    assert same(salvage_run(tmp_path).run, run)
    with pytest.raises(ValueError, match="the numbers of 'p3' are not those of the run"):
        Store(tmp_path, header).add([record(3)])
    fewer = {**header, "whole": ["reliance", "floor"]}
    with pytest.raises(InputError, match=r"whole \['reliance', 'floor', 'lesion'\], now \['rel"):
        Store(tmp_path, fewer)
    with pytest.raises(InputError, match=r"metrics \['jsd', 'loss'\], now \['jsd'\]; rows \['last"):
        Store(tmp_path, HEADER)


def test_equal_numbers_are_equal_bytes(tmp_path: Path) -> None:
    one, other = record(0, reliance=np.nan, floor=0.0), record(0, reliance=np.nan, floor=-0.0)
    one.cells[0, 1] = np.nan
    other.cells[0, 1] = np.array(0xFFC12345, np.uint32).view(np.float32)
    assert one.cells.tobytes() != other.cells.tobytes()
    assert row_of(one) == row_of(other)
    for name, given in {"one": one, "other": other}.items():
        with Store(tmp_path / name, HEADER) as store:
            store.add([given])
    found, again = (read_run(tmp_path / name) for name in ("one", "other"))
    assert same(found, again)
    np.testing.assert_array_equal(np.isnan(found.jsd()[0]), np.arange(3)[:, None] == [1] * LAYERS)
    assert np.isnan(found.records[0].reliance)
    assert str(again.records[0].floor) == "0.0"


def test_a_batch_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path, HEADER) as store:
        store.add([record(0)])
        with pytest.raises(sqlite3.IntegrityError):
            store.add([record(1), record(0)])
        assert store.done() == {"p0"}


def test_a_run_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    with Store(tmp_path, HEADER) as store:
        store.add([record(0)])
        assert len(read_run(tmp_path).records) == 1
        store.add([record(1)])
        assert len(read_run(tmp_path).records) == 2


#: Commits batches of four records as fast as it can.
WRITER = (
    "import sys\n"
    "from pathlib import Path\n"
    "from records import HEADER, record\n"
    "from mlxjsd.store.writer import Store\n"
    "with Store(Path(sys.argv[1]), {**HEADER, 'total': 160}) as store:\n"
    "    print('open', flush=True)\n"
    "    for at in range(0, 160, 4):\n"
    "        store.add([record(i) for i in range(at, at + 4)])\n"
    "        if at % 40 == 0:\n"
    "            sys.stdin.readline()\n"  # until a reader has seen it
)


def test_readers_see_whole_batches_while_another_process_writes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert writer.stdout is not None
    assert writer.stdin is not None
    assert writer.stdout.readline() == b"open\n"
    seen: list[int] = []
    while writer.poll() is None:
        run = read_run(folder)
        assert len(run.records) % 4 == 0, "a batch is there as a whole or not at all"
        for kept in run.records:
            np.testing.assert_array_equal(kept.jsd, record(kept.position).jsd)
        assert read_header(folder)["total"] == 160
        seen.append(len(run.records))
        if seen[-1] % 40 == 4 and seen.count(seen[-1]) == 1:
            writer.stdin.write(b"\n")
            writer.stdin.flush()
    assert writer.returncode == 0, "no reader held it up"
    assert seen == sorted(seen)
    assert {4, 44, 84, 124} <= set(seen), "it was read while it grew"
    assert len(read_run(folder).records) == 160
    writer.stdin.close()
    writer.stdout.close()


def test_the_same_run_goes_on(tmp_path: Path) -> None:
    with Store(tmp_path, HEADER) as store:
        store.add([record(0)])
    with Store(tmp_path, {**HEADER, "versions": {"mlx": "later"}}) as store:
        assert store.done() == {"p0"}
    assert read_run(tmp_path).versions == HEADER["versions"]


def test_another_run_is_refused_and_the_differences_are_named(tmp_path: Path) -> None:
    with Store(tmp_path, HEADER) as store:
        store.add([record(0)])
    before = (tmp_path / FILE).read_bytes()
    other = {
        **HEADER,
        "settings": Settings(window=3, seed=1).to_json(),
        "model": {**HEADER["model"], "sha256": "ff"},
        "limit": 5,
    }
    with pytest.raises(InputError) as caught:
        Store(tmp_path, other)
    for named in ("window 5, now 3", "seed 0, now 1", "model sha256 'aa', now 'ff'", "limit None"):
        assert named in str(caught.value)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_renamed_model_or_file_with_the_same_content_is_the_same(tmp_path: Path) -> None:
    for name in ("tiny", "moved"):
        with Store(tmp_path, {**HEADER, "model": {**HEADER["model"], "name": name}}):
            pass


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        Store(tmp_path, HEADER)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="is a file"):
        Store(tmp_path / "notes.txt", HEADER)


def test_foreign_and_newer_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        read_run(tmp_path)
    path = tmp_path / FILE
    sqlite3.connect(path).execute("CREATE TABLE meta (key, value)").connection.close()
    with pytest.raises(InputError, match="was not written by mlxjsd"):
        read_run(tmp_path)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(InputError, match="damaged or not a run file"):
        read_run(tmp_path)
    path.unlink()
    Store(tmp_path, HEADER)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="has version 99"):
        read_run(tmp_path)
