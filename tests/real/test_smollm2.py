"""SmolLM2-135M-Instruct on real facts: the finding by itself, and answers read by a person."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from records import ATTN, LAST, SUBJ, plain

from mlxjsd.interventions.maps import sweep_maps
from mlxjsd.interventions.reference import reference_batch, reference_maps
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.prompt import PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.ranges import parse_layers
from mlxjsd.results import Run
from mlxjsd.rows import sets
from mlxjsd.run.check import check_model
from mlxjsd.run.experiment import measure, run_experiment
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Settings
from mlxjsd.store.reader import read_run

pytestmark = [pytest.mark.real, pytest.mark.slow]

FACTS = 64
#: Every third of the early layers, and all around the bump.
SHAPE = parse_layers("0-12:3,15,18-25,29")

#: Prompts with bars around the tokens of the subject, the first words of the answer, and whether
#: a person calls it right.
READ = [
    ("The capital of| Liberia| is the city of", "Kouar", False),
    ("The official currency of| Indonesia| is the", "rupiah", True),
    ("The official language of| Iran| is", "Arabic", False),
    ("The city of| Arequipa| is in the country of", "Peru", True),
    ("Visitors find the| Palacio de Bellas Artes| in the city of", "Mexico City", True),
    ("Visitors find the| Mauritshuis| in the country of", "Mauritania", False),
    ("By profession,| Ivo Andrić| was a", "Croatian national hero", False),
    ("The home of| Pierre Curie| was in the country of", "France", True),
    ("The birthplace of| Mary Shelley| was the city of", "Bath", False),
    ("The athlete| Marco van Basten| represented the country of", "Norway", False),
    ("The book| Ivanhoe| was written by", "a medieval blacksmith", False),
    ("The film| Star Wars| was directed by", "Christopher Nolan", False),
    ("The song| Sexual Healing| was recorded by", "the band", False),
    ("The headquarters of| Norsk Hydro| are in the city of", "Copenhagen", False),
    ("The company| Shell| comes from the country of", "Chile", False),
    ("The chemical symbol of the element| rhodium| is", "Rh", True),
    ("The capital of| Moldova| is the city of", "Krasnakhrug", False),
    ("The official currency of| Trinidad and Tobago| is the", "Trinidad and Tobago Dollar", True),
    ("The official language of| Bolivia| is", "Spanish", True),
    ("The city of| Surabaya| is in the country of", "Indonesia", True),
    ("Visitors find the| Carnegie Hall| in the city of", "New York", True),
    ("Visitors find the| Hohensalzburg Fortress| in the country of", "Austria", True),
    ("By profession,| Irène Joliot-Curie| was a", "brilliant physicist", True),
    ("The home of| Katherine Johnson| was in the country of", "the gods", False),
    ("The birthplace of| Rabindranath Tagore| was the city of", "Calcutta", True),
    ("The athlete| Son Heung-min| represented the country of", "China", False),
    ("The chemical symbol of the element| neptunium| is", "ne", False),
    ("The official currency of| Vatican City| is the", "Italian lira", False),
    ("The official language of| Ecuador| is", "Spanish", True),
    ("The home of| Alexander Pushkin| was in the country of", "Russia", True),
    ("The city of| Curitiba| is in the country of", "Brazil", True),
]


@pytest.fixture(scope="module")
def facts() -> PromptFile:
    return read_prompts("facts")


@pytest.fixture(scope="module")
def run(smollm2: LoadedModel, facts: PromptFile) -> Run:
    return measure(plan_run(smollm2, facts, Settings(layers=SHAPE), limit=FACTS))


def test_it_is_green(smollm2: LoadedModel, facts: PromptFile) -> None:
    check = check_model(smollm2, facts)
    assert check.passed, check.invariants
    told = dict(check.facts)
    assert (told["layers"], told["measured by"]) == ("30", "one pass")


@pytest.mark.parametrize("corruption", ["noise", "swap"])
def test_the_one_pass_equals_one_for_each_cell(
    corruption: str, smollm2: LoadedModel, facts: PromptFile
) -> None:
    settings = Settings(corruption, layers=(0, 11, 22, 29))
    plan = plan_run(smollm2, facts, settings, limit=200)
    shapes = sorted(plan.passes, key=lambda together: len(together[0].tokens))
    several = next(together for together in plan.passes if len(together) > 2)[:3]
    chosen = [shapes[0][:1], shapes[len(shapes) // 2][:1], shapes[-1][:1], several]
    assert len({len(together[0].tokens) for together in chosen}) >= 3
    for together in chosen:
        batch = plan.corruption.batch(together)
        found = sweep_batch(smollm2.blocks, batch, settings)
        wanted = reference_batch(smollm2.blocks, batch, settings)
        np.testing.assert_allclose(found.cells, wanted.cells, atol=1e-5)
        np.testing.assert_allclose(found.whole, wanted.whole, atol=1e-5)


def test_rows_and_maps_of_parts_equal_one_pass_for_each_cell(
    smollm2: LoadedModel, facts: PromptFile
) -> None:
    settings = Settings(
        rows=sets()["parts"],
        maps=("residual", "mlp", "attention"),
        direction="both",
        layers=(4, 17, 29),
    )
    plan = plan_run(smollm2, facts, settings, limit=60)
    several = (p[0] for p in plan.passes if p[0].end - p[0].start > 1)  # tokens of the subject
    shortest = min(several, key=lambda encoded: len(encoded.tokens))
    batch = plan.corruption.batch([shortest])
    found = sweep_batch(smollm2.blocks, batch, settings)
    wanted = reference_batch(smollm2.blocks, batch, settings)
    assert len(found.grid.rows) == 8
    assert np.isfinite(wanted.cells[..., settings.layers]).all()
    np.testing.assert_allclose(found.cells, wanted.cells, atol=1e-5)
    np.testing.assert_allclose(
        sweep_maps(smollm2.blocks, batch, settings),
        reference_maps(smollm2.blocks, batch, settings),
        atol=1e-5,
    )


def test_spans_and_answers_are_those_that_a_person_reads(run: Run) -> None:
    by_text = {record.text: record for record in run.records}
    categories = dict(zip((r.id for r in run.records), run.labels().categories, strict=True))
    for marked, answer, right in READ:
        record = by_text[marked.replace("|", "")]
        start, end = record.subject_span
        parts = record.tokens[:start], record.tokens[start:end], record.tokens[end:]
        assert "|".join("".join(part) for part in parts) == marked
        assert record.answer is not None
        assert record.answer.startswith(answer), (marked, record.answer)
        assert (categories[record.id] == "FA") is right, (marked, record.answer)


def test_a_run_that_was_cut_off_goes_on_to_the_same_results(
    smollm2: LoadedModel, facts: PromptFile, tmp_path: Path
) -> None:
    plan = plan_run(smollm2, facts, Settings(layers=(5, 22)), limit=8, batch_size=3)
    events = run_experiment(plan, tmp_path / "parts")
    list(islice(events, 2))
    events.close()
    assert 0 < len(read_run(tmp_path / "parts").records) < 8
    for folder in ("parts", "whole"):
        list(run_experiment(plan, tmp_path / folder))
    parts, whole = (read_run(tmp_path / folder).records for folder in ("parts", "whole"))
    assert [plain(record) for record in parts] == [plain(record) for record in whole]


def test_the_finding_shows_by_itself(run: Run) -> None:
    heatmaps = {name: run.heatmap(by="category")[name] for name in run.heatmap(by="category")}
    right = heatmaps["Factual associations"].mean
    assert heatmaps["Factual associations"].count >= 15
    early, around = list(parse_layers("0-12:3")), list(parse_layers("18-25"))
    assert right[SUBJ, early].min() > 0.2
    assert right[SUBJ, 29] < 0.01
    peak = int(np.nanargmax(right[ATTN]))
    assert peak in around
    assert right[ATTN, peak] >= 4 * right[ATTN, early].mean()
    assert int(np.nanargmax(right[LAST])) == 29
    level = {name: np.nanmean(heatmap.mean) for name, heatmap in heatmaps.items()}
    assert level["Unassociated hallucinations"] < level["Factual associations"]
    assert level["Unassociated hallucinations"] < level["Associated hallucinations"]
