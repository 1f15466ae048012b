"""Measuring a report's prompts again, on the bundled model: what agrees, and what is found out."""

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import call
from models import in_place_of, tiny
from reports import document_in, forge, halve, sealed

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.output.report.document import Document
from mlxjsd.output.report.packing import packed_levels, unpacked_levels
from mlxjsd.output.report.reading import read_report
from mlxjsd.output.report.write import write_report
from mlxjsd.prompts.prompt import Counterfactual, Prompt, PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.results import Run
from mlxjsd.rows import ROWS
from mlxjsd.run.experiment import measure
from mlxjsd.run.plan import plan_run
from mlxjsd.run.verify import Verified, drawn, verify
from mlxjsd.settings import Labelling, Settings

LIMIT = 6
ALL_METRICS = ("jsd", "kl", "prob", "logprob", "logit_diff", "top1")


@pytest.fixture(scope="module")
def data() -> PromptFile:
    return read_prompts(PROMPTS)


@pytest.fixture(scope="module")
def run(bundled: LoadedModel, data: PromptFile) -> Run:
    return measure(plan_run(bundled, data, limit=LIMIT))


@pytest.fixture
def path(run: Run, tmp_path: Path) -> Path:
    write_report(run, tmp_path / "report.html")
    return tmp_path / "report.html"


def verified(
    bundled: LoadedModel, path: Path, some: slice = slice(None), **options: Any
) -> dict[str, Verified]:
    report = read_report(path)
    found = verify(
        bundled, report.run, report.run.records[some], report.steps,
        map_steps=report.map_steps, **options,
    )  # fmt: skip
    return {one.id: one for one in found}


def test_every_number_of_a_report_agrees_with_itself(
    bundled: LoadedModel, run: Run, path: Path, data: PromptFile
) -> None:
    for options in ({}, {"data": data}):
        found = verified(bundled, path, **options)
        assert {*found} == {record.id for record in run.records}
        for one in found.values():
            assert one.agrees, one.objections
            assert one.numbers == 3 * 32 + 2
            assert one.largest < 1e-5


@pytest.mark.slow
def test_swapped_subjects_and_further_metrics_agree(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path
) -> None:
    settings = Settings(corruption="swap", metrics=ALL_METRICS, window=4, layers=(0, 3, 31))
    few = plan_run(bundled, data, settings, limit=40, sample=4, labelling=Labelling(None))
    write_report(measure(few), tmp_path / "swap.html")
    for options in ({}, {"data": data}):
        found = verified(bundled, tmp_path / "swap.html", **options)
        assert len(found) == 4
        assert all(one.agrees for one in found.values()), found
        assert {one.numbers for one in found.values()} == {6 * (3 * 32 + 2)}


@pytest.mark.slow
def test_every_row_of_a_swap_agrees_in_both_directions(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path
) -> None:
    rows = tuple(key for key, row in ROWS.items() if row.by_layer)
    settings = Settings(
        corruption="swap", rows=rows, direction="both", window=(1, 5), layers=(2, 30),
        target="answer", metrics=ALL_METRICS,
    )  # fmt: skip
    plan = plan_run(bundled, data, settings, limit=30, sample=3, labelling=Labelling(None))
    write_report(measure(plan), tmp_path / "all.html")
    for options in ({}, {"data": data}):
        for one in verified(bundled, tmp_path / "all.html", **options).values():
            assert one.agrees, one.objections
    said = document_in(tmp_path / "all.html")
    assert {*said["sources"]["levels"]} == {"subject", "last"}, "once for all prompts"
    forge(tmp_path / "all.html", lambda d: d["sources"]["levels"].update(last=[9.0] * 32))
    found = verified(bundled, tmp_path / "all.html").values()
    assert all("Last. noise" in " ".join(one.objections) for one in found)
    forge(tmp_path / "all.html", lambda d: d["sources"].update(levels={}))
    with pytest.raises(InputError, match="does not say how it was corrupted at each layer"):
        verified(bundled, tmp_path / "all.html")


def test_maps_are_measured_again_token_by_token(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path
) -> None:
    settings = Settings(rows=("last",), maps=("residual",), layers=(0, 12, 31))
    measured = measure(plan_run(bundled, data, settings, limit=2, labelling=Labelling(None)))
    write_report(measured, path := tmp_path / "report.html")
    for one, record in zip(verified(bundled, path).values(), measured.records, strict=True):
        assert one.agrees, one.objections
        assert one.numbers == 32 + 2 + 32 * len(record.tokens)

    lasts = [one.map("residual")[-1, 31] for one in measured.records]
    which = int(np.argmin(lasts))  # the largest number of all says how finely maps are packed

    def lower(document: Document) -> None:
        count = [len(prompt["tokens"]) for prompt in document["prompts"]]
        levels = unpacked_levels(document["maps"]["levels"]["jsd"], (sum(count), 3))
        levels[sum(count[: which + 1]) - 1, 2] //= 2
        document["maps"]["levels"]["jsd"] = packed_levels(levels)

    forge(path, lower)
    found = verified(bundled, path)
    for record in measured.records:
        said = found[record.id].objections
        assert len(said) == (record is measured.records[which])
        at = len(record.tokens) - 1
        assert not said or said[0].startswith(f"jsd: Residual stream at token {at} (")
        assert not said or " at layer 31 is 0." in said[0]


def test_pairs_agree(bundled: LoadedModel) -> None:
    other = Counterfactual("The capital of Spain is", "Spain", ("Madrid",))
    text = "The capital of France is"
    prompt = Prompt("p", text, "France", answers=("Paris",), counterfactual=other)
    settings = Settings(corruption="pair", metrics=("jsd", "logit_diff"))
    run = measure(plan_run(bundled, [prompt], settings))
    assert run.records[0].source["answers"] == ["Madrid"]
    assert np.isfinite(run.values("logit_diff")).any(), "which needs the pair's own answer"
    (one,) = verify(bundled, run, run.records)
    assert one.agrees, one.objections


def lower(cell: int) -> Any:
    """Halve one cell of the third prompt."""

    def change(document: Document) -> None:
        halve(document, 2, cell)

    return change


def test_a_number_that_was_changed_with_all_that_follows_is_found_when_it_is_measured(
    bundled: LoadedModel, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forge(path, lower(2 * 32 + 31))
    assert read_report(path).same_version, "nothing but the model can tell"
    found = verified(bundled, path)
    (wrong,) = (one for one in found.values() if not one.agrees)
    assert wrong.id == read_report(path).run.records[2].id
    (said,) = wrong.objections
    assert said.startswith("jsd: Last. at layer 31 is 0.")
    assert call("verify", path, "--prompts", "all") == 1
    told = capsys.readouterr().out
    assert f"{LIMIT - 1} of {LIMIT} prompts agree" in told
    assert "DIFFERS" in told


def changed(**values: Any) -> Any:
    """Change fields of the second prompt."""
    return lambda document: document["prompts"][1].update(values)


def floor_of_half(document: Document) -> None:
    """Claim a noise floor that would excuse everything, and a number that is wrong."""
    lower(2 * 32 + 31)(document)
    prompt = document["prompts"][2]
    whole = np.frombuffer(base64.b64decode(prompt["whole"]), "<f4").copy()
    whole[document["header"]["whole"].index("floor")] = 0.5
    prompt["whole"] = base64.b64encode(whole.tobytes()).decode()


def halved_reliance(document: Document) -> None:
    prompt = document["prompts"][1]
    whole = np.frombuffer(base64.b64decode(prompt["whole"]), "<f4").copy()
    whole[document["header"]["whole"].index("reliance")] /= 2
    prompt["whole"] = base64.b64encode(whole.tobytes()).decode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(text="Another text of Ghana is"), "reads its text as other tokens"),
        (changed(prediction=" Rome"), "the prediction is"),
        (changed(answer="Rome"), "the answer is"),
        (changed(probability=0.001), "the prediction's probability is"),
        (changed(source={"kind": "noise", "deviation": 2.0}), "jsd: "),
        (changed(source={"kind": "spell"}), "does not say how it was corrupted"),
        (changed(id="elsewhere"), "jsd: "),
        (floor_of_half, "jsd: Last. at layer 31"),
        (halved_reliance, "jsd: Reliance is"),
        (lambda d: d["header"]["settings"].update(seed=1), "jsd: "),
    ],
    ids=[
        "text",
        "prediction",
        "answer",
        "probability",
        "deviation",
        "kind",
        "id",
        "floor",
        "reliance",
        "seed",
    ],
)
def test_whatever_was_made_up_is_found(
    bundled: LoadedModel, path: Path, change: Any, said: str
) -> None:
    forge(path, change)
    found = verified(bundled, path, slice(1, 3)).values()
    objections = [text for one in found for text in one.objections]
    assert any(said in text for text in objections), objections


def test_what_depends_on_the_whole_file_is_looked_at_with_the_file(
    bundled: LoadedModel, data: PromptFile, run: Run, tmp_path: Path
) -> None:
    # Measured with wider noise than the settings say: the numbers alone agree.
    wide = measure(plan_run(bundled, data, Settings(noise_level=6.0), limit=2))
    write_report(replace(wide, settings=run.settings), tmp_path / "wide.html")
    assert all(one.agrees for one in verified(bundled, tmp_path / "wide.html").values())
    found = verified(bundled, tmp_path / "wide.html", data=data)
    assert all("in another way" in one.objections[0] for one in found.values())
    with pytest.raises(InputError, match="is another file than the one that was measured"):
        verified(bundled, tmp_path / "wide.html", data=replace(data, sha256="0"))


def test_a_run_of_an_older_version_needs_its_file(
    bundled: LoadedModel, data: PromptFile, run: Run
) -> None:
    old = [replace(record, source={"kind": "noise"}) for record in run.records[:2]]
    with pytest.raises(InputError, match="give its file with --data"):
        list(verify(bundled, run, old))
    assert all(one.agrees for one in verify(bundled, run, old, data=data))


def test_another_model_is_named(
    bundled: LoadedModel, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = in_place_of(bundled, tiny("llama").model, "llama")
    other = replace(other, identity=replace(other.identity, name="other", sha256="f" * 64))
    with pytest.raises(InputError, match=r"another model: this is other \(ffffffffffff\), and"):
        verified(other, path)
    # One that was relabelled is not told by its hash, but by its numbers.
    sealed(path, lambda document: document["header"]["model"].update(sha256="0" * 64))
    assert call("verify", path) == 2
    assert "another model: this is bundled" in capsys.readouterr().err


def test_a_subject_that_stands_elsewhere_is_found_again(bundled: LoadedModel) -> None:
    text = "Paris and Paris and the country around Paris is"
    prompts = [Prompt("last", text, "Paris", text.rindex("Paris")), Prompt("first", text, "Paris")]
    found = measure(plan_run(bundled, prompts, once=False))
    assert {record.subject_span[0] for record in found.records} != {1}
    assert all(one.agrees for one in verify(bundled, found, found.records))


def test_a_draw_depends_on_the_seed_alone(run: Run) -> None:
    ids = [[record.id for record in drawn(run.records, 2, seed)] for seed in (1, 1, 2, 3, 4)]
    assert ids[0] == ids[1]
    assert len({*map(tuple, ids)}) > 1
    assert drawn(list(reversed(run.records)), None, 1) == list(run.records)
