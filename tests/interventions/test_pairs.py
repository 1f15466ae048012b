"""Pairs that the data brings, the tokens that are measured, and what rows draw."""

import json
import re
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from commands import call
from models import HIDDEN, VOCABULARY, tiny

from mlxjsd.errors import InputError
from mlxjsd.interventions.corruption import Corruption
from mlxjsd.interventions.corruption.control import control_span
from mlxjsd.interventions.corruption.draws import BatchDraws, Drawing, state_deviations
from mlxjsd.interventions.corruption.pair import NO_PAIR
from mlxjsd.interventions.spec import NO_TOKEN
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.encode import Encoded
from mlxjsd.prompts.prompt import Counterfactual, Prompt, PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.rows import LAST_NOISE, SUBJ_NOISE, SUBJ_RANDOM, sets
from mlxjsd.settings import Settings
from mlxjsd.store.reader import read_run

PAIR = Settings("pair")
FRANCE = Prompt("f", "The capital of France is", "France", answers=("Paris",))


def against(text: str, subject: str | None = None, answers: tuple[str, ...] = ()) -> Prompt:
    return replace(FRANCE, counterfactual=Counterfactual(text, subject, answers))


@pytest.mark.parametrize("template", [None, "Fact: {prompt}", "The {prompt} is"])
@pytest.mark.parametrize("subject", [None, "Spain"])
def test_a_pair_is_read_as_it_stands(
    bundled: LoadedModel, subject: str | None, template: str | None
) -> None:
    prompt = against("The capital of Spain is", subject, ("Madrid",))
    settings = replace(PAIR, prompt_template=template)
    encoded = bundled.encoder.encode(prompt, template)
    with Corruption(settings, [encoded], bundled) as corruption:
        assert corruption.reason_against(encoded) is None
        batch, source = corruption.batch([encoded]), corruption.source(encoded)
    other = Prompt("s", "The capital of Spain is", "Spain")
    expected = bundled.encoder.encode(other, template)
    assert batch.source_tokens.tolist() == [list(expected.tokens)]
    assert source["text"] == expected.prompt.text
    assert (source["kind"], source["subject"], source["answers"]) == ("pair", "Spain", ["Madrid"])
    # Its answer is the one that the model's logit is compared with.
    madrid = bundled.encoder.following(expected, "Madrid", special_tokens=True)
    assert batch.counterfactuals.tolist() == [madrid]
    assert bundled.encoder.decode([madrid]).strip()
    assert batch.targets is None


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (FRANCE, NO_PAIR),
        (against("The capital of Spain and Portugal is"), "tokens and it has"),
        (against("The capital in Spain is", "Spain"), "differs elsewhere than in the subject"),
        (against("The capital of France is"), "about no other subject|is the same"),
        (against("The capital of France is", "France"), "is the same"),
        (against("The capital of Spain is", "Portugal"), "of its counterfactual, the subject is"),
    ],
)
def test_a_pair_that_cannot_be_used_says_why(
    bundled: LoadedModel, prompt: Prompt, reason: str
) -> None:
    encoded = bundled.encoder.encode(prompt)
    good = bundled.encoder.encode(replace(against("The capital of Spain is"), id="g"))
    corruption = Corruption(PAIR, [encoded, good], bundled)
    assert re.search(reason, corruption.reason_against(encoded) or "")
    assert corruption.reason_against(good) is None


def test_pairs_are_read_from_files(tmp_path: Path) -> None:
    row = {
        "prompt": FRANCE.text,
        "subject": "France",
        "counterfactual": "The capital of Spain is",
        "counterfactual_subject": "Spain",
        "counterfactual_answers": ["Madrid"],
    }
    expected = Counterfactual("The capital of Spain is", "Spain", ("Madrid",))
    (tmp_path / "p.jsonl").write_text(json.dumps(row))
    (prompt,) = read_prompts(tmp_path / "p.jsonl").prompts
    assert prompt.counterfactual == expected
    table = "prompt,subject,counterfactual,counterfactual_subject,counterfactual_answers\n"
    cells = "The capital of France is,France,The capital of Spain is,Spain,Madrid\n"
    (tmp_path / "p.csv").write_text(table + cells)
    (prompt,) = read_prompts(tmp_path / "p.csv").prompts
    assert prompt.counterfactual == expected
    named = {"src": FRANCE.text, "sub": "France", "cf": "The capital of Spain is"}
    (tmp_path / "q.jsonl").write_text(json.dumps(named))
    asked = "prompt=src,subject=sub,counterfactual=cf"
    (prompt,) = read_prompts(tmp_path / "q.jsonl", fields=asked).prompts
    assert prompt.counterfactual == Counterfactual("The capital of Spain is")
    # Prompts without one are what they were before there were pairs.
    assert PromptFile.of([FRANCE]).sha256 != PromptFile.of([prompt]).sha256


def test_the_target_is_the_answers_first_token(bundled: LoadedModel) -> None:
    encoder = bundled.encoder
    prompts = [FRANCE, replace(FRANCE, id="none", answers=())]
    encoded = [encoder.encode(prompt) for prompt in prompts]
    batch = Corruption(Settings(target="answer"), encoded, bundled).batch(encoded)
    paris = encoder.encode(Prompt("", "The capital of France is Paris and", "France"))
    length = len(encoded[0].tokens)
    assert paris.tokens[:length] == encoded[0].tokens
    assert batch.targets.tolist() == [paris.tokens[length], NO_TOKEN]
    with pytest.raises(InputError, match="no prompt has an answer"):
        Corruption(Settings(target="answer"), encoded[1:], bundled)


@pytest.mark.parametrize(
    ("text", "answer", "piece"),
    [
        ("The capital of France is", "Paris", " Par"),
        ("The capital of France is", "  Paris ", " Par"),
        ("The capital of France is ", "Paris", "Par"),
        ("The capital of France is", "", None),
        ("France の首都は", "東京", ""),
    ],
)
def test_what_follows_a_prompt(
    bundled: LoadedModel, text: str, answer: str, piece: str | None
) -> None:
    encoded = bundled.encoder.encode(Prompt("", text, "France"))
    found = bundled.encoder.following(encoded, answer, special_tokens=True)
    if piece is None:
        assert found is None
    elif found is not None:  # a tokenizer may join the space with what follows
        assert bundled.encoder.decode([found]).startswith(piece[:2])
        assert not (piece == "" and bundled.encoder.decode([found]).startswith(" "))


def test_a_control_span_is_as_long_and_elsewhere() -> None:
    seen = set()
    for name in map(str, range(200)):
        prompt = Encoded(Prompt(name, "", ""), tuple(range(14)), 4, 6, (), 1)
        start, end = control_span(prompt)
        assert end - start == 2
        assert start >= 2, "it does not touch the beginning"
        assert end < 4 or start > 6, "nor the subject"
        assert end <= 13, "nor is it the last token"
        assert control_span(prompt) == (start, end)
        seen.add(start)
    assert seen == {7, 8, 9, 10, 11}
    front = Encoded(Prompt("a", "", ""), tuple(range(14)), 4, 6, (), 0)
    assert {control_span(replace(front, prompt=Prompt(str(n), "", "")))[0] for n in range(300)} == {
        *(0, 1, 7, 8, 9, 10, 11)
    }
    tight = Encoded(Prompt("a", "", ""), tuple(range(6)), 1, 4, (), 1)
    assert control_span(tight) == (0, 0)


def prompts_of(count: int) -> list[Encoded]:
    rng = np.random.default_rng(1)
    found = []
    for n in range(count):
        length = int(rng.integers(6, 10))
        tokens = tuple(map(int, rng.integers(0, VOCABULARY, length)))
        found.append(Encoded(Prompt(str(n), "", ""), tokens, 1 + n % 2, 4))
    return found


def test_states_vary_as_numpy_says(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, prompts = tiny("llama"), prompts_of(40)

    def by_hand(some: list[Encoded]) -> tuple[np.ndarray, np.ndarray]:
        subjects, lasts = [], []
        for prompt in some:
            states = []

            def keep(call, states=states):
                states.append(call.forward(call.x, call.mask))
                return states[-1]

            blocks.run(mx.array([prompt.tokens]), keep)
            whole = np.stack([np.array(x)[0] for x in states])
            subjects.append(whole[:, prompt.start : prompt.end])
            lasts.append(whole[:, -1:])
        return tuple(np.concatenate(x, axis=1).std(axis=(1, 2)) for x in (subjects, lasts))

    found = state_deviations(blocks, prompts, seed=0)
    subject, last = by_hand(prompts)
    np.testing.assert_allclose(found["subject"], subject, rtol=1e-4)
    np.testing.assert_allclose(found["last"], last, rtol=1e-4)
    # Of many prompts some are drawn by the seed, in whatever order they come.
    monkeypatch.setattr("mlxjsd.interventions.corruption.draws.PROMPTS", 10)
    some = state_deviations(blocks, prompts, seed=0)
    np.testing.assert_allclose(state_deviations(blocks, prompts[::-1], 0)["last"], some["last"])
    assert not np.allclose(state_deviations(blocks, prompts, 1)["last"], some["last"])
    assert not np.allclose(some["last"], found["last"])


def test_what_is_not_measured_is_not_drawn(bundled: LoadedModel) -> None:
    """Restored rows draw nothing, so that nothing has to be stored of it either."""
    encoded = [bundled.encoder.encode(FRANCE)]
    restoring = Settings(rows=sets()["all"], direction="denoising")
    made = Corruption(restoring, encoded, bundled)
    assert made.batch(encoded).draws is None
    again = Corruption(restoring, encoded, bundled, {"f": made.source(encoded[0])})
    np.testing.assert_array_equal(again.batch(encoded).noise, made.batch(encoded).noise)


def test_what_is_drawn_depends_on_the_prompt_alone() -> None:
    prompts = [Encoded(Prompt(n, "", ""), tuple(range(9)), s, 5) for n, s in (("a", 2), ("b", 3))]
    scale = np.array([1.0, 2.0, 3.0])
    drawing = Drawing(0, HIDDEN, {"subject": scale, "last": 10 * scale})
    both, alone = drawing.batch(prompts), drawing.batch(prompts[1:])
    for row in (SUBJ_NOISE, SUBJ_RANDOM):
        kind = BatchDraws.noise if row is SUBJ_NOISE else BatchDraws.direction
        assert kind(both, row, 1, 0).shape == (2, 3, HIDDEN)
        np.testing.assert_array_equal(kind(both, row, 1, 0)[1, 1:], kind(alone, row, 1, 0)[0])
        assert not kind(both, row, 1, 0)[1, 0].any(), "nothing in front of a subject"
        assert not np.allclose(kind(both, row, 1, 0), kind(both, row, 1, 1))
        assert not np.allclose(kind(both, row, 1, 0)[0], kind(both, row, 0, 0)[0])
    lengths = np.linalg.norm(both.direction(SUBJ_RANDOM, 1, 0), axis=-1)
    np.testing.assert_allclose(lengths, [[1, 1, 1], [0, 1, 1]], atol=1e-6)
    many = drawing.batch([replace(prompts[0], prompt=Prompt(str(n), "", "")) for n in range(300)])
    for layer in range(3):
        assert many.noise(SUBJ_NOISE, layer, 0).std() == pytest.approx(scale[layer], rel=0.02)
        assert many.noise(LAST_NOISE, layer, 0).shape == (300, 1, HIDDEN)
        assert many.noise(LAST_NOISE, layer, 0).std() == pytest.approx(10 * scale[layer], rel=0.05)


@pytest.mark.slow
def test_all_of_it_through_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"id": "a", "prompt": "The capital of France is", "subject": "France", "answers": ["Paris"],
         "counterfactual": "The capital of Spain is", "counterfactual_answers": ["Madrid"]},
        {"id": "b", "prompt": "The capital of Italy is", "subject": "Italy",
         "counterfactual": "The capital of Spain is"},
        {"id": "c", "prompt": "The capital of Chile is", "subject": "Chile"},
    ]  # fmt: skip
    data = tmp_path / "p.jsonl"
    data.write_text("\n".join(map(json.dumps, rows)))
    asked = ["--data", data, "--corruption", "pair", "--rows", "all", "--direction", "both",
             "--window", "1,5", "--metrics", "jsd,prob,logit_diff", "--target", "answer",
             "--output", tmp_path / "run"]  # fmt: skip
    assert call("run", *asked) == 0
    run = read_run(tmp_path / "run")
    assert [record.id for record in run.records] == ["a", "b"]
    assert {one.id: one.reason for one in run.skipped} == {"c": NO_PAIR}
    a, b = run.records
    assert np.isfinite(a.of("prob")).any()
    assert np.isnan(b.of("prob")).all(), "it has no answer, and is measured all the same"
    assert np.isfinite(b.jsd).any()
    assert run.grid.whole == ("floor", "reliance", "total")
    assert "subj:denoising" in run.grid.rows
    capsys.readouterr()
    assert call("show", tmp_path / "run", "--metric", "logit_diff") == 0
    assert "Subj. restored" in capsys.readouterr().out
    for ending in ("png", "json", "csv", "npz"):
        command = "plot" if ending == "png" else "export"
        assert call(command, tmp_path / "run", "-o", tmp_path / f"x.{ending}") == 0
    assert call("summary", tmp_path / "run") == 0
    assert call("resume", tmp_path / "run") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--direction", "backwards"), "--direction is noising or denoising or both"),
        (("--target", "Paris"), "--target is prediction or answer, not 'Paris'"),
        (("--rows", "attn", "--direction", "denoising"), "attn has no denoising side"),
        (("--rows", "subj,attn-rest", "--direction", "denoising"), "attn-rest has no denoising"),
        (("--rows", "everything"), "there is no row 'everything'; there is subj"),
        (("--metrics", "jsd,nothing"), "there is no metric 'nothing'; there is jsd"),
        (("--window", "1,x"), "--window is a number of blocks, or several"),
        (("--window", "5,5"), "each window is named once"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", *arguments, "--output", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_set_stands_for_those_of_its_rows_that_apply() -> None:
    from mlxjsd.records import Grid

    assert Grid.of(Settings(direction="denoising"), 4).rows == ("subj:denoising", "last:denoising")
    both = Settings(direction="both", rows=("last", "attn"))
    assert Grid.of(both, 4).rows == ("last", "last:denoising", "attn")
