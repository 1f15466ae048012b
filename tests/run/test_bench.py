import json
from collections.abc import Callable
from pathlib import Path

import pytest
from models import LAYERS, begun_alike, random_batch, tiny

from mlxjsd.assets import PROMPTS
from mlxjsd.cli import main
from mlxjsd.interventions import spec as interventions
from mlxjsd.interventions.cost import (
    Shape,
    forward_token_blocks,
    reference_token_blocks,
    sweep_token_blocks,
)
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.spec import Measurement
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.model.stepping import BlockCall
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.bench import describe, run_bench
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Settings

SETTINGS = Settings(window=3)


def counted(blocks: Blocks, monkeypatch: pytest.MonkeyPatch, way: Callable[[], Measurement]) -> int:
    """Count the tokens that go through a block while ``way`` runs."""
    way()  # what is found out once about a model is no part of it
    total, forward = 0, BlockCall.forward

    def counting(call: BlockCall, x, *arguments, **named):  # type: ignore[no-untyped-def]
        nonlocal total
        total += x.shape[0] * x.shape[1]
        return forward(call, x, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(BlockCall, "forward", counting)
        way()
    return total


@pytest.mark.parametrize("kind", ["noise", "swap"])
@pytest.mark.parametrize("end", [6, 8])
@pytest.mark.parametrize("alike", [False, True])
def test_the_passes_cost_what_the_model_of_costs_says(
    kind: str, end: int, alike: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interventions, "SHARED_TOKENS", 1)
    blocks = tiny("llama")
    samples = 2 if kind == "noise" else 1
    batch = random_batch(kind, end=end, samples=samples, starts=[2, 3, 4])
    batch = begun_alike(batch) if alike else batch
    shape = Shape.made(batch)
    assert (shape.shared == 2) == alike
    swept = counted(blocks, monkeypatch, lambda: sweep_batch(blocks, batch, SETTINGS))
    assert swept == sweep_token_blocks(shape, SETTINGS, LAYERS)
    plain = counted(blocks, monkeypatch, lambda: reference_batch(blocks, batch, SETTINGS))
    assert plain == reference_token_blocks(shape, SETTINGS, LAYERS)


def test_the_cost_of_the_published_setting() -> None:
    # Some 2,800 token-blocks against 100 passes over 12 tokens and 32 blocks.
    shape = Shape(size=1, length=12, first=4, end=10, samples=1)
    assert sweep_token_blocks(shape, Settings(), 32) == pytest.approx(2800, rel=0.02)
    assert reference_token_blocks(shape, Settings(), 32) == 100 * 12 * 32
    assert forward_token_blocks(shape, 32) == 12 * 32


@pytest.mark.slow
def test_a_bench_of_the_bundled_model(bundled: LoadedModel) -> None:
    plan = plan_run(bundled, read_prompts(PROMPTS), limit=2)
    bench = run_bench(plan, prompts=1, rounds=1)
    assert bench.largest_difference < 1e-5
    assert bench.speedup > 2
    assert bench.peak_memory_bytes > bench.weights_bytes > 1_000_000
    assert bench.full_prompts == 2
    assert f"speed-up {bench.speedup:.1f}" in describe(bench)


@pytest.mark.slow
def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "one.jsonl"
    data.write_text('{"prompt": "The capital of France is", "subject": "France"}\n')
    with pytest.raises(SystemExit) as ended:
        main(["bench", "--data", str(data), "--rounds", "1", "--json"])
    assert not ended.value.code
    found = json.loads(capsys.readouterr().out)
    assert {
        "speedup", "speedup_batched", "efficiency", "forward_passes", "prompts_per_second",
        "peak_memory_bytes", "weights_bytes",
    } <= found.keys()  # fmt: skip


@pytest.mark.slow
def test_a_bench_is_cut_to_the_time_that_there_is(bundled: LoadedModel) -> None:
    plan, told = plan_run(bundled, read_prompts(PROMPTS)), []
    bench = run_bench(plan, seconds=1, progress=lambda *news: told.append(news))
    assert (bench.prompts, bench.rounds) == (1, 1)
    assert bench.left_out == (
        "1 of 16 prompts and 1 of 3 rounds, since more would take over 1 seconds"
    )
    assert bench.left_out in describe(bench)
    assert [(done, total) for _, done, total in told] == [(0, 1), (0, 4), (1, 4), (2, 4), (3, 4)]
