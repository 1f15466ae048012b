"""A large run is on the screen before it is read, and is read beside it."""

import threading
from pathlib import Path

import pytest
from on_screen import text_of
from records import HEADER
from waiting import settled, until

from mlxjsd.errors import InputError
from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.store.writer import Store
from mlxjsd.tui import app as app_module
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.config import Places
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens import run as run_module
from mlxjsd.tui.screens.error import TroubleScreen


@pytest.fixture
def folder(made, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a run of 6 of 12 prompts, which counts as a large one."""
    monkeypatch.setattr(app_module, "READ_AT_ONCE", 3)
    with Store(Path("large"), {**HEADER, **Grid(32).to_json(), "total": 12}) as store:
        store.add(made(0, 6))
    return Path("large")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set, no run is read."""
    may_go, read = threading.Event(), run_module.read_run

    def waiting(folder: Path) -> Run:
        assert may_go.wait(60)
        return read(folder)

    monkeypatch.setattr(run_module, "read_run", waiting)
    return may_go


@pytest.mark.asyncio
async def test_its_screen_is_there_before_its_numbers(engine, folder, slow) -> None:
    Places().keep(folder, {"row": "attn", "layer": 9, "group": "All", "metric": "jsd"})
    app = MlxjsdApp(engine, folder=folder, remembers=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        state = app.screen.state
        assert (state.status, state.done, state.total) == (Status.READING, 0, 12)
        drawn = text_of(app)
        assert "tiny · 32 layers" in drawn
        assert "◌ reading" in drawn
        assert "reading …" in drawn
        await pilot.press("right", "e")  # there is nothing to export yet
        slow.set()
        await until(pilot, lambda: state.done == 6)
        await settled(pilot)
        assert app.screen.state is state
        assert (state.rows[state.row], state.layer) == ("attn", 9), "as it was left"
        assert "6 prompts" in text_of(app)


@pytest.mark.asyncio
async def test_one_that_is_left_before_it_is_read_is_remembered_as_it_was(
    engine, folder, slow
) -> None:
    place = {"row": "attn", "layer": 9, "group": "All", "metric": "jsd"}
    Places().keep(folder, place)
    app = MlxjsdApp(engine, folder=folder, remembers=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        left = app.screen
        app.run_job(Job(output=Path("other")))
        await until(pilot, lambda: not left.is_attached)
        slow.set()
        await settled(pilot)
    assert Places().of(folder) == place


@pytest.mark.asyncio
async def test_one_that_cannot_be_read_says_so(engine, folder, monkeypatch) -> None:
    def broken(folder: Path) -> Run:
        raise InputError("the run file is damaged", hint="salvage it")

    monkeypatch.setattr(run_module, "read_run", broken)
    app = MlxjsdApp(engine, folder=folder)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TroubleScreen))
        assert "the run file is damaged" in text_of(app)
        await pilot.press("enter")
        await settled(pilot)
        assert "! the run file is damaged" in text_of(app)
        assert app.screen.state.status is Status.FAILED
