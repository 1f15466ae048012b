"""A model's code is not run unasked, and nobody is asked."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from foreign_models import COMMANDS, copied, edited, sentence

from mlxjsd.model import files
from mlxjsd.model.load import load_encoder

TAKES_CODE = {"tokenizer_class": "T", "auto_map": {"AutoTokenizer": [None, "tok.T"]}}


def with_code(name: str) -> Path:
    folder = edited(copied(name), "tokenizer_config.json", **TAKES_CODE)
    (folder / "tok.py").write_text(
        "open('RAN', 'w').close()\nfrom transformers import PreTrainedTokenizerFast as T\n"
    )
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_tokenizers_code_is_not_run(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_code("m")

    def asked(*_: object) -> str:
        return "y"

    monkeypatch.setattr("builtins.input", asked)
    told = sentence(*command, capsys=capsys)
    assert "code of its own (tok.T, in tokenizer_config.json)" in told
    assert "only with --trust-remote-code" in told
    assert not Path("RAN").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS[:2])
def test_nobody_is_asked_on_a_terminal(command: tuple[str, ...]) -> None:
    with_code("m")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mlxjsd", *command],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(ours, b"y\ny\ny\n")
        _, err = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 2
    assert "only with --trust-remote-code" in err
    assert not Path("RAN").exists()


def test_a_tokenizers_code_is_run_if_it_is_trusted() -> None:
    with_code("m")
    assert load_encoder("m", trust_remote_code=True).decode([5]) == load_encoder().decode([5])
    assert Path("RAN").exists()


def test_code_of_another_repository_is_never_run(capsys: pytest.CaptureFixture[str]) -> None:
    edited(copied("m"), "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "a/b--tok.T"]})
    arguments = ("prompts", "d.jsonl", "--model", "m", "--trust-remote-code")
    assert "takes code from another repository (a/b--tok.T)" in sentence(*arguments, capsys=capsys)


@pytest.mark.parametrize("code", ["../evil.py", "sub/evil.py", "evil.txt"])
def test_a_models_code_is_a_file_that_is_hashed(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(copied("m"), "config.json", model_file=code)
    arguments = ("run", "--model", "m", "--data", "d.jsonl", "--trust-remote-code")
    assert "is no Python file in that folder" in sentence(*arguments, capsys=capsys)


def test_without_trust_a_loader_finds_no_code() -> None:
    with_code("m")
    with files.staged(files.model_files(Path("m")), "name", code=False) as place:
        assert not list(place.glob("*.py"))
