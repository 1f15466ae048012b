"""Joining what machines without a common disk have measured."""

from pathlib import Path
from typing import Any

import pytest
from records import HEADER, record

from mlxjsd.cli import main
from mlxjsd.errors import InputError
from mlxjsd.results import Skipped
from mlxjsd.store.lock import FileLock
from mlxjsd.store.merge import merge_runs
from mlxjsd.store.reader import read_run
from mlxjsd.store.shards import shard_files
from mlxjsd.store.writer import Store


def share(folder: Path, *positions: int, file: str = "run.sqlite", **header: Any) -> Path:
    with Store(folder, {**HEADER, **header}, file) as store:
        store.add([record(position) for position in positions])
        store.set_skipped([Skipped("s", 9, "the subject is not in the text")])
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def ids(folder: Path) -> list[str]:
    return [r.id for r in read_run(folder).records]


def test_shares_are_joined_into_a_new_folder_and_again_changes_nothing(tmp_path: Path) -> None:
    a, b = share(tmp_path / "a", 0, 2), share(tmp_path / "b", 3, 1, file="run-1.sqlite")
    before = content(a), content(b)
    merged = merge_runs([a, b], tmp_path / "all")
    assert (merged.added, merged.done, merged.total, merged.finished) == (4, 4, 4, True)
    run = read_run(tmp_path / "all")
    assert ids(tmp_path / "all") == ["p0", "p1", "p2", "p3"]
    assert run.skipped == read_run(a).skipped
    for got, position in zip(run.records, range(4), strict=True):
        assert got.jsd.tobytes() == record(position).jsd.tobytes()
        assert (got.reliance, got.answer) == (record(position).reliance, record(position).answer)
    assert (content(a), content(b)) == before, "what is joined is left alone"

    whole = content(tmp_path / "all")
    again = merge_runs([b, a, tmp_path / "all"], tmp_path / "all")
    assert (again.added, again.done) == (0, 4)
    assert content(tmp_path / "all") == whole


def test_a_share_is_joined_into_another(tmp_path: Path) -> None:
    a, b = share(tmp_path / "a", 0), share(tmp_path / "b", 1, 3)
    assert merge_runs([a, b], a).added == 2
    assert ids(a) == ["p0", "p1", "p3"]
    assert merge_runs([b], a).added == 0
    assert merge_runs([b / "run.sqlite"], a).added == 0, "a single file is as good"
    assert not merge_runs([b], a).finished
    assert len(shard_files(a)) == 1


def test_overlaps_must_be_the_same_bit_for_bit(tmp_path: Path) -> None:
    a, b = share(tmp_path / "a", 0, 1), share(tmp_path / "b", 1, 2)
    assert merge_runs([a, b], tmp_path / "same").done == 3
    jsd = record(1).jsd.copy()
    jsd[1, 4] += 2.0**-20
    with Store(tmp_path / "c", HEADER) as store:
        store.add([record(1, jsd=jsd), record(3)])
    with pytest.raises(InputError, match=r"both hold prompt 'p1', and differ in jsd by up to 9.5"):
        merge_runs([a, tmp_path / "c"], tmp_path / "new")
    before = content(a)
    with pytest.raises(InputError, match="keep one"):
        merge_runs([tmp_path / "c"], a)
    assert content(a) == before
    assert not (tmp_path / "new").exists(), "nothing is written then"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"limit": 3}, "limit None, now 3"),
        ({"model": {**HEADER["model"], "sha256": "cc"}}, "model sha256 'aa', now 'cc'"),
        ({"data": {**HEADER["data"], "sha256": "cc"}}, "data sha256 'bb', now 'cc'"),
        ({"settings": {**HEADER["settings"], "window": 3}}, "window 5, now 3"),
        ({"labelling": {**HEADER["labelling"], "max_tokens": 3}}, "max-tokens of an answer"),
        ({"total": 5}, "total 4, now 5"),
    ],
)
def test_only_shares_of_one_run_are_joined(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    a, b = share(tmp_path / "a", 0), share(tmp_path / "b", 1, **other)
    with pytest.raises(InputError, match=said):
        merge_runs([a, b], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_what_failed_on_one_machine_may_be_measured_on_another(tmp_path: Path) -> None:
    a, b = share(tmp_path / "a", 0), share(tmp_path / "b", 1)
    full = Skipped("p1", 1, "it does not fit into memory alone")
    broken = Skipped("p2", 2, "NaN or infinity appears in block 3 of the clean run")
    with Store(a, HEADER) as store:
        store.add([], [full, broken])
    merge_runs([a, b], tmp_path / "all")
    run = read_run(tmp_path / "all")
    assert [r.id for r in run.records] == ["p0", "p1"]
    assert run.failed == [broken]
    merge_runs([b], a)
    assert read_run(a).failed == [broken]
    assert ids(a) == ["p0", "p1"]


def test_versions_and_devices_of_all_machines_are_kept(tmp_path: Path) -> None:
    one, two = ({"mlx": "1", "device": name} for name in ("M2", "M4"))
    a = share(tmp_path / "a", 0, versions=one)
    b = share(tmp_path / "b", 1, versions=two)
    assert merge_runs([a, b], tmp_path / "all").machines == 2
    assert read_run(tmp_path / "all").versions == {"mlx": "1", "device": "M2; M4"}
    merge_runs([b], a)
    merge_runs([b], a)
    assert read_run(a).versions == {"mlx": "1", "device": "M2; M4"}


def test_a_run_that_is_being_written_is_not_joined_into(tmp_path: Path) -> None:
    a, b = share(tmp_path / "a", 0), share(tmp_path / "b", 1)
    with FileLock(a / "run.sqlite"), pytest.raises(InputError, match="when that has ended"):
        merge_runs([b], a)
    assert ids(a) == ["p0"]


def test_the_command_says_what_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = share(tmp_path / "a", 0), share(tmp_path / "b", 1, 2)
    with pytest.raises(SystemExit):
        main(["merge", str(a), str(b), "-o", str(tmp_path / "all")])
    out, err = capsys.readouterr()
    assert out.strip() == str(tmp_path / "all")
    assert "3 prompts are new, 3 of 4 are there" in " ".join(err.split())
    share(b, 3)
    with pytest.raises(SystemExit):
        main(["merge", str(b), "-o", str(tmp_path / "all")])
    assert "1 prompts are new, 4 of 4 are there" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "all" / "heatmap.png").exists()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit) as ended:
        main(["merge", str(a), "-o", str(tmp_path / "notes")])
    assert ended.value.code == 2
    assert "holds something else" in capsys.readouterr().err
