"""Every key of the run screen, with an engine that computes nothing."""

import json
from pathlib import Path

import pytest
from on_screen import said, text_of
from records import record
from textual.widgets import Button, Input, Static
from waiting import settled

from mlxjsd.results import Skipped
from mlxjsd.store.reader import read_run
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.export import ExportScreen
from mlxjsd.tui.screens.help import HelpScreen
from mlxjsd.tui.screens.open import OpenScreen
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.start import StartScreen

pytestmark = pytest.mark.asyncio


async def test_a_batch_shows_in_every_panel(app, engine, running) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await running(pilot)
        assert screen.state.status is Status.RUNNING
        assert "6/12" in said(app, "#status")
        assert "12.0/s" in said(app, "#status")
        assert "0:00 left" in said(app, "#status")
        assert "64 MB" in said(app, "#status")
        assert "1 skipped" in said(app, "#status")
        mean = read_run(screen.state.folder).jsd()[:, 0, 0].astype(float).mean()
        assert f"{mean:.4f}" in said(app, "#detail")
        assert "n 6" in said(app, "#detail")
        assert screen.prompts.count == 6


async def test_what_cannot_be_trusted_stands_in_the_status(app, engine, running) -> None:
    async with app.run_test(size=(140, 30)) as pilot:
        screen = await running(pilot)
        assert "failed" not in said(app, "#status")
        assert "noise floor too high" not in said(app, "#status")
        loud = record(6, 32, floor=2e-3)
        engine.batch([loud], [Skipped("p7", 7, "NaN or infinity appears in block 3")])
        await settled(pilot)
        assert "8/12" in said(app, "#status")
        assert "1 failed" in said(app, "#status")
        assert "noise floor too high" in said(app, "#status")
        assert screen.prompts.count == 7


async def test_the_cursor_moves_by_arrows_letters_home_and_end_and_stays_inside(
    app, running
) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        state = (await running(pilot)).state
        for key, place in (
            ("right", (0, 1)), ("l", (0, 2)), ("left", (0, 1)), ("h", (0, 0)), ("h", (0, 0)),
            ("down", (1, 0)), ("j", (2, 0)), ("j", (2, 0)), ("up", (1, 0)), ("k", (0, 0)),
            ("end", (0, 31)), ("l", (0, 31)), ("home", (0, 0)),
        ):  # fmt: skip
            await pilot.press(key)
            assert (state.row, state.layer) == place, key
        await pilot.press("down", "right")
        assert app.screen.detail.border_title == "Attn. · layer 1"


async def test_a_click_picks_a_cell_and_hovering_tells_its_value(app, running) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await running(pilot)
        grid = screen.heat.grid
        place = grid.region_of(2, 7)
        await pilot.click(grid, offset=(place.x, place.y + 1))
        assert (screen.state.row, screen.state.layer) == (2, 7)
        await pilot.hover(grid, offset=(place.x, place.y))
        value = screen.state.value
        assert grid.tooltip == f"Last. layer 7: {value:.4f} nats"


async def test_pause_go_on_stop_and_take_up_again(app, engine, running) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        await pilot.press("space")
        assert (engine.calls[-1], screen.state.status) == ("pause", Status.PAUSED)
        await pilot.press("space")
        assert (engine.calls[-1], screen.state.status) == ("go_on", Status.RUNNING)
        await pilot.press("x", "y")
        assert (engine.calls[-1], screen.state.status) == ("stop", Status.STOPPING)
        engine.stopped()
        await pilot.pause()
        assert screen.state.status is Status.STOPPED
        await pilot.press("space")
        assert (engine.calls[-1], screen.state.status) == ("start", Status.LOADING)
        engine.open()
        await pilot.pause()
        assert screen.state.done == 6


async def test_a_prompt_shows_its_own_heatmap_and_escape_the_average(app, running) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        average = screen.state.shown()
        screen.prompts.focus()
        await pilot.press("down", "down", "enter")
        assert screen.state.selected.id == "p2"
        assert (screen.state.shown() == screen.state.selected.jsd).all()
        assert "country" in said(app, "#detail")
        assert "Lon" in said(app, "#detail")
        await pilot.press("escape")
        assert (screen.state.shown() == average).all()
        await pilot.press("a")
        assert screen.state.selected.id == "p2"
        await pilot.press("a")
        assert screen.state.selected is None


async def test_views_scales_and_colours(app, running) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        state = screen.state
        await pilot.press("g")
        assert screen.heat.chart.display
        assert not screen.heat.grid.display
        await pilot.press("right")  # the cursor works there too
        assert state.layer == 1
        await pilot.press("g")
        assert screen.heat.grid.display
        assert [await _after(pilot, "s", lambda: state.scale_name) for _ in range(3)] == [
            "fixed", "target", "automatic",
        ]  # fmt: skip
        assert await _after(pilot, "c", lambda: state.colour_map) == "viridis"


async def _after(pilot, key, value):
    await pilot.press(key)
    return value()


@pytest.mark.slow
async def test_the_table_filters_while_typing_and_sorts(app, engine, running, made) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        await pilot.press("slash", *"country 4", "enter")
        assert [r.id for r in _listed(screen)] == ["p4"]
        assert screen.prompts.has_focus
        await pilot.press("escape")
        assert screen.prompts.count == 6
        await pilot.press("r")
        assert screen.prompts.sorted_by == "answer"
        await pilot.press("r")
        assert screen.prompts.sorted_by == "reliance"
        values = [r.reliance for r in _listed(screen)]
        assert values == sorted(values, reverse=True)
        await pilot.press("R")
        assert [r.reliance for r in _listed(screen)] == sorted(values)
        engine.batch(made(6, 6))  # arrivals keep the order
        await settled(pilot)
        values = [r.reliance for r in _listed(screen)]
        assert len(values) == 12
        assert values == sorted(values)


def _listed(screen: RunScreen):
    records = screen.state.measured.records
    return [records[i] for i in screen.prompts._lines]


@pytest.mark.parametrize("name", ["f.png", "f.pdf", "f.svg", "f.csv", "f.json", "f.npz"])
async def test_export_writes_what_the_name_says(app, running, tmp_path: Path, name: str) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        await pilot.press("e")
        assert isinstance(app.screen, ExportScreen)
        app.screen.query_one("#name", Input).value = str(tmp_path / name)
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert (tmp_path / name).stat().st_size > 100
        assert isinstance(app.screen, RunScreen)
        if name == "f.json":
            assert len(json.loads((tmp_path / name).read_text())["prompts"]) == 6


async def test_export_asks_before_it_overwrites_and_refuses_what_it_cannot_write(
    app, running, tmp_path: Path
) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        await pilot.press("e")
        screen = app.screen
        field, hint = screen.query_one("#name", Input), screen.query_one("#hint", Static)
        kept = tmp_path / "kept.csv"
        kept.write_text("mine")
        for name, answer in (
            ("figure.gif", "has to end in"), ("none/figure.png", "no folder"), (str(kept), "there"),
        ):  # fmt: skip
            field.value = name
            await pilot.pause()
            await pilot.press("enter")
            assert answer in str(hint.content)
        assert str(screen.query_one("#write", Button).label) == "Overwrite"
        assert kept.read_text() == "mine"
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        assert "subj,31," in kept.read_text()


@pytest.mark.slow
async def test_new_run_stops_and_brings_the_settings_along(app, engine, running) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        await pilot.press("n", "y")
        await pilot.pause()
        assert "stop" in engine.calls
        assert isinstance(app.screen, StartScreen)
        app.screen.query_one("#window", Input).value = "3"
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert engine.jobs[-1].settings.window == 3


@pytest.mark.slow
async def test_another_run_is_opened(app, engine, running, tmp_path: Path) -> None:
    async with app.run_test() as pilot:
        first = await running(pilot)
        await pilot.press("o")
        assert isinstance(app.screen, OpenScreen)
        field = app.screen.query_one("#folder", Input)
        field.focus()
        field.value = str(first.state.folder)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert app.screen is not first
        assert app.screen.state.done == 6
        assert app.screen.state.status is Status.STOPPED
        await pilot.press("o")
        app.screen.query_one("#folder", Input).focus()
        await pilot.press(*"nowhere", "enter")
        await pilot.pause()
        assert isinstance(app.screen, TroubleScreen)


async def test_an_error_is_a_panel_and_the_app_stays_usable(app, engine, running) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        engine.fail("RuntimeError: [red]no\x1b[2Jsuch[/red] thing", "do this")
        await pilot.pause()
        assert isinstance(app.screen, TroubleScreen)
        shown = str(app.screen.query_one("#reason", Static).content)
        assert shown == "RuntimeError: [red]no[2Jsuch[/red] thing"
        await pilot.press("escape")
        assert app.screen is screen
        assert screen.state.status is Status.FAILED
        await pilot.press("right")
        assert screen.state.layer == 1
        await pilot.press("space")
        assert engine.calls[-1] == "start"


async def test_help_and_the_palette_know_every_key(app, running) -> None:
    async with app.run_test(size=(100, 40)) as pilot:
        screen = await running(pilot)
        await pilot.pause()
        commands = {c.title for c in app.get_system_commands(screen)}
        for name in (
            "Pause/go on  space", "Stop  x", "Prompt  a", "Lines  g", "Scale  s", "Colours  c",
            "Export  e", "Copy  y", "Filter  /", "Sort  r", "New  n", "Open  o", "Theme  t",
            "Help  ?", "Quit  q", "Layer after  →",
        ):  # fmt: skip
            assert name in commands
        # All prompts are shown, there is nothing to go back from, and the palette is open.
        assert not [c for c in commands if c.startswith(("All ", "Average ", "Palette "))]
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "Copy the value under the cursor, its row" in text_of(app)
        await pilot.press("question_mark")
        assert app.screen is screen
        await pilot.press("t")
        await pilot.pause()
        assert app.screen is not screen  # the themes
        await pilot.press("escape")


@pytest.mark.parametrize("keys", [("q", "y"), ("ctrl+c",), ("ctrl+q",)], ids=" ".join)
async def test_leaving_waits_for_the_engine_and_exits_0(app, engine, running, keys) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        await pilot.press(*keys)
        await settled(pilot)
    assert engine.calls[-1] == "close"
    assert not app.return_code
    assert app.ended_cleanly


async def test_texts_from_files_are_neither_markup_nor_control_characters(
    app, engine, made
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        engine.open()
        nasty = "[bold red]x[/] [@click=app.quit]y[/]\x1b[31m\n\u202etxt"
        engine.batch(
            made(0, 2, text=nasty, prediction=nasty, tokens=(nasty,) * 5, answers=(nasty,))
        )
        await settled(pilot)
        await pilot.press("a")
        lines = text_of(app)
        assert "[bold red]x[/]" in lines
        assert "\x1b" not in lines
        assert "\u202e" not in lines
