"""Choosing: what the form takes, what it says, and where it leads."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Button, Input, Static
from waiting import settled, until

from mlxjsd.settings import Labelling, Settings
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.form import FIELDS, FormError, job_from, values_of
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.start import StartScreen

EMPTY = {info.name: "" for info in FIELDS}


def test_an_empty_form_asks_for_the_defaults() -> None:
    assert job_from(EMPTY, "noise") == Job()


def test_a_form_that_was_filled_from_a_job_asks_for_that_job(tmp_path: Path) -> None:
    data = tmp_path / "p.jsonl"
    data.write_text("{}")
    values = {**EMPTY, "model": "a/b", "data": str(data), "limit": "7", "window": "3", "seed": "2"}
    values |= {"memory": "12.5", "sample": "20"}
    job = job_from(values, "swap")
    assert (job.memory, job.sample) == (12.5, 20)
    assert job_from(values_of(job), "swap") == job


def test_what_has_no_field_stays_as_it_was(tmp_path: Path) -> None:
    data = tmp_path / "lre"
    data.mkdir()
    job = Job(
        data=data,
        settings=Settings(chat=True, rows=("last",)),
        trust_remote_code=True,
        labelling=Labelling(None, "prefix"),
        format="lre",
    )
    assert job_from(values_of(job), "noise", job) == job
    # A format belongs to its file.
    assert job_from({**values_of(job), "data": ""}, "noise", job) == replace(
        job, data=None, format=None
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("limit", "many", "whole number"),
        ("limit", "0", "at least 1"),
        ("sample", "0", "at least 1"),
        ("window", "-1", "at least 0"),
        ("noise_level", "loud", "a number"),
        ("noise_level", "-2", "positive"),
        ("batch_size", "1.5", "whole number"),
        ("memory", "much", "a number"),
        ("memory", "0", "more than 0 GB"),
        ("memory", "nan", "more than 0 GB"),
        ("data", "nowhere.jsonl", "no file"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(FormError, match=said) as found:
        job_from({**EMPTY, name: value}, "noise")
    assert found.value.name == name


def test_memory_decides_the_batch() -> None:
    with pytest.raises(FormError, match="one of the two"):
        job_from({**EMPTY, "batch_size": "4", "memory": "8"}, "noise")


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (250, 60)])
async def test_the_screen_checks_while_typing_previews_and_starts(engine, size) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: engine.looks)
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, StartScreen)
        preview = str(screen.query_one("#preview-text", Static).content)
        assert "2 of 3 prompts can be measured" in preview
        assert "1 skipped: the subject is not in the text" in preview
        field, verdict = screen.query_one("#limit", Input), screen.query_one("#verdict", Static)
        field.focus()
        await pilot.press("x")
        assert "whole number" in str(verdict.content)
        assert screen.query_one("#start", Button).disabled
        await pilot.press("backspace", "5")
        assert "limit-5" in str(verdict.content)
        await until(pilot, lambda: engine.looks[-1].limit == 5)
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert engine.jobs == [Job(limit=5)]


@pytest.mark.asyncio
async def test_an_unfinished_run_is_offered_and_taken_up(engine, made) -> None:
    app = MlxjsdApp(engine, Job(limit=12))
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.open()
        header = engine.header
        engine.batch(made(0, 4))
        await settled(pilot)
    from mlxjsd.assets import PROMPTS
    from mlxjsd.prompts.read import read_prompts
    from mlxjsd.store.writer import Store

    # The run of the fake engine names made-up prompts; this one, those that there are.
    folder = Path("mlxjsd-runs/other")
    with Store(folder, {**header, "data": read_prompts(PROMPTS).identity()}) as store:
        store.add(made(0, 3))
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        await settled(pilot)
        offered = app.screen.query_one("#unfinished")
        await until(pilot, lambda: offered.option_count == 2)
        offered.focus()
        await pilot.press("home", "enter")
        await settled(pilot)
        assert isinstance(app.screen, RunScreen)
        assert app.screen.state.done == 3
        assert app.screen.state.status is Status.LOADING
        assert engine.jobs[-1] == Job(output=folder, limit=12, expected="aa", download=False)


@pytest.mark.asyncio
async def test_q_leaves_from_the_first_screen(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("q")
        await settled(pilot)
    assert engine.calls[-1] == "close"
