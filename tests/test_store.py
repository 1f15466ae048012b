import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from records import HEADER, LAYERS, record

from mlxjsd.errors import InputError
from mlxjsd.records import Skipped
from mlxjsd.settings import Settings
from mlxjsd.store import FILE, Store, read_run


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    records = [record(3), record(0, text='with "quotes", ünïcode\nand \x1b[31m'), record(1)]
    with Store(tmp_path / "run", HEADER) as store:
        store.add(records[:2])
        store.add(records[2:])
        store.set_skipped([Skipped("s", 2, "no reason")])
        assert store.done() == {"p0", "p1", "p3"}
    run = read_run(tmp_path / "run")
    assert [r.id for r in run.records] == ["p0", "p1", "p3"], "in the order of the data file"
    for kept in run.records:
        given = next(r for r in records if r.id == kept.id)
        np.testing.assert_array_equal(kept.jsd, given.jsd)
        np.testing.assert_array_equal(kept.norms, given.norms)
        assert replace(kept, jsd=given.jsd, norms=given.norms) == given
    assert run.skipped == [Skipped("s", 2, "no reason")]
    assert run.settings == Settings()
    assert (run.layers, run.total, run.finished) == (LAYERS, 4, False)


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
    Store(tmp_path, HEADER)
    Store(tmp_path, {**HEADER, "model": {**HEADER["model"], "name": "moved"}})


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
