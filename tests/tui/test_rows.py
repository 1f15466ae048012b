"""Runs of other rows: nothing on the screen counts on the usual ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from on_screen import said, text_of
from other_runs import SIZES, grid_of, run_with, shown, state_of
from rich.color import Color
from waiting import settled

from mlxjsd.analysis.compare import Panel
from mlxjsd.rows import ROWS
from mlxjsd.run.job import Job
from mlxjsd.settings import Settings
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.colours import foregrounds
from mlxjsd.tui.compare_state import CompareState, panel_of_state
from mlxjsd.tui.run_data import Measured
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.compare import CompareScreen
from mlxjsd.tui.widgets.heat_panel import FRAME
from mlxjsd.tui.widgets.line_chart import _letters

pytestmark = pytest.mark.usefixtures("registered")


def test_a_run_that_is_awaited_has_the_rows_that_were_asked_for(tmp_path: Path) -> None:
    job = Job(output=tmp_path, settings=Settings(rows=("last", "reliance", "subj")))
    assert RunState.awaiting(job).rows == ("last", "subj")


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows", [("attn",), ("last", "mlp", "subj", "attn", "mystery")])
async def test_every_row_is_shown_with_its_name_and_colour(
    engine, tmp_path: Path, rows: tuple[str, ...], size: tuple[int, int]
) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=size) as pilot:
        screen = await shown(app, pilot, state_of(grid_of(*rows), tmp_path))
        grid, state = screen.heat.grid, screen.state
        state.scale_name = "fixed"
        screen.heat.show_state()
        assert screen.heat.size.height >= len(rows) + 1
        palette = foregrounds(state.colour_map)
        for row, key in enumerate(rows):
            middle = row * grid.cell_height + (grid.cell_height - 1) // 2
            line = grid.render_line(middle)
            label = ROWS[key].label if key in ROWS else key
            cut = line.text[: grid.label_width].rstrip()
            assert label.startswith(cut.rstrip("…"))
            assert cut == label or (cut.endswith("…") and size == (80, 24))
            style = next(s.style for s in line.crop(grid.region_of(row, 7).x))
            value = state.shown()[row, 7]
            assert style.bgcolor == Color.parse(palette[state.scale().level(value)])
            assert grid.cell_at(grid.region_of(row, 7).x, middle) == (row, 7)
        axis = grid.render_line(len(rows) * grid.cell_height).text
        assert axis.startswith("Layer")
        await pilot.press(*["down"] * 10)
        assert state.row == len(rows) - 1


@pytest.mark.slow
@pytest.mark.asyncio
async def test_rows_that_do_not_fit_scroll_under_the_cursor(engine, tmp_path: Path) -> None:
    keys = [f"row{at:02d}" for at in range(14)]
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(app, pilot, state_of(grid_of(*keys), tmp_path))
        grid = screen.heat.grid
        assert screen.prompts.size.height >= 3  # the list keeps its place
        seen = set()
        for at, key in enumerate(keys):
            assert screen.state.row == at
            lines = [grid.render_line(y).text for y in range(grid.size.height)]
            names = {name for name in keys if any(line.startswith(name[:5]) for line in lines)}
            place = grid.region_of(at, 0)
            assert lines[place.y].startswith(key)
            assert grid.cell_at(place.x, place.y) == (at, 0)
            assert lines[-1].startswith("Layer")
            seen |= names
            await pilot.press("down")
        assert seen == set(keys)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_panel_grows_with_the_rows_and_shrinks_with_the_terminal(
    engine, tmp_path: Path
) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 60)) as pilot:
        screen = await shown(app, pilot, state_of(grid_of("attn", "last"), tmp_path))
        assert screen.heat.outer_size.height == FRAME + 2 * 5
        screen.state.open(run_with(grid_of("attn", "last", "mlp", "subj")))
        screen.show_all()
        await pilot.pause()
        assert screen.heat.outer_size.height == FRAME + 4 * 5
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert screen.heat.outer_size.height == FRAME + 4 * 3


@pytest.mark.asyncio
async def test_a_cell_is_said_in_the_words_of_its_row(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        empty = RunState(tmp_path, measured=Measured(grid_of("mlp", "mystery")))
        screen = await shown(app, pilot, empty)
        await pilot.press("right", "right")
        assert screen.detail.border_title == "MLP out. · layer 2"
        assert "MLP replaced after block 2" in said(app, "#detail")
        await pilot.press("down")
        assert screen.detail.border_title == "mystery · layer 2"
        assert said(app, "#detail").strip() == "nothing has been measured yet"


@pytest.mark.asyncio
@pytest.mark.parametrize(("row", "why"), [("attn", "no block attends here"), ("mlp", "here")])
async def test_a_cell_that_does_not_apply_is_said(
    engine, tmp_path: Path, row: str, why: str
) -> None:
    state = state_of(grid_of(row, "subj"), tmp_path)
    for made in state.measured.records:
        made.cells[:, 0, :] = np.nan
    state.measured = Measured(state.grid, list(state.measured.records))
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        await shown(app, pilot, state)
        assert said(app, "#detail").startswith("does not apply")
        assert why in said(app, "#detail")
        await pilot.press("a")
        assert "does not apply" in said(app, "#detail")
        assert ("block attends" in said(app, "#detail")) == (row == "attn")


@pytest.mark.asyncio
@pytest.mark.parametrize("no_color", [False, True])
async def test_lines_have_a_name_a_colour_and_without_colours_a_letter(
    engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_color: bool
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    rows = ("last", "mlp", "subj", "attn")
    app = MlxjsdApp(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await shown(app, pilot, state_of(grid_of(*rows), tmp_path))
        await pilot.press("g")
        strips = screen.heat.chart._strips
        looks = set()
        for key in rows:
            name = f"{ROWS[key].label[0]} {ROWS[key].label}" if no_color else ROWS[key].label
            named = [s for strip in strips for s in strip if s.text.strip() == name]
            assert len(named) == 1
            looks.add(named[0].style.color)
        assert len(looks) == 4
        drawn = "".join(strip.text for strip in strips)
        assert ({"L", "M", "S", "A"} <= set(drawn)) or not no_color


def test_no_two_lines_have_one_letter() -> None:
    assert _letters(["Subj.", "Attn.", "Last."]) == ["S", "A", "L"]
    assert _letters(["Subj.", "Subj. MLP", "Σ"]) == ["S", "U", "A"]
    many = _letters(["x"] * 26)
    assert len(set(many)) == 26


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_many_rows_are_compared_on_one_screen(engine, tmp_path: Path, size) -> None:
    state = state_of(grid_of("mlp", "subj", "attn", "last", "mystery"), tmp_path)
    app = MlxjsdApp(engine)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        panel = panel_of_state(state)
        screen = CompareScreen(CompareState(panel, Panel("b", panel.mean / 2, rows=panel.rows)))
        await app.push_screen(screen)
        await settled(pilot)
        await pilot.press(*["down"] * 4)
        assert str(screen.grids[2].border_subtitle).startswith("mystery layer 0")
        for grid in (g.grid for g in screen.grids):
            lines = [grid.render_line(y).text for y in range(grid.size.height)]
            assert any(line.startswith("myst") for line in lines)
        assert "esc Back" in text_of(app)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (250, 60)])
def test_how_six_rows_by_a_signed_metric_look(snap_compare, engine, tmp_path, size) -> None:
    state = state_of(grid_of("subj", "attn", "last", "mlp", "mystery", "other"), tmp_path)
    app = MlxjsdApp(engine)

    async def show(pilot: Any) -> None:
        await shown(app, pilot, state)
        await pilot.press("m", "down", *["right"] * 5)

    assert snap_compare(app, terminal_size=size, run_before=show)
