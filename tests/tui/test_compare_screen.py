"""A run beside another one, or beside a published figure."""

from pathlib import Path

import numpy as np
import pytest
from on_screen import text_of
from records import HEADER, record
from rich.color import Color
from textual.widgets import Input
from waiting import settled

from mlxjsd.analysis.compare import Panel, compare, published
from mlxjsd.store.writer import Store
from mlxjsd.tui.colours import DIVERGING, LEVELS, foregrounds, signed_shade
from mlxjsd.tui.compare_state import CompareState, Figure, other_panel
from mlxjsd.tui.screens.compare import CompareScreen
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.open import OpenScreen
from mlxjsd.tui.widgets.heat_grid import LABEL_WIDTH

SIZES = [(80, 24), (250, 60)]


def run_folder(folder: Path, layers: int = 8, count: int = 6, **changes: object) -> Path:
    with Store(folder, {**HEADER, "layers": layers, "total": count}) as store:
        store.add([record(i, layers, **changes) for i in range(count)])
    return folder


async def open_folder(app, pilot, folder: object) -> None:
    await pilot.press("d")
    assert isinstance(app.screen, OpenScreen)
    app.screen.query_one("#folder", Input).value = str(folder)
    app.screen.query_one("#folder", Input).focus()
    await pilot.press("enter")
    await settled(pilot)


def test_the_difference_and_the_agreement_are_those_of_the_comparison() -> None:
    rng = np.random.default_rng(0)
    a, b = Panel("a", rng.random((3, 32))), published("llama-3-8b-fa")
    state, wanted = CompareState(a, b), compare(a, b)
    difference = np.where(b.known, a.mean - b.mean, np.nan)
    np.testing.assert_array_equal(state.sheets[2].shown(), difference)
    scale = state.sheets[2].scale()
    assert scale.low == -scale.high == -np.nanmax(np.abs(difference))
    assert state.sheets[0].scale() == state.sheets[1].scale()
    for cells, row in zip(state.table(), wanted.rows, strict=True):
        assert cells[1] == f"{row.correlation:+.2f}"


def test_the_same_kind_of_answer_is_compared_where_there_is_one(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "other")
    assert "Factual associations" in other_panel(folder, "FA", "jsd").name
    unlabelled = run_folder(tmp_path / "unlabelled", answers=())
    assert other_panel(unlabelled, "FA", "jsd").name == "tiny, n = 6"
    assert other_panel(Figure("llama-3-8b-fa"), "UH", "jsd").mean.shape == (3, 32)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_a_published_figure_is_shown_beside_the_run(app, running, size) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await running(pilot)
        await pilot.press("2", "d", "enter")
        await settled(pilot)
        assert isinstance(app.screen, CompareScreen)
        shown = text_of(app)
        source = "arXiv" if size[0] > 100 else "Cheang"
        for text in (
            "A · bundled, n = 2, Factual",
            "B · Llama 3 8B",
            source,
            "A - B",
            "rank corr.",
            "Subj. layer 0",
            "esc Back",
        ):
            assert text in shown
        state = app.screen.state
        for row in state.comparison.rows:
            assert f"{row.correlation:+.2f}" in shown
        np.testing.assert_array_equal(state.sheets[0].shown(), screen.state.heatmap.mean)
        await pilot.press("escape")
        assert app.screen is screen


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_cursor_moves_on_all_three_by_keys_and_mouse(app, running) -> None:
    async with app.run_test(size=(250, 60)) as pilot:
        await running(pilot)
        await pilot.press("d", "enter")
        await settled(pilot)
        screen = app.screen
        for key, place in (
            ("right", (0, 1)), ("l", (0, 2)), ("left", (0, 1)), ("h", (0, 0)), ("down", (1, 0)),
            ("j", (2, 0)), ("up", (1, 0)), ("k", (0, 0)), ("end", (0, 31)), ("home", (0, 0)),
        ):  # fmt: skip
            await pilot.press(key)
            assert (screen.state.row, screen.state.layer) == place, key
        grid = screen.grids[2].grid
        place = grid.region_of(2, 5)
        await pilot.click(grid, offset=(place.x, place.y))
        assert (screen.state.row, screen.state.layer) == (2, 5)
        assert "Last. layer 5" in str(screen.grids[2].border_subtitle)
        before = screen.grids[0].grid.state.colour_map
        await pilot.press("c")
        assert screen.grids[1].grid.state.colour_map != before
        assert grid.state.colour_map == DIVERGING
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Back to the run" in text_of(app)
        await pilot.press("escape", "d")
        assert not isinstance(app.screen, CompareScreen)


@pytest.mark.asyncio
async def test_a_run_of_another_depth_is_compared_over_relative_depth(
    app, running, tmp_path: Path
) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        await open_folder(app, pilot, run_folder(tmp_path / "other", layers=8))
        assert isinstance(app.screen, CompareScreen)
        assert "relative depth" in text_of(app)
        assert app.screen.state.layers == 32


@pytest.mark.asyncio
async def test_what_cannot_be_compared_is_said(app, running, tmp_path: Path) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        for folder in (tmp_path / "nowhere", run_folder(tmp_path / "empty", count=0)):
            await open_folder(app, pilot, folder)
            assert isinstance(app.screen, TroubleScreen)
            await pilot.press("escape")
            assert app.screen is screen


@pytest.mark.asyncio
async def test_the_difference_is_white_in_the_middle_and_has_signs(app, running) -> None:
    async with app.run_test(size=(250, 60)) as pilot:
        await running(pilot)
        await pilot.press("d", "enter")
        await settled(pilot)
        grid = app.screen.grids[2].grid
        values = app.screen.state.comparison.difference[1]
        line = grid.render_line(grid.cell_height + (grid.cell_height - 1) // 2)
        for value in values[np.isfinite(values)]:
            assert f"{value:+.2f}".replace("0.", ".", 1) in line.text
        app.screen.state.layer = 5  # the cursor is elsewhere
        level = grid._scale.level(values[13])
        colours = [s.style.bgcolor for s in line if s.style and s.style.bgcolor]
        assert Color.parse(foregrounds(DIVERGING)[level]) in colours
        assert line.text[:LABEL_WIDTH] == "Attn. "


def test_without_colours_the_sign_says_on_which_side_a_difference_is() -> None:
    assert signed_shade(0, 3).startswith("-")
    assert signed_shade(LEVELS - 1, 3).startswith("+")
    assert signed_shade(LEVELS // 2, 3) == "   "


@pytest.mark.asyncio
async def test_names_from_files_are_no_markup(app, running, tmp_path: Path) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await running(pilot)
        folder = tmp_path / "other"
        model = {**HEADER["model"], "name": "[bold red]x[/]\x1b[31m"}
        with Store(folder, {**HEADER, "layers": 8, "total": 2, "model": model}) as store:
            store.add([record(i, 8) for i in range(2)])
        await open_folder(app, pilot, folder)
        assert "[bold red]x[/][31m" in text_of(app)
        assert "\x1b" not in text_of(app)
