"""A model over two processes: the same numbers, and no one waits for a rank that is lost."""

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import mlx.core as mx
import numpy as np
import pytest
from launching import COMMAND, ended, hostfile, start, until
from mlx.utils import tree_flatten
from mlx_lm.models import gpt2

from mlxjsd.assets import PROMPTS
from mlxjsd.cli import main
from mlxjsd.errors import InputError
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.model.tensor_parallel import _check_heads, load_part, shardable_families
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.experiment import measure
from mlxjsd.run.plan import plan_run
from mlxjsd.store.lock import owner_of
from mlxjsd.store.reader import read_run

LIMIT = 8
#: The limits are for large models on a slow cable; here a few seconds are enough.
SHORT_LIMITS = (
    "from mlxjsd.model import tensor_group as t; t.LEAST_SECONDS, t.BATCH_FACTOR = 10.0, 2; "
)


@contextmanager
def two_ranks(
    tmp_path: Path, *arguments: object, code: str = COMMAND
) -> Iterator[list[subprocess.Popen[str]]]:
    """Two ranks that measure into ``tmp_path / "run"``; none is left behind."""
    hosts, command = hostfile(tmp_path, 2), ["run", "--tensor-parallel", "--batch-size", 3]
    command += ["--output", tmp_path / "run", *arguments]
    ranks = [start(hosts, rank, *command, code=code) for rank in (0, 1)]
    try:
        yield ranks
    finally:
        for rank in ranks:
            if rank.poll() is None:
                rank.kill()
                rank.communicate()


def committed(folder: Path) -> int:
    path = folder / "run.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM results").fetchone()[0])


@pytest.mark.slow
def test_two_ranks_hold_the_model_and_one_writes(bundled: LoadedModel, tmp_path: Path) -> None:
    with two_ranks(tmp_path, "--limit", LIMIT) as (first, second):
        assert ended(second) == (0, "", "")
        code, out, err = ended(first)
    assert code == 0, err
    assert "Subj." in out
    run = read_run(tmp_path / "run")
    plan = plan_run(bundled, read_prompts(PROMPTS), limit=LIMIT, batch_size=3)
    for got, expected in zip(run.records, measure(plan).records, strict=True):
        assert got.id == expected.id
        np.testing.assert_allclose(got.jsd, expected.jsd, rtol=0, atol=1e-4)
        assert got.reliance == pytest.approx(expected.reliance, abs=1e-4)
        assert (got.answer, got.prediction) == (expected.answer, expected.prediction)
    assert run.cosines
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "heatmap.csv", "heatmap.png", "run.sqlite",
    ]  # fmt: skip
    assert run.model["sha256"] == bundled.identity.sha256, "one process may go on with it"


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_rank_stops_the_other_and_what_was_committed_stays(
    tmp_path: Path, lost: int
) -> None:
    # Mostly the next collective fails at once; where it hangs instead, the time limit ends it.
    code = SHORT_LIMITS + COMMAND
    folder = tmp_path / "run"
    with two_ranks(tmp_path, "--limit", 60, code=code) as ranks:
        until(lambda: committed(folder))
        ranks[lost].kill()
        ranks[lost].communicate()
        exit_code, _, err = ended(ranks[1 - lost])
    assert exit_code == 130
    said = " ".join(err.split())
    assert "the ranks are out of step" in said or "another rank is lost or frozen" in said
    assert "what was committed stays, the same command goes on from there" in said
    assert "Traceback" not in said
    before = committed(folder)
    assert 0 < before < 60
    assert owner_of(folder / "run.sqlite") is None
    assert [r.id for r in read_run(folder).records]


@pytest.mark.slow
def test_a_frozen_rank_is_not_waited_for_without_end(tmp_path: Path) -> None:
    code = SHORT_LIMITS + COMMAND
    folder = tmp_path / "run"
    with two_ranks(tmp_path, "--limit", 60, code=code) as (first, second):
        until(lambda: committed(folder))
        os.kill(second.pid, signal.SIGSTOP)
        code_of_first, _, err = ended(first)
    assert code_of_first == 130
    assert "another rank is lost or frozen" in " ".join(err.split())
    assert committed(folder) > 0


@pytest.mark.slow
def test_ranks_that_were_asked_for_different_things_are_refused(tmp_path: Path) -> None:
    hosts, command = hostfile(tmp_path, 2), ["run", "--tensor-parallel", "--limit", 4]
    first = start(hosts, 0, *command, "--output", tmp_path / "run")
    second = start(hosts, 1, *command, "--output", tmp_path / "run", "--seed", 1)
    for rank in (first, second):
        code, _, err = ended(rank)
        assert code == 2, err
        assert "the ranks were not asked for the same" in " ".join(err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "needs several ranks"),
        (["--rank", "0/2"], "give one of the two"),
    ],
)
def test_alone_there_is_nothing_to_split(
    tmp_path: Path, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["run", "--tensor-parallel", "--output", str(tmp_path / "run"), *options])
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


def test_a_family_that_cannot_be_split_is_refused_with_those_that_can(tmp_path: Path) -> None:
    families = shardable_families()
    assert {"llama", "qwen2", "qwen3", "deepseek_v3", "gpt_oss"} <= set(families)
    assert not {"gpt2", "gemma2", "mamba", "base"} & set(families)
    args = gpt2.ModelArgs(
        model_type="gpt2", n_ctx=32, n_embd=16, n_head=2, n_layer=2, n_positions=32,
        layer_norm_epsilon=1e-5, vocab_size=64,
    )  # fmt: skip
    weights = dict(tree_flatten(gpt2.Model(args).parameters()))
    mx.save_safetensors(str(tmp_path / "model.safetensors"), weights)
    (tmp_path / "config.json").write_text(json.dumps(vars(args)))
    with pytest.raises(InputError, match=r"cannot split the family gpt2 .* llama.*leave out"):
        load_part(tmp_path, False, group=None)  # type: ignore[arg-type]


def test_more_ranks_than_heads_are_refused() -> None:
    layers = [("layers.0.self_attn", SimpleNamespace(n_heads=1, n_kv_heads=0))]
    module = SimpleNamespace(named_modules=lambda: layers)
    with pytest.raises(InputError, match=r"over 4 ranks: layers.0.self_attn has fewer heads"):
        _check_heads(module, 4)
