"""How much memory a pass takes at the most, against what MLX measures; and what fits."""

import gc
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from families import ONE_PASS, PLAIN, tiny_family
from family_settings import FIXED_HEADS, VOCABULARY, heads_of
from mlx_lm.models import llama
from models import begun_alike, in_place_of, random_batch

from mlxjsd.assets import PROMPTS
from mlxjsd.cli import main
from mlxjsd.errors import InputError
from mlxjsd.interventions.cost import Shape
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.spec import Batch
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.experiment import measure
from mlxjsd.run.memory_budget import Budget, Footprint
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Settings

#: One family of each kind of attention, and some with experts.
KINDS = [
    *("cohere", "dbrx", "deepseek_v2", "deepseek_v3", "gemma2", "gemma3_text", "gpt2", "gpt_oss"),
    *("llama", "minicpm3", "mixtral", "plamo", "qwen3", "spark2_5"),
]
#: Query heads, key heads, numbers in a head: of 64 numbers in a state.
HEADS = {"wide": (4, 2, 64), "narrow": (16, 4, 8)}
#: Families whose bound is not read from a graph; it is as if a token went to all experts.
ESTIMATED = {"dbrx", "spark2_5"}
SHAPES: dict[str, dict[str, Any]] = {
    "short": {"size": 8, "length": 12, "end": 10},
    "one prompt": {"size": 1, "length": 12, "end": 10},
    "long tail": {"size": 4, "length": 24, "end": 14},
    "long beginning": {"size": 2, "length": 100, "end": 98},
    "samples": {"size": 4, "length": 12, "end": 10, "samples": 3},
}


def _taken(model: LoadedModel, batch: Batch, settings: Settings) -> float:
    """What share of its bound a pass takes."""
    one_pass = model.blocks.anatomy.trouble is None
    run = sweep_batch if one_pass else reference_batch
    run(model.blocks, batch, settings)
    gc.collect()  # an earlier test's model would be freed in the middle, and hide what is taken
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    run(model.blocks, batch, settings)
    taken = mx.get_peak_memory() - before
    return taken / Footprint.of(model, settings).pass_bytes(Shape.made(batch))


def _loaded(bundled: LoadedModel, model: nn.Module) -> LoadedModel:
    loaded = in_place_of(bundled, model, "tiny")
    vocabulary = model(mx.zeros((1, 2), mx.int32)).shape[-1]
    return replace(loaded, identity=replace(loaded.identity, vocabulary=vocabulary))


def _family(bundled: LoadedModel, family: str, heads: str, **own: Any) -> LoadedModel:
    settings = {} if family in FIXED_HEADS else heads_of(*HEADS[heads])
    return _loaded(bundled, tiny_family(family, **settings, **own))


def _drawn(rng: random.Random, hidden: int) -> Batch:
    """A batch of any shape."""
    length = rng.choice([6, 12, 25, 60])
    end = length - rng.choice([1, 2, 3, length // 2])
    first, size = rng.randrange(end), rng.choice([1, 2, 6])
    batch = random_batch(
        size=size,
        length=length,
        end=end,
        samples=rng.choice([1, 1, 3]),
        starts=[first] + [rng.randrange(first, end) for _ in range(size - 1)],
        vocabulary=VOCABULARY,
        hidden=hidden,
    )
    return begun_alike(batch) if rng.random() < 0.5 else batch


def _long(rng: random.Random, hidden: int) -> Batch:
    """One long prompt, which takes most of its memory for attention."""
    end = 160 - rng.choice([1, 2])
    start = [rng.randrange(80, end)]
    return random_batch(
        size=1, length=160, end=end, starts=start, vocabulary=VOCABULARY, hidden=hidden
    )


def _assert_within_bound(model: LoadedModel, family: str, batch: Batch) -> None:
    least = 0.02 if family in ESTIMATED else 0.15
    taken = _taken(model, batch, Settings(noise_samples=batch.samples))
    assert least < taken <= 1, (batch.tokens.shape, batch.first, batch.end, batch.samples)


@pytest.mark.slow
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("family", KINDS)
def test_a_pass_takes_no_more_than_its_bound(family: str, heads: str, bundled: LoadedModel) -> None:
    rng = random.Random(f"{family} {heads}")
    own = {"vocab_size": rng.choice([VOCABULARY, VOCABULARY, 20_000])}
    model = _family(bundled, family, heads, **own)
    for made in (_drawn, _long):
        _assert_within_bound(model, family, made(rng, model.identity.hidden_size))


@pytest.mark.slow
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("family", [name for name in ONE_PASS if name not in KINDS])
def test_a_pass_over_any_family_takes_no_more_than_its_bound(
    family: str, heads: str, bundled: LoadedModel
) -> None:
    model = _family(bundled, family, heads)
    batch = _drawn(random.Random(f"{family} {heads}"), model.identity.hidden_size)
    _assert_within_bound(model, family, batch)


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
def test_so_does_a_pass_in_half_precision(dtype: mx.Dtype, bundled: LoadedModel) -> None:
    model = tiny_family("qwen3", **heads_of(*HEADS["wide"]))
    model.set_dtype(dtype)
    batch = _drawn(random.Random(1), model.model.embed_tokens.weight.shape[1])
    _assert_within_bound(_loaded(bundled, model), "qwen3", batch)


def test_so_does_a_pass_whose_branches_go_on_over_wide_keys(bundled: LoadedModel) -> None:
    heads = heads_of(4, 4, 32)
    args = llama.ModelArgs(
        **{"model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "vocab_size": 97},
        **{"num_hidden_layers": 16, "rms_norm_eps": 1e-5},
        **{
            name: heads[name] for name in ("num_attention_heads", "num_key_value_heads", "head_dim")
        },
    )
    model = llama.Model(args)
    mx.eval(model.parameters())
    batch = random_batch(
        size=2, length=100, end=98, starts=[97] * 2, vocabulary=VOCABULARY, hidden=64
    )
    _assert_within_bound(_loaded(bundled, model), "llama", batch)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bound_is_not_far_from_what_a_deep_model_takes(
    shape: str, bundled: LoadedModel
) -> None:
    given = SHAPES[shape]
    batch = random_batch(**given, starts=[4] * given["size"], vocabulary=512, hidden=128)
    settings = Settings(noise_samples=batch.samples)
    assert 0.2 < _taken(bundled, batch, settings) <= 1


@pytest.mark.parametrize("rows", [("last",), ("attn",), ("subj",)])
def test_the_bound_follows_from_the_rows_that_are_measured(
    rows: tuple[str, ...], bundled: LoadedModel
) -> None:
    batch = random_batch(size=8, length=12, end=9, starts=[4] * 8, vocabulary=512, hidden=128)
    assert 0.2 < _taken(bundled, batch, Settings(rows=rows)) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("family", ["deepseek_v32", "falcon_h1", "gemma3n", "lfm2", "qwen3_next"])
def test_the_plain_path_takes_no_more_than_its_bound(family: str, bundled: LoadedModel) -> None:
    assert family in PLAIN
    model = _loaded(bundled, tiny_family(family))
    given = {"vocabulary": VOCABULARY, "hidden": model.identity.hidden_size}
    for shape in ({"size": 3, "length": 9}, {"size": 1, "length": 20, "samples": 2}):
        assert 0.05 < _taken(model, random_batch(**shape, **given), Settings()) <= 1


def test_the_budget_decides_how_many_prompts_go_together(bundled: LoadedModel) -> None:
    footprint = Footprint.of(bundled, Settings())
    shape = Shape(size=1, length=14, first=4, end=12, samples=1)
    eight = Budget.needed(footprint, Shape(8, 14, 4, 12, 1))

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


@pytest.mark.slow
def test_memory_changes_the_batches_and_no_number(bundled: LoadedModel) -> None:
    data = read_prompts(PROMPTS)
    footprint = Footprint.of(bundled, Settings())
    tight = Budget.needed(footprint, Shape(3, 20, 4, 18, 1)) / 1e9
    few, many = (plan_run(bundled, data, limit=24, memory=gb) for gb in (tight, None))
    assert max(map(len, few.passes)) < max(map(len, many.passes))
    np.testing.assert_allclose(measure(few).jsd(), measure(many).jsd(), atol=1e-5)


@pytest.mark.slow
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
