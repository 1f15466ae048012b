"""`mlxjsd ask`: what it prints and keeps, whom it asks, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from commands import call

from mlxjsd.model.loaded import LoadedModel

SENTENCE = "The capital of [France] is"
EVIL = "\x1b[31m[red]\x1b]0;title\x07\u202e $x$ <b>"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundled: LoadedModel) -> Path:
    """An empty working folder; the bundled model is not loaded again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mlxjsd.cli.ask.load", lambda *_, **__: bundled)
    return tmp_path


@pytest.fixture
def no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any, **__: Any) -> LoadedModel:
        raise AssertionError("a model is loaded before what is typed is looked at")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mlxjsd.cli.ask.load", load)


@pytest.mark.slow
def test_a_sentence_is_shown_and_no_folder_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert call("ask", SENTENCE) == 0
    said = capsys.readouterr().out
    assert "<s>|The| capital| of|[ France]| is\n" in said
    assert "'Paris' has 99" in said
    for part in ("subject hidden", "Subj.", "France*", "Residual stream", "(330 bundled"):
        assert part in said
    assert "Total effect 0." in said
    assert max(map(len, said.splitlines())) <= 80
    assert "\x1b" not in said, "it is no terminal"
    assert not list(here.iterdir())


@pytest.mark.slow
def test_it_is_kept_as_it_was_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.json", "a.html"):
        other = "The capital of [Norway] is"
        assert call("ask", SENTENCE, "--against", other, "--map", "none", "-o", name) == 0
    said = capsys.readouterr()
    assert "against: The capital of Norway is" in said.out
    assert "Logit Difference" in said.out
    assert "it is kept in a.html" in said.err
    kept = json.loads(Path("a.json").read_text(encoding="utf-8"))
    assert kept["subject"] == "France"
    assert kept["maps"] == {"jsd": {}, "logit_diff": {}}
    assert call("verify", "a.html") == 0
    assert "1 of 1 prompts agree" in capsys.readouterr().out


def test_hostile_text_is_text(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = f"{EVIL.replace('[', chr(92) + '[').replace(']', chr(92) + ']')} of [France] is"
    assert call("ask", typed, "--map", "none", "-o", "a.png") == 0
    said = capsys.readouterr().out
    assert "[red]" in said.replace("|", "")
    assert not set("\x1b\x07\u202e") & set(said)
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["The tower is in"], "no subject is marked; mark it, as in"),
        ([""], "no subject is marked"),
        (["The [tower] in [Paris] is"], "two subjects are marked"),
        (["The capital is [Paris]"], "the sentence ends with its subject"),
        (["The [] is"], "is empty"),
        (["The tower is", "--subject", "castle"], "is not in the sentence"),
        ([f"{EVIL.replace('[', '').replace(']', '')} is"], "no subject is marked"),
        ([SENTENCE, "-o", "a.csv"], "a sentence is kept as .png"),
        ([SENTENCE, "--map", "heads"], "no map"),
        ([SENTENCE, "--bits", "3,4"], "--bits is a number"),
        ([SENTENCE, "--rows", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence_at_once(
    typed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("ask", *typed) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("mlxjsd: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--against", "The capital of [Ghana] is"], "6 tokens and the other one 8"),
        (["--calibrated-by", "nowhere"], "nowhere"),
        (["--target", "answer"], "add --answer"),
        (["--chat"], "chat template"),
    ],
)
def test_what_the_model_cannot_measure_is_one_sentence(
    here: Path, typed: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("ask", SENTENCE, *typed) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert said in error
    assert error.startswith("mlxjsd: ")


def test_on_a_terminal_it_asks_for_the_tokens_of_the_subject(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["France", "9", "5", "4-4"])
    monkeypatch.setattr(typer, "prompt", lambda *_, **__: next(answers))
    monkeypatch.setattr("mlxjsd.cli.ask.on_a_terminal", lambda: True)
    assert call("ask", "The capital of France is", "--map", "none") == 0
    said = capsys.readouterr()
    assert "0 <s>|1 The|2  capital|3  of|4  France|5  is" in said.err
    assert "there are no tokens 9-9" in said.err
    assert "the sentence ends with its subject" in said.err
    assert "of|[ France]| is" in said.out
    assert next(answers, None) is None
