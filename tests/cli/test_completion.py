"""What a shell completes, and the help that fits a terminal."""

from pathlib import Path

import pytest
from commands import call
from records import HEADER

from mlxjsd.cli import completion
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.store.writer import Store

# Each as a shell asks: what is typed so far, and what it is to be completed to.


def completed(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    monkeypatch.setenv("_MLXJSD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    assert call() == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("mlxjsd sum", ["summary"]),
        ("mlxjsd run --model smol", ["smollm2-135m"]),
        ("mlxjsd prompts x --format know", ["knowedit", "known_1000"]),
        ("mlxjsd run --format tri", ["triples"]),
        ("mlxjsd run --rows subj,last-n", ["subj,last-noise"]),
        ("mlxjsd run --map res", ["residual"]),
        ("mlxjsd as", ["ask"]),
        ("mlxjsd ask x --map residual,n", ["residual,none"]),
        ("mlxjsd ask x --model smol", ["smollm2-135m"]),
        ("mlxjsd run --direction b", ["both"]),
        ("mlxjsd run --target a", ["answer"]),
        ("mlxjsd show x --effect n", ["normalised"]),
        ("mlxjsd run --metrics jsd,k", ["jsd,kl"]),
        ("mlxjsd run --corruption s", ["swap"]),
        ("mlxjsd plot x --by cat", ["category"]),
        ("mlxjsd plot x --kind li", ["lines"]),
        ("mlxjsd show x --match pre", ["prefix"]),
        ("mlxjsd compare x --reference ll", ["llama-3-8b-fa"]),
    ],
)
def test_names_are_completed(
    typed: str,
    found: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert completed(typed, monkeypatch, capsys) == found


def test_all_formats_are_offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completed("mlxjsd run --format ", monkeypatch, capsys) == list(FORMATS)


def test_run_folders_are_completed_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mlxjsd-runs/one", "two", "deep/three", "mlxjsd-runs/esc\x1b[31m"):
        with Store(Path(name), HEADER):
            pass
    Path("other").mkdir()
    for typed, found in {
        "": ["mlxjsd-runs/one", "two"],
        "m": ["mlxjsd-runs/one"],
        "t": ["two"],
        "deep/": ["deep/three"],
        "deep/th": ["deep/three"],
        "o": [],
        "none/": [],
    }.items():
        assert completed(f"mlxjsd show {typed}", monkeypatch, capsys) == found
        assert completed(f"mlxjsd tui {typed}", monkeypatch, capsys) == found


def test_names_that_are_there_are_not_offered_again() -> None:
    complete = completion.several(["a", "ab", "b"])
    assert complete("") == ["a", "ab", "b"]
    assert complete("a") == ["a", "ab"]
    assert complete("a,") == ["a,ab", "a,b"]


def test_the_completion_can_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: ("bash", "/bin/bash"))
    assert call("--install-completion") == 0
    assert "bash completion installed" in capsys.readouterr().out
    assert "mlxjsd" in (tmp_path / ".bashrc").read_text()
    script = next((tmp_path / ".bash_completions").iterdir())
    assert "_MLXJSD_COMPLETE=complete_bash" in script.read_text()


def test_the_help_says_of_each_command_what_it_does_in_one_whole_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    assert call("--help") == 0
    said = capsys.readouterr().out
    lines = said.split("Commands:\n")[1].rstrip().splitlines()
    assert len(lines) >= 14
    for line in lines:
        name, _, about = line.strip().partition(" ")
        assert line[:2] == "  " != line[1:3], f"{line!r} begins a command"
        assert name.isalpha()
        assert about.strip().endswith("."), f"{name} is cut"
        assert not about.endswith("..."), f"{name} is cut"
        assert len(line) <= 80
