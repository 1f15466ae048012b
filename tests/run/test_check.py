"""``mlxjsd check``, and what a run proves of its first batch."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from families import tiny_family
from models import in_place_of
from rich.console import Console

from mlxjsd.assets import PROMPTS
from mlxjsd.cli import main
from mlxjsd.cli.check import check_table
from mlxjsd.errors import MeasurementError
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.prompt import PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.check import check_model, facts_of
from mlxjsd.run.experiment import measure
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Labelling, Settings

EVERY = (
    "the null branch changes nothing",
    "logits are as before",
    "Last. at the last layer is the total effect",
    "Subj. at the last layer is nothing",
)


def _loaded(family: str, bundled: LoadedModel) -> LoadedModel:
    model = tiny_family(family, vocab_size=bundled.identity.vocabulary)
    return in_place_of(bundled, model, family)


def _prompts() -> PromptFile:
    found = read_prompts(PROMPTS)
    return replace(found, prompts=found.prompts[:24])


@pytest.fixture
def llama(bundled: LoadedModel) -> LoadedModel:
    return _loaded("llama", bundled)


def test_a_model_proves_itself(llama: LoadedModel) -> None:
    check = check_model(llama, _prompts())
    names = [invariant.name for invariant in check.invariants]
    assert names[:4] == list(EVERY)
    assert names[4:] == [
        "one pass equals 14 passes",
        "one pass equals 4 passes that exchange parts",
        "alone or 3 together, the same",
        "subject spans decode to their subjects",
    ]
    assert check.passed, check.invariants
    assert check.invariants[-1].measured == "24 of 24"
    facts = dict(check.facts)
    assert facts["measured by"] == "one pass"
    assert facts["layers"] == "4"
    blocks = [value for name, value in check.facts if name == "blocks"]
    assert blocks == [
        "attention, 2 key heads of 16, token 1024 sees 3: 0, 2",
        "attention, 2 key heads of 16: 1, 3",
    ]
    assert facts["parts"] == "attention self_attn, MLP mlp: 0-3"


@pytest.mark.slow
def test_the_plain_path_has_no_second_way(bundled: LoadedModel) -> None:
    check = check_model(_loaded("qwen3_next", bundled), _prompts())
    assert check.passed, check.invariants
    assert not any("one pass equals" in invariant.name for invariant in check.invariants)
    facts = dict(check.facts)
    assert facts["measured by"].startswith("each cell is a forward pass, since block 0")
    assert ("blocks", "no attention: 0, 2") in check.facts
    parts = [value for name, value in check.facts if name == "parts"]
    assert parts == [
        "no attention, but linear_attn, MLP mlp: 0, 2",
        "attention self_attn, MLP mlp: 1, 3",
    ]


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (
            "gemma2",
            "attention self_attn + post_attention_layernorm, MLP mlp + "
            "post_feedforward_layernorm: 0-3",
        ),
        ("minicpm", "attention 0.7 x self_attn, MLP 0.7 x mlp: 0-3"),
        (
            "falcon_h1",
            "not applicable, since block 0 has two parts that mix the tokens that they are given: "
            "mamba and self_attn",
        ),
    ],
)
def test_the_parts_are_said_or_why_there_are_none(
    family: str, said: str, bundled: LoadedModel
) -> None:
    assert dict(facts_of(_loaded(family, bundled)))["parts"] == said


def _changed(jsd: float = 0.0, floor: float = 0.0) -> object:
    """A sweep of which some numbers are a little too high."""

    def sweep(blocks: Blocks, batch: Batch, settings: Settings, kept: Any = None) -> Measurement:
        found = sweep_batch(blocks, batch, settings, kept)
        whole = found.whole.copy()
        whole[..., found.grid.whole.index("floor")] += np.float32(floor)
        return replace(found, cells=found.cells + np.float32(jsd), whole=whole)

    return sweep


def test_wrong_numbers_fail(llama: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlxjsd.run.batch.sweep_batch", _changed(jsd=1e-3))
    found = check_model(llama, _prompts())
    failed = [one.name for one in found.invariants if not one.passed]
    assert "one pass equals 14 passes" in failed
    assert "Last. at the last layer is the total effect" in failed
    assert "Subj. at the last layer is nothing" in failed


def test_the_table_says_all(llama: LoadedModel) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(check_table(check_model(llama, _prompts())))
    said = console.export_text()
    for part in (*EVERY, "pass", "one pass", "quantization", "MB", "bit for bit"):
        assert part in said
    assert "FAIL" not in said


def _call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(("changes", "code"), [({}, 0), ({"floor": 1e-3}, 1)])
def test_the_exit_code_says_whether_all_invariants_hold(
    changes: dict[str, float],
    code: int,
    llama: LoadedModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("mlxjsd.model.load.load_model", lambda *_, **__: llama)
    monkeypatch.setattr("mlxjsd.run.batch.sweep_batch", _changed(**changes))
    assert _call("check") == code
    out = capsys.readouterr().out
    assert "the null branch changes nothing" in out
    assert ("FAIL" in out) == bool(code)


@pytest.mark.parametrize("changes", [{"floor": 1e-3}, {"jsd": 1e-2}])
def test_a_run_stops_at_a_first_batch_that_cannot_be_right(
    changes: dict[str, float],
    llama: LoadedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("mlxjsd.run.batch.sweep_batch", _changed(**changes))
    monkeypatch.setattr("mlxjsd.model.load.load_model", lambda *_, **__: llama)
    assert _call("run", "--limit", 2, "--no-label", "--output", tmp_path / "run") == 1
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("mlxjsd: these numbers cannot be right")
    plan = plan_run(llama, read_prompts(PROMPTS), limit=2, labelling=Labelling(None))
    with pytest.raises(MeasurementError, match="cannot be right"):
        measure(plan)


def test_a_model_that_is_not_as_before_is_noticed(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave_a_trace(*arguments: Any) -> Measurement:
        blocks, found = arguments[0], sweep_batch(*arguments)
        blocks.model.model.norm.weight = blocks.model.model.norm.weight * mx.array(1.001)
        return found

    monkeypatch.setattr("mlxjsd.run.batch.sweep_batch", leave_a_trace)
    plan = plan_run(llama, read_prompts(PROMPTS), limit=2, labelling=Labelling(None))
    with pytest.raises(MeasurementError, match="logits are as before"):
        measure(plan)
