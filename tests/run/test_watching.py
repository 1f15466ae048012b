"""How far a run is, as Python callers see it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mlxjsd
from mlxjsd.assets import PROMPTS
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.run.events import BatchDone, Finished
from mlxjsd.run.plan import Plan


@pytest.fixture(scope="module")
def plan(bundled: LoadedModel) -> Plan:
    prompts = mlxjsd.read_prompts(PROMPTS)
    return mlxjsd.plan_run(bundled, prompts, mlxjsd.Settings(layers=(0, 16)), limit=3, batch_size=1)


def in_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = type("ZMQInteractiveShell", (), {})()
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(__import__("sys").modules, "IPython", ipython)


def test_a_function_is_told_after_each_batch(plan: Plan, tmp_path: Path) -> None:
    told: list[Any] = []
    run = mlxjsd.measure(plan, told.append)
    assert [event.done for event in told] == [1, 2, 3]
    assert {r.id for event in told for r in event.records} == {r.id for r in run.records}
    again: list[Any] = []
    events = list(mlxjsd.run_experiment(plan, tmp_path / "run", progress=again.append))
    assert [event for event in events if isinstance(event, BatchDone)] == again
    assert isinstance(events[-1], Finished)


def test_a_bar_is_shown_in_a_notebook_alone_unless_asked_for(
    plan: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said(progress: Any = None) -> str:
        mlxjsd.measure(plan, progress)
        return capsys.readouterr().err

    assert said() == ""
    assert "3/3" in said(True)
    in_a_kernel(monkeypatch)
    monkeypatch.setattr("tqdm.auto.tqdm", __import__("tqdm").tqdm)
    assert "measuring: 100%" in said()
    assert said(False) == said(lambda event: None) == ""
    for event in mlxjsd.run_experiment(plan, tmp_path / "run"):
        if isinstance(event, BatchDone) and event.done == 2:
            break  # a loop that is left closes the run and the bar
    assert "2/3" in capsys.readouterr().err
    assert len(list(mlxjsd.run_experiment(plan, tmp_path / "run"))) > 1
    assert "3/3" in capsys.readouterr().err
