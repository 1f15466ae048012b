from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.models import llama
from models import random_batch

from mlxjsd.assets import PROMPTS
from mlxjsd.cli import main
from mlxjsd.errors import InputError
from mlxjsd.interventions.cost import Shape
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.experiment import measure
from mlxjsd.run.memory_budget import Budget, Footprint
from mlxjsd.run.plan import plan_run

#: What differs between the models: depth and widths, and what a pass over them is dominated by.
MODELS: dict[str, dict[str, int]] = {
    "even": {},
    "wide inside": {"intermediate_size": 1024},
    "many keys": {"num_attention_heads": 8, "num_key_value_heads": 8},
    "large vocabulary": {"vocab_size": 40_000},
}
SHAPES: dict[str, dict[str, Any]] = {
    "short": {"size": 8, "length": 12, "end": 10},
    "one prompt": {"size": 1, "length": 12, "end": 10},
    "long tail": {"size": 4, "length": 24, "end": 14},
    "long beginning": {"size": 4, "length": 200, "end": 198},
    "samples": {"size": 4, "length": 12, "end": 10, "samples": 3},
}


def _model(**own: int) -> Blocks:
    sizes = {
        "hidden_size": 128,
        "num_hidden_layers": 8,
        "intermediate_size": 256,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
    }
    args = llama.ModelArgs(model_type="llama", rms_norm_eps=1e-5, **(sizes | own))
    model = llama.Model(args)
    mx.eval(model.parameters())
    return Blocks(model)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", MODELS)
def test_a_pass_takes_no_more_than_its_bound(kind: str, shape: str, bundled: LoadedModel) -> None:
    blocks, given = _model(**MODELS[kind]), SHAPES[shape]
    args = blocks.model.args
    batch = random_batch(
        **given, starts=[4] * given["size"], vocabulary=args.vocab_size, hidden=128
    )
    footprint = Footprint.of(_loaded(bundled, blocks))
    sweep_batch(blocks, batch, 5)
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    sweep_batch(blocks, batch, 5)
    taken = mx.get_peak_memory() - before
    bound = footprint.pass_bytes(
        Shape(batch.size, batch.length, batch.first, batch.end, batch.samples)
    )
    assert 0.2 * bound < taken <= bound


def _loaded(bundled: LoadedModel, blocks: Blocks) -> LoadedModel:
    """The identity of the bundled model, which has the same width and type, is nearly theirs."""
    identity = replace(bundled.identity, vocabulary=blocks.model.args.vocab_size)
    return replace(bundled, blocks=blocks, identity=identity)


def test_the_budget_decides_how_many_prompts_go_together(bundled: LoadedModel) -> None:
    footprint = Footprint.of(bundled)
    shape = Shape(size=1, length=14, first=4, end=12, samples=1)
    eight = footprint.weights + footprint.pass_bytes(Shape(8, 14, 4, 12, 1))

    def fits(limit: int, given: bool = True) -> int:
        return Budget(limit, given).prompts(footprint, shape, most=16)

    assert fits(eight) == 8
    assert fits(eight - 1) == 7
    assert fits(10**12) == 16
    assert fits(0, given=False) == 1
    with pytest.raises(InputError, match=r"needs 0\.03 GB with this model, more than the 0\.00"):
        fits(1000)
    longer = Shape(size=1, length=28, first=4, end=26, samples=1)
    assert Budget(eight, True).prompts(footprint, longer, 16) < 8


def test_without_a_word_it_is_what_the_machine_recommends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "device_info", lambda: {"max_recommended_working_set_size": 10**10})
    assert Budget.of() == Budget(9 * 10**9, given=False)
    monkeypatch.setattr(mx, "device_info", dict)
    assert 10**8 < Budget.of().limit < mx.get_memory_limit()
    assert Budget.of(1.5) == Budget(1_500_000_000, given=True)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf")])
def test_memory_that_makes_no_sense_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match="the memory must be a positive number"):
        Budget.of(bad)


def test_memory_changes_the_batches_and_no_number(bundled: LoadedModel) -> None:
    data = read_prompts(PROMPTS)
    footprint = Footprint.of(bundled)
    tight = (footprint.weights + footprint.pass_bytes(Shape(3, 20, 4, 18, 1))) / 1e9
    few, many = (plan_run(bundled, data, limit=24, memory=gb) for gb in (tight, None))
    assert max(map(len, few.batches)) < max(map(len, many.batches))
    np.testing.assert_allclose(measure(few).jsd(), measure(many).jsd(), atol=1e-5)


def test_the_command_says_what_a_prompt_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--memory", "0.001", "--limit", "2", "--output", str(tmp_path / "run")])
    assert ended.value.code == 2
    assert "GB of --memory" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["run", "--memory", "4", "--batch-size", "2", "--output", str(tmp_path / "run")])
    assert ended.value.code == 2
