"""Several processes that measure one run: the same numbers, and none of them twice."""

import os
import signal
import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from launching import ended, hostfile, start, until
from records import HEADER, record

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.output.export import to_csv, to_json, to_npz
from mlxjsd.prompts.read import read_prompts
from mlxjsd.rank import ALONE, Rank
from mlxjsd.run.distributed.launcher import launched_rank, rank_from
from mlxjsd.run.distributed.peers import Timeouts, await_others, check_same_launch, launch_id
from mlxjsd.run.events import BatchDone, Finished, PeersLost, ShareDone, Stopped, Waiting
from mlxjsd.run.experiment import run_experiment
from mlxjsd.run.plan import Plan, plan_run
from mlxjsd.store.folders import list_runs
from mlxjsd.store.lock import FileLock
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.store.recovery.salvage import salvage_run
from mlxjsd.store.shards import shard_files, shard_name
from mlxjsd.store.writer import Store

LIMIT = 16
SOON = Timeouts(poll=0.01, register=0.05, start=0.05)


@pytest.fixture(scope="module")
def plan(bundled: LoadedModel) -> Plan:
    return plan_run(bundled, read_prompts(PROMPTS), limit=LIMIT, batch_size=3)


@pytest.fixture(scope="module")
def alone(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "alone"
    list(run_experiment(plan, folder))
    return folder


def held(folder: Path) -> list[str]:
    """The ids that the files of a run hold, one for each row."""
    found = []
    for path in shard_files(folder):
        with closing(sqlite3.connect(path)) as connection:
            found += [row[0] for row in connection.execute("SELECT id FROM results")]
    return found


def assert_same_run(folder: Path, other: Path) -> None:
    a, b = read_run(folder), read_run(other)
    for export in (to_json, to_csv, to_npz):
        assert export(a) == export(b)
    assert a.cosines["labelling"] == b.cosines["labelling"]
    for name, values in b.cosines["groups"].items():
        # Sums of sums: the last bit of a float64 may be another.
        np.testing.assert_allclose(a.cosines["groups"][name], values, rtol=1e-9)
    assert not list(folder.glob(".sums-*"))
    assert sorted(held(folder)) == sorted(r.id for r in b.records), "nothing twice, nothing lost"


# Which rank.


def test_a_process_is_alone_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    assert launched_rank({}) == ALONE
    hosts = hostfile(tmp_path, 3)
    assert launched_rank({"MLX_RANK": "2", "MLX_HOSTFILE": str(hosts)}) == Rank(2, 3)
    assert launched_rank({"MLX_RANK": "1", "MLX_WORLD_SIZE": "4"}) == Rank(1, 4)
    empty = tmp_path / "empty"  # what mlx.launch writes for a single rank
    empty.write_text("\n")
    assert launched_rank({"MLX_RANK": "0", "MLX_HOSTFILE": str(empty)}) == ALONE
    assert rank_from(" 1/2 ") == Rank(1, 2)


@pytest.mark.parametrize("given", ["1", "2/2", "0/0", "-1/2", "a/b", "1/2/3", "٠/٢"])
def test_senseless_ranks_are_bad_input(given: str) -> None:
    with pytest.raises(InputError, match=r"--rank|from 0"):
        rank_from(given)


@pytest.mark.parametrize(
    "env",
    [
        {"MLX_RANK": "0", "MLX_HOSTFILE": "no such file"},
        {"MLX_RANK": "zero", "MLX_WORLD_SIZE": "2"},
        {"MLX_RANK": "2", "MLX_WORLD_SIZE": "2"},
    ],
)
def test_a_launcher_that_makes_no_sense_is_bad_input(env: dict[str, str]) -> None:
    with pytest.raises(InputError):
        launched_rank(env)


def test_every_batch_is_for_one_rank() -> None:
    for size in (1, 2, 3, 7):
        for batch in range(20):
            assert sum(Rank(index, size).owns(batch) for index in range(size)) == 1


def test_machines_of_different_size_agree_on_what_is_whose(bundled: LoadedModel) -> None:
    data = read_prompts(PROMPTS)
    large = plan_run(bundled, data, limit=40)
    short = {**large.batch_sizes, "tokens held": 0}
    short |= {name: 3 for name in short if name.endswith("subject's end")}
    small = plan_run(bundled, data, limit=40, sizes=short)
    assert max(map(len, large.batches)) > 3 >= max(map(len, small.batches))
    assert max(map(len, large.passes)) > 3
    assert large.fingerprint == small.fingerprint
    for rank in (Rank(0, 3), Rank(1, 3), Rank(2, 3)):
        one, other = (
            [e.prompt.id for batch in plan.share(rank) for e in batch] for plan in (large, small)
        )
        assert one == other
    assert large.fingerprint != plan_run(bundled, data, limit=40, batch_size=3).fingerprint


# The same run.


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_several_ranks_measure_what_one_does_bit_for_bit(
    plan: Plan, alone: Path, tmp_path: Path, size: int
) -> None:
    folder = tmp_path / "run"
    for index in range(size - 1, 0, -1):
        *_, last = run_experiment(plan, folder, rank=Rank(index, size))
        assert isinstance(last, ShareDone)
        assert last.measured == sum(map(len, plan.share(Rank(index, size))))
    *_, last = run_experiment(plan, folder, rank=Rank(0, size))
    assert last == Finished(LIMIT)
    assert len(shard_files(folder)) == size
    assert_same_run(folder, alone)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3])
def test_a_run_begun_on_two_ranks_goes_on_with_another_number(
    plan: Plan, alone: Path, tmp_path: Path, size: int
) -> None:
    folder = tmp_path / "run"
    for index in (0, 1):
        events = run_experiment(plan, folder, rank=Rank(index, 2))
        list(islice(events, 2))
        events.close()  # as one that was killed after its first batch
    before = held(folder)
    measured = []
    for index in range(size - 1, -1, -1):
        events = list(run_experiment(plan, folder, rank=Rank(index, size)))
        measured += [r.id for e in events if isinstance(e, BatchDone) for r in e.records]
    assert events[-1] == Finished(LIMIT)
    assert before
    assert not set(measured) & set(before), "what is there is not measured again"
    assert_same_run(folder, alone)


@pytest.mark.slow
def test_two_processes_share_a_run_and_one_speaks(alone: Path, tmp_path: Path) -> None:
    hosts, folder = hostfile(tmp_path, 2), tmp_path / "run"
    command = ["run", "--limit", LIMIT, "--batch-size", 3, "--output", folder]
    second, first = start(hosts, 1, *command), start(hosts, 0, *command)
    assert ended(second) == (0, "", "")
    code, out, err = ended(first)
    assert code == 0, err
    assert "Subj." in out
    assert f"of {LIMIT} prompts" in err
    assert sorted(p.name for p in folder.iterdir()) == [
        "heatmap.csv", "heatmap.png", "run-1.sqlite", "run.sqlite",
    ]  # fmt: skip
    assert_same_run(folder, alone)
    assert (folder / "heatmap.csv").read_bytes() == to_csv(read_run(alone))


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_rank_that_is_killed_costs_its_unfinished_batch_alone(
    plan: Plan, alone: Path, tmp_path: Path, killed: int
) -> None:
    hosts, folder = hostfile(tmp_path, 2), tmp_path / "run"
    command = ["run", "--limit", LIMIT, "--batch-size", 3, "--output", folder]
    ranks = [start(hosts, index, *command) for index in (0, 1)]
    own = folder / shard_name(killed)
    until(lambda: own.exists() and rows(own) > 0)
    os.kill(ranks[killed].pid, signal.SIGKILL)
    ranks[killed].communicate()
    survivor = 1 - killed
    code, _, err = ended(ranks[survivor])
    share = {e.prompt.id for batch in plan.share(Rank(survivor, 2)) for e in batch}
    assert share <= set(held(folder)), "it finished what was its own"
    if len(held(folder)) < LIMIT:
        assert code == (0 if survivor else 130), err
        assert survivor or "no other rank is at work any more" in " ".join(err.split())
    before = held(folder)
    assert len(before) == len(set(before))
    assert ended(start(hosts, 0, "resume", folder, "--rank", "0/1"))[0] == 0
    assert sorted(held(folder)) == sorted(set(before) | set(held(folder)))
    assert_same_run(folder, alone)


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM results").fetchone()[0])


# The files.


def filled(folder: Path, *positions: int, file: str = "run.sqlite", **header: object) -> Path:
    with Store(folder, {**HEADER, **header}, file) as store:
        store.add([record(position) for position in positions])
    return folder / file


def test_a_run_is_the_union_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    filled(folder, 2, file="run-1.sqlite")
    assert [r.id for r in read_run(folder).records] == ["p2"], "without the first rank's file"
    filled(folder, 0, 3)
    filled(folder, 1, file="run-12.sqlite")
    run = read_run(folder)
    assert [r.id for r in run.records] == ["p0", "p1", "p2", "p3"]
    assert run.finished
    assert [r.id for r in read_run(folder / "run-12.sqlite").records] == ["p1"]
    (known,) = list_runs(tmp_path)
    assert (known.done, known.total) == (4, 4)
    assert read_header(folder)["total"] == 4


def test_files_that_hold_the_same_prompt_must_agree(tmp_path: Path) -> None:
    filled(tmp_path, 0, 1)
    filled(tmp_path, 1, 2, file="run-1.sqlite")
    assert [r.id for r in read_run(tmp_path).records] == ["p0", "p1", "p2"]
    with Store(tmp_path, HEADER, "run-2.sqlite") as store:
        store.add([record(2, floor=0.25)])
    with pytest.raises(InputError, match=r"run-1.sqlite and run-2.sqlite.*'p2'.*floor by 2.5e-01"):
        read_run(tmp_path)


def test_files_of_other_runs_are_refused(tmp_path: Path) -> None:
    filled(tmp_path / "a", 0)
    other = filled(tmp_path / "b", 1, limit=2)
    other.rename(tmp_path / "a" / "run-1.sqlite")
    with pytest.raises(InputError, match=r"run-1.sqlite is of another run.*limit None, now 2"):
        read_run(tmp_path / "a")
    with pytest.raises(InputError, match="other settings"):
        Store(tmp_path / "a", HEADER, "run-2.sqlite")


def test_what_can_be_trusted_is_saved_from_all_files(tmp_path: Path) -> None:
    filled(tmp_path, 0, 3)
    second = filled(tmp_path, 1, 2, file="run-1.sqlite")
    saved = salvage_run(tmp_path)
    assert [r.id for r in saved.run.records] == ["p0", "p1", "p2", "p3"]
    assert saved.lost == 0
    second.write_bytes(b"nothing of what was written")
    saved = salvage_run(tmp_path)
    assert [r.id for r in saved.run.records] == ["p0", "p3"]
    assert saved.lost is None, "nobody knows how many the other file held"


# The others, seen by their files.


def test_whoever_shares_the_prompts_otherwise_is_refused(tmp_path: Path) -> None:
    ours = launch_id(Rank(0, 2), "plan")
    own = filled(tmp_path, world=ours)
    other = filled(tmp_path, file="run-1.sqlite", world=launch_id(Rank(0, 3), "plan"))
    assert read_header(own)["world"] == ours, "as older versions write and read it"
    check_same_launch(own, ours, SOON)  # nobody writes to the other file any more
    with FileLock(other), pytest.raises(InputError, match="one of 3 ranks, not of 2"):
        check_same_launch(own, ours, SOON)
    with Store(tmp_path, HEADER, other.name) as store:
        store.set_launch(ours)
        check_same_launch(own, ours, SOON)
        store.set_launch(launch_id(Rank(1, 2), "other plan"))
        with pytest.raises(InputError, match="the same --batch-size"):
            check_same_launch(own, ours, SOON)


@pytest.mark.slow
def test_a_run_that_ranks_are_measuring_is_not_measured_alone(plan: Plan, tmp_path: Path) -> None:
    events = run_experiment(plan, tmp_path, rank=Rank(1, 2))
    next(events)
    with pytest.raises(InputError, match="one of 2 ranks, not of 1"):
        next(run_experiment(plan, tmp_path))
    events.close()
    *_, last = run_experiment(plan, tmp_path)
    assert last == Finished(LIMIT)


def test_the_first_rank_waits_for_the_others_while_they_live(tmp_path: Path) -> None:
    filled(tmp_path, 0, 1)
    wanted = {"p0", "p1", "p2", "p3"}

    def waiting(size: int = 2, stop: bool = False):  # type: ignore[no-untyped-def]
        return await_others(tmp_path, Rank(0, size), wanted, lambda: stop, SOON)

    with Store(tmp_path, HEADER, "run-1.sqlite") as other:
        events = waiting()
        assert next(events) == Waiting((1,), 2, 4)
        other.add([record(2)])
        assert next(events) == Waiting((1,), 3, 4)
        assert list(waiting(stop=True)) == [Stopped(3, 4)]
    assert next(events) == PeersLost(tmp_path, (), 3, 4)
    assert list(waiting(3))[-1] == PeersLost(tmp_path, (2,), 3, 4)
    filled(tmp_path, 3, file="run-2.sqlite")
    assert list(waiting()) == []
