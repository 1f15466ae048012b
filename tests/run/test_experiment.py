"""The run, on the bundled model: events, resuming, and the same numbers every way."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from records import plain, same

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
from mlxjsd.interventions.corruption.swap import NO_PARTNER
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.prompt import PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.results import Run
from mlxjsd.run.batch import measure_batch
from mlxjsd.run.events import BatchDone, Finished, Started, Stopped
from mlxjsd.run.experiment import measure, run_experiment
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Settings
from mlxjsd.store.reader import read_run

LIMIT = 12


@pytest.fixture(scope="module")
def data() -> PromptFile:
    return read_prompts(PROMPTS)


def assert_equal(a: Run, b: Run) -> None:
    assert [plain(record) for record in a.records] == [plain(record) for record in b.records]


@pytest.mark.slow
def test_a_run_tells_what_it_does(bundled: LoadedModel, data: PromptFile, tmp_path: Path) -> None:
    plan = plan_run(bundled, data, limit=LIMIT, batch_size=5)
    first, *middle, last = run_experiment(plan, tmp_path / "run")
    assert isinstance(first, Started)
    assert (first.total, first.done, first.layers) == (LIMIT, 0, 32)
    assert all(isinstance(event, BatchDone) for event in middle)
    assert [e.done for e in middle] == np.cumsum([len(e.records) for e in middle]).tolist()
    assert last == Finished(LIMIT)
    run = read_run(tmp_path / "run")
    assert run.finished
    assert_equal(run, measure(plan))
    assert sorted(r.id for e in middle for r in e.records) == sorted(r.id for r in run.records)


@pytest.mark.slow
def test_a_run_that_was_cut_off_goes_on_bit_for_bit(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path
) -> None:
    plan = plan_run(bundled, data, limit=LIMIT, batch_size=4)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(run_experiment(plan, whole))
    events = run_experiment(plan, parts)
    list(islice(events, 3))
    events.close()  # as a crash between two batches
    assert 0 < len(read_run(parts).records) < LIMIT
    again = list(run_experiment(plan, parts))
    assert again[0].done == LIMIT - sum(len(e.records) for e in again[1:-1])
    assert_equal(read_run(parts), read_run(whole))
    # Those of the first call are computed again, those of the second were held.
    assert read_run(parts).cosines == read_run(whole).cosines
    assert [type(e) for e in run_experiment(plan, parts)] == [Started, Finished]


def test_a_run_stops_between_batches(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path
) -> None:
    plan = plan_run(bundled, data, limit=LIMIT, batch_size=4)
    asked = iter([False, True])
    events = list(run_experiment(plan, tmp_path / "run", should_stop=lambda: next(asked)))
    assert isinstance(events[-1], Stopped)
    assert len(read_run(tmp_path / "run").records) == events[-1].done > 0


@pytest.mark.slow
@pytest.mark.parametrize("settings", [Settings(noise_samples=2), Settings("swap", window=3)])
def test_every_record_equals_the_reference(
    bundled: LoadedModel, data: PromptFile, settings: Settings
) -> None:
    plan = plan_run(bundled, data, settings, limit=2)
    for batch in plan.batches:
        for encoded, record in zip(batch, measure_batch(plan, batch).records, strict=True):
            alone = plan.corruption.batch([encoded])
            expected = reference_batch(bundled.blocks, alone, settings)
            np.testing.assert_allclose(record.jsd, expected.jsd[0], atol=1e-5)
            assert record.reliance == pytest.approx(expected.reliance[0], abs=1e-5)
            assert record.probability == pytest.approx(expected.probability[0], abs=1e-5)


@pytest.mark.slow
def test_numbers_depend_neither_on_batches_nor_on_the_limit(
    bundled: LoadedModel, data: PromptFile
) -> None:
    few = measure(plan_run(bundled, data, limit=6, batch_size=1))
    many = measure(plan_run(bundled, data, limit=LIMIT, batch_size=16))
    by_id = {record.id: record for record in many.records}
    for record in few.records:
        np.testing.assert_allclose(record.jsd, by_id[record.id].jsd, atol=1e-5)


@pytest.mark.slow
def test_seeds_and_levels_matter(bundled: LoadedModel, data: PromptFile) -> None:
    def jsd(settings: Settings) -> np.ndarray:
        return measure(plan_run(bundled, data, settings, limit=3)).jsd()

    base = jsd(Settings())
    np.testing.assert_array_equal(base, jsd(Settings()))
    assert not np.allclose(base, jsd(Settings(seed=1)))
    assert jsd(Settings(noise_level=0.01)).max() < base.max()


def write(path: Path, *rows: dict[str, object]) -> PromptFile:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return read_prompts(path)


GOOD = {"id": "good", "prompt": "The capital of France is", "subject": "France"}


def test_what_cannot_be_measured_is_skipped_with_its_reason(
    bundled: LoadedModel, tmp_path: Path
) -> None:
    data = write(
        tmp_path / "prompts.jsonl",
        {"id": "absent", "prompt": "The capital is", "subject": "France"},
        GOOD,
        {"id": "last", "prompt": "Paris is in France", "subject": "France"},
        {"id": "long", "prompt": "The capital of France is " * 90, "subject": "France"},
    )
    started, *_ = events = list(run_experiment(plan_run(bundled, data), tmp_path / "run"))
    assert isinstance(started, Started)
    assert [(s.id, s.position) for s in started.skipped] == [
        ("absent", 0),
        ("last", 2),
        ("long", 3),
    ]
    assert events[-1] == Finished(1)
    run = read_run(tmp_path / "run")
    assert [r.id for r in run.records] == ["good"]
    assert [s.reason.split()[0] for s in run.skipped] == ["the", "the", "452"]


def test_flags_and_popularity_are_measured_with_the_prompt(
    bundled: LoadedModel, tmp_path: Path
) -> None:
    twice = {"id": "twice", "prompt": "France is big; the capital of France is", "popularity": 42}
    data = write(tmp_path / "prompts.jsonl", GOOD, {**GOOD, **twice})
    list(run_experiment(plan_run(bundled, data), tmp_path / "run"))
    good, odd = read_run(tmp_path / "run").records
    assert (good.flags, good.popularity) == ((), None)
    assert (odd.flags, odd.popularity) == (("occurs-twice",), 42.0)


def test_a_file_without_a_usable_prompt_is_bad_input(bundled: LoadedModel, tmp_path: Path) -> None:
    data = write(tmp_path / "p.jsonl", {"id": "x", "prompt": "The capital is", "subject": "France"})
    with pytest.raises(InputError, match=r"no prompt of .* can be measured; the first one, 'x'"):
        plan_run(bundled, data)
    for relation, reason in (("capital", NO_PARTNER), (None, "it has no relation")):
        data = write(tmp_path / "p.jsonl", {**GOOD, "relation": relation})
        with pytest.raises(InputError, match=reason):
            plan_run(bundled, data, Settings("swap"))


@pytest.mark.parametrize("bad", [{"limit": 0}, {"batch_size": 0}])
def test_senseless_numbers_are_bad_input(
    bundled: LoadedModel, data: PromptFile, bad: dict[str, int]
) -> None:
    with pytest.raises(InputError, match="at least 1"):
        plan_run(bundled, data, **bad)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_example_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    assert len(code.strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert list(tmp_path.glob("*.png"))


@pytest.mark.slow
def test_a_run_in_memory_has_all_that_a_stored_one_has(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path
) -> None:
    told: list[BatchDone] = []
    plan = plan_run(bundled, data.prompts, limit=5, batch_size=2)
    kept = mx.set_cache_limit(123_456_789)
    try:
        run = measure(plan, told.append)
        list(run_experiment(plan, str(tmp_path / "run")))
        assert mx.set_cache_limit(kept) == 123_456_789, "MLX's limit is put back"
    finally:
        mx.set_cache_limit(kept)
    assert [event.done for event in told][-1] == len(run.records) == 5
    assert sum(len(event.records) for event in told) == 5
    assert same(run, read_run(tmp_path / "run"))
    assert run.cosines["groups"]
    # Where memory has no room for them, the directions are computed again.
    assert measure(replace(plan, directions_held=2)).cosines == run.cosines
