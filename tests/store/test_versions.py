"""Run files of every older version: they are read, exported and gone on with as they were."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from old_runs import DATA, OLD, old_run, version_of
from records import plain, same

from mlxjsd.errors import InputError
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.output.export import to_json
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.experiment import run_experiment
from mlxjsd.run.resume import job_of
from mlxjsd.settings import WINDOW_RULE
from mlxjsd.store import schema, writer
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.store.recovery.salvage import salvage_run
from mlxjsd.store.writer import FILE, Store


@pytest.mark.parametrize("name", OLD)
def test_it_is_read_as_the_version_that_wrote_it_read_it(name: str, tmp_path: Path) -> None:
    path = old_run(name, tmp_path)
    before = path.read_bytes()
    path.chmod(0o444)
    exported = json.loads((DATA / f"{name}.json").read_text())
    run = read_run(tmp_path)
    now = json.loads(to_json(run))
    for old, new in zip(exported["prompts"], now["prompts"], strict=True):
        assert {key: new[key] for key in old} == old
    for key in ("mean", "ci95", "n", "floor", "skipped", "rows", "labelling"):
        assert now[key] == exported[key]
    norms = np.load(DATA / f"{name}-norms.npy")
    assert np.stack([record.norms for record in run.records]).tobytes() == norms.tobytes()
    assert len(run.records) == len(exported["prompts"]) == len(norms)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prompts.jsonl", FILE]


def test_what_older_versions_left_out_is_filled_in(tmp_path: Path) -> None:
    old_run("version-2", tmp_path)
    header, settings = read_header(tmp_path), read_run(tmp_path).settings
    assert header["rows"] == list(settings.rows) == ["subj", "attn", "last"]
    assert header["metrics"] == list(settings.metrics) == ["jsd"]
    assert settings.window_rule == 1, "an even window of that time"
    wanted = replace(settings, window_rule=WINDOW_RULE).to_json()
    with pytest.raises(InputError, match="window_rule 1, now 2"):
        Store(tmp_path, {**header, "settings": wanted})


def test_cells_that_do_not_apply_and_prompts_that_failed_are_kept(tmp_path: Path) -> None:
    old_run("version-3-plain", tmp_path)
    for _ in range(2):  # the second time in this version
        run = read_run(tmp_path)
        assert np.isnan(run.jsd()[:, 1]).all()
        assert np.isfinite(run.jsd()[:, [0, 2]]).all()
        assert all(np.isnan(record.reliance) for record in run.records)
        assert [one.reason for one in run.failed] == ["it does not fit into memory alone"]
        with Store(tmp_path, read_header(tmp_path)) as store:
            assert store.failed() == {run.failed[0].id}


@pytest.mark.parametrize("name", OLD)
def test_it_is_brought_to_this_version_when_it_is_written_to(name: str, tmp_path: Path) -> None:
    path = old_run(name, tmp_path)
    before, header = read_run(tmp_path), read_header(tmp_path)
    assert version_of(path) == OLD[name]
    with pytest.raises(InputError, match="other settings"):
        Store(tmp_path, {**header, "limit": 5})
    assert path.read_bytes() == (DATA / f"{name}.sqlite").read_bytes()
    with Store(tmp_path, header):
        assert version_of(path) == schema.VERSION
    assert same(read_run(tmp_path), before)
    assert read_header(tmp_path) == {**header, "seal": read_header(tmp_path)["seal"]}
    migrated = path.read_bytes()
    with Store(tmp_path, header) as store:
        assert path.read_bytes() == migrated, "there is nothing left to do"
        new = replace(before.records[0], id="new", position=99, popularity=1.5, flags=("twice",))
        store.add([new])
    after = read_run(tmp_path)
    assert [plain(r) for r in after.records] == [plain(r) for r in (*before.records, new)]
    made = tmp_path / "made"
    with Store(made, header):
        pass
    assert tables(path) == tables(made / FILE)


def tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    return [row[0].replace('"', "") for row in rows]


def killed_after(steps: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Open a store in a process that ends after so many steps of SQLite's; return whether it did.

    Nearly every change is written to the file at once, so that there is something to undo.
    """
    header = read_header(folder)
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    try:
        left, real = steps, writer.migrate

        def step() -> int:
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)
            return 0

        def dying(connection: sqlite3.Connection, version: int) -> None:
            connection.execute("PRAGMA cache_size = 1")
            connection.set_progress_handler(step, 1)
            real(connection, version)

        monkeypatch.setattr(writer, "migrate", dying)
        Store(folder, header)
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["version-1", "version-3"])
def test_killed_anywhere_it_leaves_the_old_file_or_the_new_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_run(name, tmp_path / "whole")
    run, undone, steps = read_run(tmp_path / "whole"), 0, 1
    folder = tmp_path / "killed"
    path = old_run(name, folder)
    while killed_after(steps, folder, monkeypatch):
        undone += path.with_name(f"{FILE}-journal").exists()
        assert same(read_run(folder), run)
        assert version_of(path) == OLD[name], "it was not committed"
        steps = steps * 5 // 4 + 1
    assert version_of(path) == schema.VERSION
    assert same(read_run(folder), run)
    assert undone > 5, "it was killed at moments at which there was something to undo"
    assert steps > 1000


def test_one_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = old_run("version-1", tmp_path)
    before, real = path.read_bytes(), writer.migrate

    def failing(connection: sqlite3.Connection, version: int) -> None:
        real(connection, version)
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(writer, "migrate", failing)
    with pytest.raises(InputError, match="cannot be brought to this version"):
        Store(tmp_path, read_header(tmp_path))
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_run_of_the_version_before_goes_on_to_the_same_numbers(
    bundled: LoadedModel, tmp_path: Path
) -> None:
    old_run("version-3-cut", tmp_path)
    before = read_run(tmp_path)
    assert (len(before.records), before.total) == (4, 10)
    plan = job_of(tmp_path).plan(bundled, read_prompts(tmp_path / "prompts.jsonl"))
    assert plan.header() == {**plan.header(), **axes_of(read_header(tmp_path))}
    for folder in (tmp_path, tmp_path / "uninterrupted"):
        kinds = [type(event).__name__ for event in run_experiment(plan, folder)]
        assert kinds[-1] == "Finished"
        there = {record.id for record in before.records} if folder == tmp_path else set()
        left = [b for b in plan.batches if any(e.prompt.id not in there for e in b)]
        assert kinds.count("BatchDone") == len(left) >= 3
    found, whole = read_run(tmp_path), read_run(tmp_path / "uninterrupted")
    kept = {record.id for record in before.records}
    for one, other in zip(found.records, whole.records, strict=True):
        if one.id in kept:  # on whatever machine they were measured
            np.testing.assert_allclose(one.cells, other.cells, atol=1e-4)
            np.testing.assert_allclose(one.whole, other.whole, atol=1e-4)
            np.testing.assert_allclose(one.norms, other.norms, rtol=1e-4)
            assert one.answer == other.answer
        else:
            assert plain(one) == plain(other)
    assert [plain(r) for r in found.records if r.id in kept] == list(map(plain, before.records))
    assert found.labels().categories == whole.labels().categories
    assert found.cosines["labelling"] == whole.cosines["labelling"]


def axes_of(header: dict[str, object]) -> dict[str, object]:
    return {name: header[name] for name in ("layers", "metrics", "rows", "whole")}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE results SET reliance = 0.25",
        "UPDATE results SET floor = 0.25",
        "UPDATE results SET jsd = zeroblob(384)",
        "DELETE FROM results WHERE position = 2",
        "UPDATE meta SET value = '8' WHERE key = 'layers'",
    ],
)
def test_a_number_changed_by_hand_is_noticed(change: str, tmp_path: Path) -> None:
    path = old_run("version-3", tmp_path)
    header = read_header(tmp_path)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(change).rowcount
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"is damaged .* --salvage` saves what can be trusted"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="is damaged"):
        Store(tmp_path, header)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", OLD)
def test_what_can_be_trusted_is_saved(name: str, tmp_path: Path) -> None:
    path = old_run(name, tmp_path)
    run, checked = read_run(tmp_path), schema.LAYOUTS[OLD[name]].checked
    saved = salvage_run(tmp_path)
    assert same(saved.run, run)
    assert (saved.lost, saved.entries_lost) == (0 if checked else None, ())
    with Store(tmp_path, read_header(tmp_path)):
        pass
    # On pages that are not in use any more lie the rows of the older version.
    saved = salvage_run(tmp_path)
    assert same(saved.run, run)
    assert saved.lost == 0
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE results SET whole = zeroblob(8) WHERE position = 2")
    saved = salvage_run(tmp_path)
    assert {r.id for r in run.records} >= {r.id for r in saved.run.records}
    assert all(plain(r) in map(plain, run.records) for r in saved.run.records)
