"""A file is written to its end, whatever is done in the meantime."""

import time
from pathlib import Path
from threading import Event

import pytest
from other_runs import grid_of, run_with, shown, state_of
from waiting import PATIENCE, settled, until

from mlxjsd.output.writers import EXPORTS
from mlxjsd.results import Run
from mlxjsd.tui.app import MlxjsdApp

pytestmark = pytest.mark.usefixtures("registered")


@pytest.mark.asyncio
@pytest.mark.parametrize("fails", [False, True])
async def test_an_export_that_is_left_goes_on_and_says_how_it_ended(
    engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    from mlxjsd.store import reader

    state, go_on = state_of(grid_of("mlp", "subj"), tmp_path), Event()
    monkeypatch.setattr(reader, "read_run", lambda folder: run_with(state.grid))

    def write(run: Run, path: Path) -> None:
        go_on.wait(PATIENCE)
        if fails:
            raise OSError("the disk is gone")

    monkeypatch.setattr(EXPORTS, "write", write)
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        screen = await shown(app, pilot, state)
        await pilot.press("e")
        app.screen.query_one("#name").value = str(tmp_path / "f.csv")
        await pilot.press("enter", "escape")
        assert app.screen is screen
        go_on.set()
        await app.workers.wait_for_complete()
        await settled(pilot)
        assert app.screen is screen
        said = [(n.title, n.message) for n in app._notifications]
        assert said == [("Not written", "the disk is gone") if fails else (
            "Written to", str((tmp_path / "f.csv").resolve()))]  # fmt: skip


@pytest.mark.slow
@pytest.mark.asyncio
async def test_leaving_waits_for_a_file_that_is_being_written(
    engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlxjsd.store import reader

    state, events = state_of(grid_of("mlp", "subj"), tmp_path), []
    monkeypatch.setattr(reader, "read_run", lambda folder: run_with(state.grid))
    monkeypatch.setattr(
        EXPORTS, "write", lambda run, path: time.sleep(0.5) or events.append("written")
    )
    app = MlxjsdApp(engine)
    monkeypatch.setattr(app, "exit", lambda: events.append("exit"))
    async with app.run_test() as pilot:
        await shown(app, pilot, state)
        await pilot.press("e")
        app.screen.query_one("#name").value = str(tmp_path / "f.csv")
        await pilot.press("enter", "ctrl+q")
        await until(pilot, lambda: "exit" in events)
    assert events == ["written", "exit"]
    assert app.ended_cleanly
