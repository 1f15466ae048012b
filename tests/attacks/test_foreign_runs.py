"""Run folders that somebody else made: what they name is not fetched, and not believed."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from commands import call
from records import HEADER
from waiting import settled, until

from mlxjsd.assets import MODEL, PROMPTS
from mlxjsd.model.hub import find_model, to_download
from mlxjsd.model.load import load_model
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.resume import job_of
from mlxjsd.settings import Settings
from mlxjsd.store.writer import Store
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.form import job_from, values_of
from mlxjsd.tui.protocol import Job, Tell
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.ask import AskScreen
from mlxjsd.tui.screens.run import RunScreen

HUB = "evil/model"


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The repositories that are asked of the Hub from now on."""
    asked: list[str] = []

    def download(name: str, **_: object) -> str:
        asked.append(name)
        raise ConnectionError

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    return asked


def foreign(name: str, **model: Any) -> Path:
    """An unfinished run, as its folder came from elsewhere."""
    folder = Path("mlxjsd-runs/foreign")
    header = {**HEADER, "data": read_prompts(PROMPTS).identity(), "data_path": str(PROMPTS)}
    header |= {"settings": Settings().to_json(), "limit": 2}
    header["model"] = {**HEADER["model"], "name": name, **model}
    Store(folder, header)
    return folder


def test_resume_downloads_nothing_that_a_run_names(
    fetched: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = foreign(HUB, revision="v2")
    assert call("resume", folder) == 2
    err = capsys.readouterr().err
    assert f"the run names the model {HUB} at revision v2, which is not on this machine" in err
    assert "--download" in err
    assert fetched == []
    assert call("resume", folder, "--download") == 2
    assert fetched == [HUB]


class Terminal:
    """Standard input of somebody who answers."""

    def __init__(self, answer: str) -> None:
        self._answer: Iterator[str] = iter([f"{answer}\n"])

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return next(self._answer, "")


@pytest.mark.parametrize(("answer", "wanted"), [("", []), ("n", []), ("y", [HUB])])
def test_on_a_terminal_resume_asks_and_takes_enter_for_no(
    answer: str,
    wanted: list[str],
    fetched: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, asked = foreign(HUB), []

    def visible(said: str) -> str:
        asked.append(said)
        return answer

    monkeypatch.setattr("click.termui.visible_prompt_func", visible)
    monkeypatch.setattr("typer._click.termui.visible_prompt_func", visible, raising=False)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert call("resume", folder) == 2
    assert fetched == wanted
    said = "".join(asked) + capsys.readouterr().err
    assert f"names the model {HUB}, which is not on this machine. Download it?" in said


def test_a_packaged_model_is_named_by_this_package() -> None:
    # What it holds is known here by its hash, whoever asks for it.
    assert to_download("smollm2-135m") is None
    assert to_download(None) is None
    assert to_download(str(MODEL)) is None
    assert to_download(HUB) == HUB


def test_no_other_files_are_loaded_in_the_place_of_a_runs_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(MODEL, "m")
    folder = foreign(str(Path("m").absolute()), sha256="0" * 64)
    monkeypatch.setattr("mlxjsd.model.load._load", None)  # it is not even tried
    assert call("resume", folder, "--trust-remote-code") == 2
    assert "is not the one that the run was measured with: its files differ" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_with_the_right_files_a_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(MODEL, "m")
    assert call("run", "--model", "m", "--limit", 2, "--output", "r", "--no-label") == 0
    assert call("resume", "r") == 0
    job = job_of(Path("r"))
    assert (job.download, job.trust_remote_code) == (False, False)
    assert job.expected == load_model("m").identity.sha256
    weights = mx.load("m/model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * 0.5
    mx.save_safetensors("m/model.safetensors", weights, {"format": "mlx"})
    assert call("resume", "r") == 2


def test_what_a_run_may_download_is_decided_where_it_is_loaded(fetched: list[str]) -> None:
    with pytest.raises(ValueError, match="give --download"):
        find_model(HUB, download=False)
    assert fetched == []


# The app.


class Engine:
    """Takes jobs down."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def start(self, job: Job, tell: Tell) -> None:
        self.jobs.append(job)

    def close(self, timeout: float) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.mark.asyncio
async def test_enter_downloads_nothing_that_a_run_names(fetched: list[str]) -> None:
    foreign(HUB)
    engine = Engine()
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        await settled(pilot)
        offered = app.screen.query_one("#recent")
        await until(pilot, lambda: offered.option_count == 1)
        offered.focus()
        await pilot.press("home", "enter")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        assert HUB in app.screen._question()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert engine.jobs == []
        assert app.screen.state.status is Status.STOPPED
        await pilot.press("space")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press("y")
        await until(pilot, lambda: engine.jobs)
    assert [(job.model, job.download) for job in engine.jobs] == [(HUB, True)]
    assert fetched == []


def test_trust_is_in_the_model_that_it_was_given_for() -> None:
    job = Job(model="a/b", trust_remote_code=True, download=False, expected="aa")
    filled = values_of(job)
    same = job_from(filled, job)
    assert same == replace(job, expected=None), "another run of the same model"
    other = job_from({**filled, "model": "c/d"}, job)
    assert (other.trust_remote_code, other.download) == (False, True), "and it was typed"
    assert job_from({**filled, "model": ""}, job).trust_remote_code is False


# The list of models.


def test_a_repository_with_a_broken_link_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = tmp_path / "hub/models--org--torn/snapshots" / ("1" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (snapshot / "model.safetensors").symlink_to("../../blobs/none")
    piped = tmp_path / "hub/models--org--piped/snapshots" / ("1" * 40)
    piped.mkdir(parents=True)
    os.mkfifo(piped / "config.json")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert call("models") == 0
    assert "org/torn is in the cache, with a link in it that leads nowhere" in (
        capsys.readouterr().err
    )
