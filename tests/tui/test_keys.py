"""The footer follows the state, what ends a run is asked, and every panel is a key away."""

from dataclasses import replace

import pytest
from on_screen import text_of
from textual.widgets import Button, Static
from waiting import settled

from mlxjsd.results import Skipped
from mlxjsd.tui.app import KEY_IDS, MlxjsdApp
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.ask import AskScreen
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.jump import JumpScreen
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.start import StartScreen
from mlxjsd.tui.widgets.key_bar import KeyBar

pytestmark = pytest.mark.asyncio


def footer_of(app: MlxjsdApp) -> str:
    bar = app.screen.query_one(KeyBar)
    assert bar.size.height == 1
    return str(bar.render())


@pytest.mark.parametrize("width", [80, 200])
async def test_the_footer_is_one_line_of_what_matters_now(app, engine, running, width) -> None:
    async with app.run_test(size=(width, 24)) as pilot:
        await running(pilot)
        await pilot.pause()
        found = footer_of(app)
        assert 8 <= len(found.split("  ")) <= 10
        assert len(found) <= width - 2
        for wanted in ("space Pause", "x Stop", "g Lines", "? Help", "q Quit"):
            assert wanted in found
        await pilot.press("space", "g")
        await pilot.pause()
        assert "space Go on" in footer_of(app)
        assert "g Cells" in footer_of(app)
        engine.finish()
        await settled(pilot)
        found = footer_of(app)
        assert 8 <= len(found.split("  ")) <= 10
        assert "space" not in found
        assert "w Words" in found
        await pilot.press("slash")
        await pilot.pause()
        assert footer_of(app) == "esc End filter  f1 Help  ^q Quit"


async def test_a_key_of_the_footer_is_pressed_by_a_click(app, running) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await running(pilot)
        await pilot.pause()
        await pilot.click("#keys", offset=(2, 0))
        await pilot.pause()
        assert screen.state.status is Status.PAUSED


async def test_hovering_over_a_key_says_what_it_does(app, running) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await running(pilot)
        await pilot.pause()
        bar = app.screen.query_one(KeyBar)
        await pilot.hover("#keys", offset=(2, 0))
        assert bar.tooltip == "Pause after the current batch, or go on"
        await pilot.hover("#keys", offset=(79, 0))
        assert bar.tooltip is None


@pytest.mark.parametrize("key", ["x", "n", "q"])
async def test_what_ends_a_run_is_asked_once(
    app, engine, running, made, monkeypatch, key: str
) -> None:
    monkeypatch.setattr(AskScreen, "PACE", 0.02)
    async with app.run_test() as pilot:
        screen = await running(pilot)
        before = list(engine.calls)
        await pilot.press(key)
        assert isinstance(app.screen, AskScreen)
        assert "6 of 12 prompts" in text_of(app)
        engine.batch(made(6, 2))
        await settled(pilot)
        await pilot.pause(0.1)
        assert "8 of 12 prompts" in text_of(app)  # it goes on while the question is there
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is screen
        assert engine.calls == before
        await pilot.press(key, "y")
        await settled(pilot)
        assert engine.calls[len(before) :] == ["close"] if key == "q" else ["stop"]


@pytest.mark.parametrize("key", ["x", "n", "q"])
async def test_a_setting_turns_the_question_off(app, engine, running, key: str) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        app.config = replace(app.config, confirm=False)
        await pilot.press(key)
        await settled(pilot)
        assert not isinstance(app.screen, AskScreen)
        assert engine.calls[-1] in ("stop", "close")


async def test_nothing_is_asked_where_nothing_goes_on(app, engine, running) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        engine.finish()
        await settled(pilot)
        await pilot.press("n")
        await pilot.pause()
        assert isinstance(app.screen, StartScreen)


async def test_what_failed_stays_readable_and_leads_to_the_settings(app, engine, running) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await running(pilot)
        engine.batch([], [Skipped("p8", 8, "NaN appears in block 3")])
        await settled(pilot)
        engine.fail("RuntimeError: [red]no such[/red] thing", "do this")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert "! RuntimeError: [red]no such[/red] thing" in text_of(app).splitlines()[2]
        assert "! Why" in footer_of(app)
        await pilot.press("exclamation_mark")
        assert isinstance(app.screen, TroubleScreen)
        said = str(app.screen.query_one("#reason", Static).content)
        for wanted in ("no such", "do this", "1 failed: NaN appears in block 3", "1 skipped: the"):
            assert wanted in said
        app.screen.query_one("#settings", Button).press()
        await settled(pilot)
        assert isinstance(app.screen, StartScreen)
        await pilot.press("escape", "space")  # as it was, again
        engine.open()
        await settled(pilot)
        assert screen.state.failure == ""
        assert "no such" not in text_of(app)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_every_panel_is_reached_by_two_keys(app, running, size) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await running(pilot)
        reached = set()
        for place in range(len(screen.focus_chain)):
            await pilot.press("ctrl+g")
            assert isinstance(app.screen, JumpScreen)
            await pilot.press("123456789"[place])
            await pilot.pause()
            assert isinstance(app.screen, RunScreen)
            reached.add(app.focused)
        assert reached == set(screen.focus_chain)
        here = app.focused
        await pilot.press("ctrl+g", "escape")
        assert app.focused is here


async def test_every_binding_has_a_name_of_its_own() -> None:
    assert {"run.pause", "start.start", "cursor.left", "prompts.up", "app.quit"} <= KEY_IDS
    for kind in (MlxjsdApp, RunScreen, StartScreen):
        named = [binding.id for binding in kind.BINDINGS]
        assert all(named)
        assert len(set(named)) == len(named)
