"""Numbers that cannot be trusted, and batches that do not fit: recorded, and the run goes on."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from commands import call
from mlx_lm.models import llama
from models import SIZES, in_place_of, random_batch, tiny

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import MeasurementError, is_out_of_memory
from mlxjsd.interventions.nonfinite import finite_prompts, where_it_breaks
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.output.export import export_run
from mlxjsd.prompts.prompt import PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run import batch as measuring
from mlxjsd.run.events import BatchDone, Finished
from mlxjsd.run.experiment import measure, run_experiment
from mlxjsd.run.out_of_memory import in_memory
from mlxjsd.run.plan import Plan, plan_run
from mlxjsd.settings import Settings
from mlxjsd.store.reader import read_run

SETTINGS = Settings(window=3)

LIMIT = 24


@pytest.fixture(scope="module")
def data() -> PromptFile:
    return read_prompts(PROMPTS)


class _Breaks(nn.Module):
    """A part of a block that returns a bad number for some states."""

    def __init__(self, inner: nn.Module, when: Callable[[mx.array], mx.array], bad: float) -> None:
        super().__init__()
        self.inner, self.when, self.bad = inner, when, bad

    def __call__(self, x: mx.array) -> mx.array:
        return mx.where(self.when(x), self.bad, self.inner(x))


def broken(block: int, bad: float, token: int) -> Blocks:
    """A tiny model, one of whose blocks breaks on the states of one token of the vocabulary."""
    blocks = tiny("llama")
    assert not blocks.anatomy.trouble, "it was found to be sound when it was loaded"
    blocks.model.model.embed_tokens.weight[token] = 1000.0  # goes along in the residual stream
    inner = blocks.blocks[block].mlp
    blocks.blocks[block].mlp = _Breaks(
        inner, lambda x: mx.mean(x, axis=-1, keepdims=True) > 0.9, bad
    )
    return blocks


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("at", [1, 4])
def test_the_block_is_named_in_which_a_number_stops_being_one(at: int, bad: float) -> None:
    batch = random_batch(seed=3)
    tokens = np.where(batch.tokens == 7, 8, batch.tokens)
    tokens[1, batch.end - 1] = 7  # the subject of the second prompt
    batch = replace(batch, tokens=tokens)
    blocks = broken(at, bad, token=7)
    for measured in (sweep_batch, reference_batch):
        found = measured(blocks, batch, SETTINGS)
        assert finite_prompts(found, blocks, SETTINGS, batch).tolist() == [
            True,
            False,
            True,
        ]
    alone = replace(
        batch, tokens=tokens[1:2], starts=batch.starts[1:2],
        noise=batch.noise[1:2, :, batch.starts[1] - batch.first :],
    )  # fmt: skip
    said = where_it_breaks(blocks, alone, SETTINGS)
    assert said == f"NaN or infinity appears in block {at} of the clean run"


def test_what_breaks_only_when_the_subject_is_corrupted_is_found_too() -> None:
    batch = random_batch("noise", size=1)
    blocks = tiny("llama")
    said = where_it_breaks(
        blocks, replace(batch, noise=np.full_like(batch.noise, np.inf)), SETTINGS
    )
    assert said == "NaN or infinity appears in block 0 of the corrupted run"
    assert where_it_breaks(blocks, batch, SETTINGS).startswith("NaN or infinity appeared once")


def test_a_model_whose_edit_breaks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, batch = tiny("llama"), random_batch("swap", size=1)
    from mlxjsd.interventions import nonfinite as finite

    monkeypatch.setattr(
        finite,
        "edits_of",
        lambda *_: [
            (
                "Attn. at layer 2",
                mx.array(batch.tokens),
                lambda call: call.x * (np.nan if call.index == 3 else 1),
            )
        ],
    )
    said = where_it_breaks(blocks, batch, SETTINGS)
    assert said == "NaN or infinity appears in block 3 of the run of Attn. at layer 2"


def break_numbers(monkeypatch: pytest.MonkeyPatch, bad: set[str], plan: Plan) -> None:
    """Let the numbers of some prompts be NaN."""
    measured = measuring.measurement_of
    place = {e.tokens: e.prompt.id for batch in plan.batches for e in batch}

    def measurement_of(model: Any, batch: Any, settings: Settings, kept: Any = None) -> Any:
        found = measured(model, batch, settings, kept)
        rows = [place[tuple(row)] in bad for row in batch.tokens.tolist()]
        cells = found.cells.copy()
        cells[rows, 0, 0, 5] = np.nan
        return replace(found, cells=cells)

    monkeypatch.setattr(measuring, "measurement_of", measurement_of)
    # The model is sound, so that nothing would be found in a hundred passes.
    monkeypatch.setattr(measuring, "where_it_breaks", lambda *_: "NaN appears in block 5")


@pytest.mark.slow
def test_failed_prompts_are_recorded_and_the_others_are_as_they_were(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_run(bundled, data, limit=LIMIT, batch_size=4)
    whole = measure(plan)
    bad = {plan.passes[0][0].prompt.id, plan.passes[2][-1].prompt.id}
    with monkeypatch.context() as patched:
        break_numbers(patched, bad, plan)
        events = list(run_experiment(plan, tmp_path / "run"))
    assert events[-1] == Finished(LIMIT)
    failed = [f for e in events if isinstance(e, BatchDone) for f in e.failed]
    assert {f.id for f in failed} == bad
    run = read_run(tmp_path / "run")
    assert run.finished
    assert {f.id for f in run.failed} == bad
    assert len(run.records) == LIMIT - 2
    by_id = {record.id: record for record in whole.records}
    for record in run.records:
        np.testing.assert_array_equal(record.jsd, by_id[record.id].jsd)
        assert np.isfinite(record.jsd).all()
    again = list(run_experiment(plan, tmp_path / "run"))
    assert [type(e).__name__ for e in again] == ["Started", "Finished"], "not tried again"
    list(run_experiment(plan, tmp_path / "run", retry_failed=True))
    assert len(read_run(tmp_path / "run").records) == LIMIT
    assert not read_run(tmp_path / "run").failed


@pytest.mark.slow
def test_a_run_in_which_too_many_prompts_fail_is_stopped(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_run(bundled, data, limit=LIMIT, batch_size=4)
    break_numbers(monkeypatch, {e.prompt.id for batch in plan.passes for e in batch[:1]}, plan)
    said = r"\d+ of 24 prompts could not be measured, more than 10%; the last one, '.*', because"
    with pytest.raises(MeasurementError, match=said):
        list(run_experiment(plan, tmp_path / "run"))
    assert read_run(tmp_path / "run").records


def test_where_no_prompt_is_usable_cells_are_empty_not_zero(
    bundled: LoadedModel,
    data: PromptFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = plan_run(bundled, data, limit=2)
    break_numbers(monkeypatch, {e.prompt.id for batch in plan.batches for e in batch}, plan)
    folder = tmp_path / "run"
    with pytest.raises(MeasurementError, match="2 of 2 prompts"):
        list(run_experiment(plan, folder))
    run = read_run(folder)
    assert run.finished
    assert not run.records
    assert call("show", folder) == 0
    out = capsys.readouterr().out
    assert "no prompt has been measured yet" in out
    assert "2 prompts could not be measured" in out
    export_run(run, tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["mean"]["subj"] == [None] * 32
    assert [f["id"] for f in document["failed"]] == [f.id for f in run.failed]
    export_run(run, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "all,subj,0,,,,,0"
    assert call("plot", folder, "-o", tmp_path / "x.png") == 0
    from mlxjsd.output.figure import plot_run

    (mesh,) = plot_run(run).axes[0].collections
    assert np.ma.getmaskarray(mesh.get_array()).all(), "nothing is drawn"


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (RuntimeError("[metal::malloc] Attempting to allocate 9 bytes which is greater"), True),
        (RuntimeError("[malloc] Unable to allocate 1000 bytes."), True),
        (RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory"), True),
        (RuntimeError("cudaMallocAsync(&data, size, stream) failed: out of memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (MemoryError(), True),
        (RuntimeError("[matmul] shapes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_what_running_out_of_memory_looks_like(error: Exception, memory: bool) -> None:
    assert is_out_of_memory(error) is memory


def test_a_batch_is_halved_until_it_fits() -> None:
    tried = []

    def take(part: Sequence[int]) -> list[int]:
        tried.append(len(part))
        if len(part) > 3 or 7 in part:
            raise RuntimeError("[malloc] Unable to allocate 9 bytes.")
        return list(part)

    found, too_large = in_memory(take, range(10))
    assert [i for part in found for i in part] == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert [(item, reason[:34]) for item, reason in too_large] == [
        (7, "it does not fit into memory alone:")
    ]
    assert tried[:3] == [10, 5, 2]
    with pytest.raises(RuntimeError, match="shapes"):
        in_memory(lambda part: (_ for _ in ()).throw(RuntimeError("shapes")), [1, 2])


@pytest.mark.slow
def test_a_run_that_runs_out_of_memory_goes_on_in_halves(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_run(bundled, data, limit=LIMIT, batch_size=8)
    whole = measure(plan)
    largest = plan.batches[0][0]
    measured = measuring.measurement_of

    def measurement_of(model: Any, batch: Any, settings: Settings, kept: Any = None) -> Any:
        if batch.size > 2 or tuple(batch.tokens[0].tolist()) == largest.tokens:
            raise RuntimeError("[metal::malloc] Unable to allocate 9999999999 bytes.")
        return measured(model, batch, settings, kept)

    monkeypatch.setattr(measuring, "measurement_of", measurement_of)
    list(run_experiment(plan, tmp_path / "run"))
    run = read_run(tmp_path / "run")
    assert [f.id for f in run.failed] == [largest.prompt.id]
    assert "does not fit into memory alone" in run.failed[0].reason
    by_id = {record.id: record for record in whole.records}
    assert len(run.records) == LIMIT - 1
    for record in run.records:
        np.testing.assert_allclose(record.jsd, by_id[record.id].jsd, atol=1e-5)


def test_a_whole_model_that_only_makes_nan_is_measured_as_failed(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path
) -> None:
    mx.random.seed(1)
    sizes = {**SIZES, "vocab_size": bundled.identity.vocabulary}
    model = llama.Model(llama.ModelArgs(model_type="llama", **sizes))
    plan = plan_run(in_place_of(bundled, model, "llama"), replace(data, prompts=data.prompts[:3]))
    for part in (model.model.layers[2].mlp.down_proj, model.model.layers[2].mlp.up_proj):
        part.weight *= 1e30  # after it was looked at
    with pytest.raises(MeasurementError, match=r"3 of 3 .* block 2 of the clean run"):
        list(run_experiment(plan, tmp_path / "run"))
    said = {f.reason for f in read_run(tmp_path / "run").failed}
    assert said == {"NaN or infinity appears in block 2 of the clean run"}
