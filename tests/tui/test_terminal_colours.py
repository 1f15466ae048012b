"""256 colours, themes and backgrounds: what a terminal is told, and that all of it is new."""

from pathlib import Path
from typing import Any

import pytest
from other_runs import grid_of, shown, state_of
from rich.color import ColorType
from rich.style import Style

from mlxjsd.output.colours import DIVERGING, STEPS, numbers
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.colours import TRUECOLOUR
from mlxjsd.tui.compare_state import CompareState, panel_of_state
from mlxjsd.tui.protocol import Preview, Shown
from mlxjsd.tui.screens.compare import CompareScreen

pytestmark = [pytest.mark.usefixtures("registered"), pytest.mark.asyncio]


def drawn(app: MlxjsdApp) -> list[list[tuple[str, Style | None]]]:
    """The whole screen, character by character, as it goes to the terminal."""
    lines = app.screen._compositor.render_strips()
    return [[(c, segment.style) for segment in line for c in segment.text] for line in lines]


def numbers_behind(app: MlxjsdApp, widget: Any, y: int) -> list[int]:
    """The palette's numbers behind one line of a widget."""
    region = widget.region
    line = drawn(app)[region.y + y][region.x : region.right]
    return [style.bgcolor.number for _, style in line if style and style.bgcolor]


async def test_with_256_colours_cells_have_the_steps_of_their_map(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine, colours=256)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await shown(app, pilot, state_of(grid_of("subj", "attn", "mlp"), tmp_path))
        grid, state = screen.heat.grid, screen.state
        for key, colour_map in ((None, "Blues_r"), ("c", "viridis"), ("m", DIVERGING)):
            await pilot.press(*([key] if key else []))
            await pilot.pause()
            assert state.colour_map == colour_map
            found = numbers_behind(app, grid, grid.cell_height)
            for layer in (0, 7, 16, 31):
                level = state.scale().level(state.shown()[1, layer])
                assert found[grid.region_of(1, layer).x] == numbers(colour_map)[level]
        bar = numbers_behind(app, screen.heat.scale, 3)
        assert set(bar) & set(STEPS[DIVERGING])


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
async def test_with_256_colours_every_colour_is_one_of_the_palette(
    engine, tmp_path: Path, theme: str
) -> None:
    app = MlxjsdApp(engine, colours=256)
    async with app.run_test(size=(100, 30)) as pilot:
        app.theme = theme
        await shown(app, pilot, state_of(grid_of("subj", "attn"), tmp_path))
        kinds = {
            colour.type
            for line in drawn(app)
            for _, style in line
            if style
            for colour in (style.color, style.bgcolor)
            if colour
        }
    assert kinds == {ColorType.EIGHT_BIT}


@pytest.mark.slow
@pytest.mark.parametrize("keys", [(), ("g", "i"), ("d",)])
async def test_another_theme_is_another_at_once_everywhere(
    engine, tmp_path: Path, keys: tuple[str, ...]
) -> None:
    async def screen_of(before: str) -> list[list[tuple[str, Style | None]]]:
        app = MlxjsdApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            app.theme = before
            state = state_of(grid_of("subj", "attn", "last"), tmp_path)
            await shown(app, pilot, state)
            if keys == ("d",):
                panel = panel_of_state(state)
                await app.push_screen(CompareScreen(CompareState(panel, panel)))
            else:
                await pilot.press(*keys)
            await pilot.pause()
            app.theme = "textual-light"
            await pilot.pause()
            await pilot.pause()
            return drawn(app)

    assert await screen_of("textual-dark") == await screen_of("textual-light")


@pytest.mark.slow
async def test_the_preview_follows_the_theme(engine) -> None:
    async def screen_of(before: str) -> list[list[tuple[str, Style | None]]]:
        engine.preview = Preview(2, prompts=(Shown(("<s>", "Paris", " is"), (1, 2), "x"),))
        app = MlxjsdApp(engine)
        async with app.run_test(size=(120, 40)) as pilot:
            app.theme = before
            await pilot.pause(0.5)
            app.theme = "textual-light"
            await pilot.pause()
            await pilot.pause()
            region = app.screen.query_one("#preview").region
            return [line[region.x : region.right] for line in drawn(app)[region.y : region.bottom]]

    assert await screen_of("textual-dark") == await screen_of("textual-light")


async def test_the_usual_map_follows_the_background_and_a_chosen_one_stays(
    engine, tmp_path: Path
) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await shown(app, pilot, state_of(grid_of("subj", "attn"), tmp_path))
        assert screen.state.colour_map == "Blues_r"
        app.theme = "textual-light"
        await pilot.pause()
        assert screen.state.colour_map == "Blues"
        assert "Blues ·" in str(screen.heat.border_subtitle)
        await pilot.press("c", "c", "c")
        assert screen.state.colour_map == "magma"
        app.theme = "textual-dark"
        await pilot.pause()
        assert screen.state.colour_map == "magma"


async def test_how_many_colours_there_are_is_asked_of_the_terminal(
    engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for said, colours in (("truecolor", TRUECOLOUR), ("256", 256), ("standard", 0)):
        monkeypatch.setattr("textual.constants.COLOR_SYSTEM", said)
        assert MlxjsdApp(engine).colours == colours
    monkeypatch.setenv("NO_COLOR", "1")
    assert MlxjsdApp(engine, colours=256).colours == 0
