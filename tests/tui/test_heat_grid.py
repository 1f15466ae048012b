"""The grid's lines hold the colours of known numbers, and little of it is repainted."""

import math

import numpy as np
import pytest
from records import record
from rich.color import Color
from waiting import settled

from mlxjsd.run.events import BatchDone
from mlxjsd.tui.colours import LEVELS, SHADES, Scale, foregrounds, shade, styles
from mlxjsd.tui.run_state import Status

pytestmark = pytest.mark.asyncio


def cell_styles(grid, row: int) -> list:
    """The style of each cell of a row, from the strip that is drawn."""
    strip = grid.render_line(row * grid.cell_height)
    found, place = {}, 0
    for segment in strip:
        for _ in segment.text:
            found[place] = segment.style
            place += 1
    return [found[grid.region_of(row, layer).x] for layer in range(grid.state.layers)]


@pytest.mark.parametrize(("size", "cell"), [((80, 24), (2, 2)), ((250, 60), (7, 5))])
async def test_cells_have_the_colour_of_their_number(app, engine, running, size, cell) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await running(pilot)
        screen.state.scale_name = "fixed"
        screen.heat.show_state()
        grid = screen.heat.grid
        assert (grid.cell_width, grid.cell_height) == cell
        assert grid.region_of(2, 31).right <= grid.size.width
        for row, values in enumerate(screen.state.heatmap.mean):
            for value, style in zip(values, cell_styles(grid, row), strict=True):
                level = min(int(value / math.log(2) * LEVELS), LEVELS - 1)
                assert style.bgcolor == Color.parse(foregrounds("Blues_r")[level])


async def test_wide_cells_show_their_value_and_narrow_ones_do_not(app, running) -> None:
    async with app.run_test(size=(250, 60)) as pilot:
        screen = await running(pilot)
        grid = screen.heat.grid
        text = grid.render_line(grid.cell_height // 2).text
        for value in screen.state.heatmap.mean[0]:
            assert f"{value:.2f}" in text
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert not any(c.isdigit() for c in grid.render_line(grid.cell_height).text)


async def test_the_layer_numbers_stand_under_their_cells(app, running) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        grid = (await running(pilot)).heat.grid
        axis = grid.render_line(3 * grid.cell_height).text
        for layer in range(0, 32, 2):
            assert axis[grid.region_of(0, layer).x :].startswith(str(layer))


async def test_only_changed_cells_are_repainted(app, engine, running, made, monkeypatch) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await running(pilot)
        screen.state.scale_name = "fixed"
        screen.heat.show_state()
        await pilot.pause()
        grid, painted = screen.heat.grid, []
        monkeypatch.setattr(grid, "refresh", lambda *regions, **_: painted.append(regions))
        screen.heat.show_state()
        assert painted == []
        jsd = screen.state.heatmap.mean.astype(np.float32)
        jsd[1, 5] += 0.3
        engine.tell(BatchDone((record(9, 32, jsd=jsd),), 7, 12, 0.5, 0))
        await settled(pilot)
        assert painted == [(grid.region_of(1, 5),)]
        painted.clear()
        await pilot.press("right")
        for cell in (grid.region_of(0, 0), grid.region_of(0, 1)):
            assert any(region.contains_region(cell) for region in painted[0])
        assert not any(region.overlaps(grid.region_of(1, 5)) for region in painted[0])


async def test_before_the_first_batch_cells_are_empty(app, engine) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.screen.state.status is Status.LOADING
        assert "·" in app.screen.heat.grid.render_line(0).text


async def test_without_colours_shades_and_numbers_carry_the_values(
    monkeypatch, engine, tmp_path, made
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    from mlxjsd.tui.app import MlxjsdApp
    from mlxjsd.tui.protocol import Job

    app = MlxjsdApp(engine, Job(output=tmp_path / "run"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 2))
        await settled(pilot)
        grid, state = app.screen.heat.grid, app.screen.state
        scale, value = state.scale(), state.heatmap.mean[0, 30]
        place = grid.region_of(0, 30).x
        expected = shade(scale.level(value)) * 2
        assert grid.render_line(0).text[place : place + 2] == expected
        assert grid.render_line(1).text[place : place + 2] == f"{round(value * 100):02d}"
        await pilot.press("g")
        drawn = "".join(app.screen.heat.chart.render_line(y).text for y in range(6))
        assert {"S", "A", "L"} <= set(drawn)


async def test_a_deep_model_scrolls_under_the_cursor(app, engine) -> None:
    async with app.run_test(size=(60, 24)) as pilot:
        await pilot.pause()
        engine.open(layers=126)
        engine.batch([record(0, 126)])
        await settled(pilot)
        grid = app.screen.heat.grid
        await pilot.press("end")
        assert grid.cell_width == 1
        assert grid.region_of(0, 125).right <= grid.size.width
        assert "125" in grid.render_line(3 * grid.cell_height).text


async def test_the_scale_maps_its_ends_and_nothing() -> None:
    scale = Scale(0.2, 0.6)
    assert [scale.level(v) for v in (0.0, 0.2, 0.6, 0.9)] == [0, 0, LEVELS - 1, LEVELS - 1]
    assert scale.level(float("nan")) == -1
    assert shade(0) == SHADES[0]
    assert shade(LEVELS - 1) == SHADES[-1]
    for colour_map in ("Blues", "viridis", "magma", "Greys", "Blues_r"):
        assert len(set(styles(colour_map))) > LEVELS // 2
