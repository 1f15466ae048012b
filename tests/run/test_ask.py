"""One sentence: the numbers of a run on the same prompt, and what is said of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from families import tiny_family
from models import in_place_of
from records import run_of

from mlxjsd.asked import Asked
from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
from mlxjsd.interventions.corruption import Corruption
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.prompts.read import read_prompts
from mlxjsd.prompts.sentence import read_sentence
from mlxjsd.results import Run
from mlxjsd.run.ask import ask
from mlxjsd.run.experiment import measure
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Labelling, Settings

SENTENCE = "The capital of [France] is"


@pytest.fixture(scope="module")
def asked(bundled: LoadedModel) -> Asked:
    return ask(bundled, SENTENCE)


def test_it_is_what_a_run_on_the_bundled_prompts_would_measure(
    bundled: LoadedModel, asked: Asked
) -> None:
    prompt = read_sentence(SENTENCE).prompt()
    # The prompts without answers scale the noise as those with answers do.
    data = [replace(p, answers=()) for p in read_prompts(PROMPTS).prompts]
    plan = plan_run(
        bundled, [prompt], Settings(maps=("residual",)), labelling=Labelling(None),
        sources={"sentence": Corruption(Settings(), _encoded(bundled, data), bundled).source(
            _encoded(bundled, [prompt])[0])},
    )  # fmt: skip
    (record,) = measure(plan).records
    np.testing.assert_array_equal(asked.record.cells, record.cells)
    assert asked.record.maps is not None
    np.testing.assert_array_equal(asked.record.maps, record.maps)
    assert asked.record.source == record.source
    assert asked.record.source["deviation"] > 0


def _encoded(model: LoadedModel, prompts: list[Prompt]) -> list[object]:
    found = model.encoder.encode_all(prompts)
    return [one for one in found if not isinstance(one, Exception)]


def test_it_says_what_comes_next_in_each_run(asked: Asked) -> None:
    clean, corrupted, hidden = asked.next_tokens
    assert [each.run for each in asked.next_tokens] == ["clean", "corrupted", "hidden"]
    assert clean.tokens[0] == asked.record.prediction == " Paris"
    assert clean.predicted == clean.probabilities[0] == pytest.approx(asked.record.probability)
    for each in asked.next_tokens:
        assert len(each.tokens) == len(each.ids) == 5
        assert list(each.probabilities) == sorted(each.probabilities, reverse=True)
    assert corrupted.predicted < clean.predicted
    assert hidden.predicted < clean.predicted
    assert asked.prediction().startswith("'Paris' has 99")
    assert asked.record.map("residual").shape == (6, 32)
    assert 0 < asked.reliance < 0.7 > asked.total_effect > 0.02
    assert len(asked.reading()) == 3


def test_the_subject_in_brackets_is_meant_where_it_stands_twice(bundled: LoadedModel) -> None:
    found = ask(bundled, "In France, the capital of [France] is", maps=())
    assert found.record.tokens[slice(*found.record.subject_span)] == (" France",)
    assert found.record.subject_span == (8, 9)
    assert found.record.maps is None
    assert "occurs more than once" in found.sentences()[-1]


@pytest.mark.parametrize("other", ["The capital of [Norway] is", "The capital of Norway is"])
def test_against_another_sentence_it_is_a_pair(bundled: LoadedModel, other: str) -> None:
    found = ask(bundled, SENTENCE, against=other, maps=())
    assert found.against == "The capital of Norway is"
    assert found.record.source["kind"] == "pair"
    assert found.run.grid.metrics == ("jsd", "logit_diff")
    last = found.heatmap("logit_diff").row("last")
    assert last is not None
    assert last[0] > 0 > last[-1], "the other answer is the likelier one in the end"
    alone = ask(bundled, other if "[" in other else "The capital of [Norway] is", maps=())
    assert found.next_tokens[1].tokens == alone.next_tokens[0].tokens


def test_a_pair_in_which_one_subject_stands_twice(bundled: LoadedModel) -> None:
    found = ask(bundled, "In France, the capital of [France] is", maps=(),
                against="In France, the capital of [Norway] is")  # fmt: skip
    assert found.against == "In France, the capital of Norway is"


@pytest.mark.parametrize(
    ("sentence", "given", "said"),
    [
        (SENTENCE, {"against": "The capital of [Ghana] is"}, "6 tokens and the other one 8"),
        (SENTENCE, {"against": "The town of [Norway] is"}, "differ elsewhere"),
        (SENTENCE, {"against": "The [capital] of Norway is"}, "differ elsewhere"),
        (SENTENCE, {"against": "The capital of is"}, "differ elsewhere"),
        (SENTENCE, {"against": SENTENCE}, "are the same"),
        (SENTENCE, {"settings": Settings("swap")}, "has no swap"),
        (SENTENCE, {"settings": Settings(target="answer")}, "add --answer"),
        (SENTENCE, {"settings": Settings(chat=True)}, "chat template"),
        (SENTENCE, {"calibrated_by": run_of()}, "not of this model"),
        ("The capital of [\ud800] is", {}, "not valid Unicode"),
        (f"The {'very ' * 9000}[tower] is", {}, "tokens are more than"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    bundled: LoadedModel, sentence: str, given: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        ask(bundled, sentence, **given)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "attends"), [("mamba2", False), ("qwen3_next", True)])
def test_a_model_of_the_plain_path_has_a_map_if_it_is_asked_for(
    family: str, attends: bool, bundled: LoadedModel
) -> None:
    tiny = tiny_family(family, vocab_size=bundled.identity.vocabulary)
    model = in_place_of(bundled, tiny, family)
    found = ask(model, SENTENCE, Settings(window=1))
    assert model.identity.path == "plain"
    assert found.record.maps is None
    runs = [each.run for each in found.next_tokens]
    assert runs == ["clean", "corrupted", *(["hidden"] if attends else [])]
    assert np.isfinite(found.reliance) == attends
    assert found.sentences()
    mapped = ask(model, SENTENCE, Settings(window=1), maps=("residual",))
    assert mapped.record.map("residual").shape == (6, model.identity.layers)


def calibrating(model: LoadedModel, **changes: object) -> Run:
    return run_of(12, model=model.identity.to_json(), **changes)


def test_its_reliance_is_placed_in_a_run_of_the_same_model(bundled: LoadedModel) -> None:
    found = ask(bundled, SENTENCE, maps=(), calibrated_by=calibrating(bundled))
    assert found.calibration is not None
    assert found.calibration.reliance == pytest.approx(found.reliance)
    assert {place.category for place in found.calibration.places} == {"FA", "AH", "UH"}
    assert any("FA and AH look alike" in said for said in found.sentences())
    assert not found.calibration.notes
    otherwise = calibrating(bundled, settings=Settings(prompt_template="Q: {prompt}"))
    placed = ask(bundled, SENTENCE, maps=(), calibrated_by=otherwise).calibration
    assert placed is not None
    assert placed.notes


def test_a_run_without_answers_calibrates_nothing(bundled: LoadedModel, tmp_path: Path) -> None:
    run = calibrating(bundled)
    silent = replace(run, records=[replace(r, answers=()) for r in run.records])
    with pytest.raises(InputError, match="no prompt of the run has a known answer"):
        ask(bundled, SENTENCE, maps=(), calibrated_by=silent)
    with pytest.raises(InputError):
        ask(bundled, SENTENCE, maps=(), calibrated_by=tmp_path / "none")
