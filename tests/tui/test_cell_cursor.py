"""The number under the cursor is whole, however narrow its cell is, and can always be reached."""

from pathlib import Path

import numpy as np
import pytest
from other_runs import grid_of, shown, state_of
from textual.geometry import Region

from mlxjsd.output.columns import Columns
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.widgets.cell_cursor import CellCursor

pytestmark = pytest.mark.usefixtures("registered")
PLOT = Region(6, 0, 40, 10)


def lines_of(cell: Region, number: str) -> list[str]:
    cursor = CellCursor.around(cell, number, PLOT, (0, 0))
    found = []
    for inside in range(cell.height):
        line = list("." * PLOT.right)
        for x, text in cursor.drawn(inside):
            line[x : x + len(text)] = text
        found.append("".join(line)[PLOT.x :])
    assert all(set(line[: cursor.region.x - PLOT.x]) <= {"."} for line in found)
    assert all(set(line[cursor.region.right - PLOT.x :]) <= {"."} for line in found)
    return [line.strip(".") for line in found]


@pytest.mark.parametrize(
    ("width", "height", "drawn"),
    [
        (7, 3, ["┏━━━━━┓", "┃0.43 ┃", "┗━━━━━┛"]),
        (6, 3, ["┏━━━━┓", "┃0.43┃", "┗━━━━┛"]),
        (5, 3, ["━━━━━", "0.43 ", "━━━━━"]),
        (2, 3, ["━━", "0.43", "━━"]),
        (1, 5, ["━", " ", "0.43", " ", "━"]),
        (2, 2, ["0.43", "━━"]),
        (6, 2, ["▌0.43▐", "▌    ▐"]),
        (1, 1, ["0.43"]),
    ],
)
def test_the_frame_makes_room_for_the_number(width: int, height: int, drawn: list[str]) -> None:
    said = lines_of(Region(20, 0, width, height), "0.43")
    assert [line.replace(".", " ") for line in said] == [line.replace(".", " ") for line in drawn]


def test_at_the_edges_and_without_a_number() -> None:
    assert lines_of(Region(6, 0, 1, 1), "+0.43") == ["+0.43"]
    assert lines_of(Region(45, 0, 1, 1), "+0.43") == ["+0.43"]
    assert lines_of(Region(20, 0, 1, 2), "") == ["◆", "━"]
    assert lines_of(Region(), "0.43") == []


@pytest.mark.asyncio
@pytest.mark.parametrize("colours", [256, 0])
@pytest.mark.parametrize("layers", [32, 80, 126])
async def test_every_cell_shows_its_number_when_it_is_chosen(
    engine, tmp_path: Path, layers: int, colours: int
) -> None:
    app = MlxjsdApp(engine, colours=colours)
    async with app.run_test(size=(80, 24)) as pilot:
        state = state_of(grid_of("subj", "attn", "last", layers=layers), tmp_path)
        screen = await shown(app, pilot, state)
        grid, values = screen.heat.grid, state.shown()
        peak = int(np.nanargmax(values[1]))
        for layer in (0, peak, layers // 2, layers - 1):
            state.go_to(1, layer)
            screen.heat.show_state()
            place = grid.region_of(1, layer)
            assert 0 <= place.x < place.right <= grid.size.width
            # Of two layers in a column, a click finds the left one.
            assert grid.cell_at(place.x, place.y)[1] in (layer, layer - 1)
            line = grid.render_line(place.y + (grid.cell_height - 1) // 2).text
            assert f"{values[1, layer]:.2f}" in line
            assert str(layer) in grid.render_line(3 * grid.cell_height).text.split()


@pytest.mark.asyncio
async def test_the_grid_fills_its_panel(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        state = state_of(grid_of("subj", "attn", layers=6), tmp_path)
        screen = await shown(app, pilot, state)
        grid = screen.heat.grid
        assert grid.region_of(0, 5).right == grid.size.width
        assert grid.region.right == screen.heat.scale.region.x
        assert screen.heat.scale.region.right == screen.heat.region.right - 1
        assert grid.columns == Columns(6, grid.size.width - grid.label_width)


@pytest.mark.asyncio
@pytest.mark.slow
@pytest.mark.parametrize("size", [(10, 5), (20, 24)])
async def test_any_number_of_rows_and_layers_at_any_size(
    engine, tmp_path: Path, size: tuple[int, int]
) -> None:
    rows = [f"row-{at}-of-a-long-name" for at in range(14)]
    for layers, count in ((1, 1), (126, 14)):
        app = MlxjsdApp(engine)
        async with app.run_test(size=size) as pilot:
            await shown(app, pilot, state_of(grid_of(*rows[:count], layers=layers), tmp_path))
            await pilot.press("end", "down", "g", "i", "home", "m", "g", "left")
            assert app.is_running


@pytest.mark.asyncio
async def test_ticks_wait_for_a_number(engine) -> None:
    from mlxjsd.tui.protocol import Job

    app = MlxjsdApp(engine, Job(output=Path("run")))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        scale, chart = app.screen.heat.scale, app.screen.heat.chart
        lines = [scale.render_line(y).text for y in range(scale.size.height)]
        assert not any(c.isdigit() for line in lines for c in line)
        assert " to " not in str(app.screen.heat.border_subtitle)
        await pilot.press("g")
        await pilot.pause()
        assert not any(c.isdigit() for strip in chart._strips[:-1] for c in strip.text)
