"""Lines keep their dots where they cross, their order at their ends, and the number in question."""

from pathlib import Path

import numpy as np
import pytest
from other_runs import grid_of, run_with, shown, state_of
from records import record

from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.run_data import Interval, Measured
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.widgets.dots import band_of, dots_of, height_of, stacked

pytestmark = pytest.mark.usefixtures("registered")


def crossing(tmp_path: Path, rows: int = 2, noise: float = 0.0) -> RunState:
    """A run whose first row falls from 0.6 to 0 while the second rises."""
    fall = np.linspace(0.6, 0.0, 32)
    rng = np.random.default_rng(0)
    grid = grid_of(*("subj", "last", *(f"row{i}" for i in range(rows - 2)))[:rows])
    records = []
    for i in range(8):
        values = np.stack([fall, fall[::-1], *([fall * 0.5] * rows)][:rows])
        values = values + noise * rng.standard_normal(values.shape)
        records.append(record(i, 32, grid, jsd=np.abs(values).astype(np.float32)))
    state = state_of(grid, tmp_path)
    state.measured = Measured(grid, records)
    return state


def masks(chart, style: str) -> dict[tuple[int, int], int]:
    """The dots of one style, by line and column of the plot."""
    look, found = chart._part(style), {}
    for y, strip in enumerate(chart._strips[:-1]):
        x = 0
        for segment in strip:
            for c in segment.text:
                if segment.style.color == look.color and 0x2800 < ord(c) < 0x2900:
                    found[y, x - chart._axis_width] = ord(c) - 0x2800
                x += 1
    return found


@pytest.mark.asyncio
async def test_where_lines_cross_the_dots_of_both_stay(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 40)) as pilot:
        screen = await shown(app, pilot, crossing(tmp_path))
        await pilot.press("g", "down", "end")
        chart = screen.heat.chart
        seen: dict[tuple[int, int], int] = {}
        for name in ("primary", "warning"):
            for place, mask in masks(chart, name).items():
                seen[place] = seen.get(place, 0) | mask
        both = {}
        for values in screen.state.shown():
            heights = [(i, chart._height(v)) for i, v in enumerate(values)]
            for place, mask in dots_of(heights, 32, chart.plot_size[0]).items():
                both.setdefault(place, []).append(mask)
        crossed = [place for place, found in both.items() if len(found) == 2]
        assert crossed
        for place in crossed:
            assert seen[place] == both[place][0] | both[place][1]


@pytest.mark.asyncio
async def test_the_mean_is_whole_over_its_band(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 40)) as pilot:
        state = crossing(tmp_path, rows=1, noise=0.2)
        ends = bootstrap_interval(state.measured.values())
        state.measured.intervals[state.view] = Interval(ends, 8, 8)
        screen = await shown(app, pilot, state)
        await pilot.press("i", "end")
        chart = screen.heat.chart
        heights = [(i, chart._height(v)) for i, v in enumerate(state.shown()[0])]
        line = dots_of(heights, 32, chart.plot_size[0])
        found = masks(chart, "primary")
        # The cursor's mark and its number cover a few characters.
        assert len(line.keys() - found.keys()) <= 3
        assert all(found[place] == line[place] for place in line.keys() & found.keys())
        dim = masks(chart, "primary-band")
        assert dim
        assert not dim.keys() & found.keys()


@pytest.mark.asyncio
async def test_the_number_at_the_cursor_is_written_beside_its_place(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 40)) as pilot:
        screen = await shown(app, pilot, crossing(tmp_path))
        await pilot.press("g")
        chart, state = screen.heat.chart, screen.state
        for layer in (0, 9, 31):
            state.go_to(1, layer)
            screen.heat.show_state()
            said = f"{state.value:.3f}"
            lines = [s.text for s in chart._strips]
            assert sum(said in line for line in lines) == 1
            at = chart._height(state.value) // 4
            assert said in lines[max(at - 1, 0) + (at == 0)]
            assert lines[at][chart._axis_width + chart.column_of(layer)] == "●"


@pytest.mark.asyncio
async def test_names_stand_in_the_order_of_the_lines_ends(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        state = state_of(grid_of(*(f"row{i:02d}" for i in range(12)), layers=6), tmp_path)
        screen = await shown(app, pilot, state)
        await pilot.press("g")
        for row in (0, 5, 11):
            state.go_to(row, 0)
            screen.heat.show_state()
            lines = [strip.text for strip in screen.heat.chart._strips]
            names = [line.split()[-1] for line in lines if line.split()[-1].startswith("row")]
            lasts = [state.shown()[int(name[3:]), -1] for name in names]
            assert lasts == sorted(lasts, reverse=True)
            assert len(names) == screen.heat.chart.plot_size[1]
            assert f"row{row:02d}" in names


def test_names_keep_their_order_and_their_lines() -> None:
    rng = np.random.default_rng(1)
    for lines in (1, 2, 5, 9):
        for count in range(1, lines + 1):
            wanted = sorted(rng.integers(0, lines, count).tolist())
            found = stacked(wanted, lines)
            assert found == sorted(set(found))
            assert 0 <= found[0] <= found[-1] < lines
    assert stacked([0, 4, 4, 4], 5) == [0, 2, 3, 4]
    assert stacked([0, 1, 3], 5) == [0, 1, 3]


def test_dots_reach_from_point_to_point_and_no_farther() -> None:
    assert set(dots_of([(0, 0), (3, 0)], 4, 4)) == {(0, x) for x in range(4)}
    assert set(dots_of([(2, 8)], 4, 4)) == {(2, 2)}
    assert dots_of([], 4, 4) == {}
    steep = dots_of([(0, 0), (1, 15)], 2, 1)
    assert set(steep) == {(y, 0) for y in range(4)}
    assert all(mask for mask in band_of([7, 7], [0, 0], 3).values())
    assert [height_of(v, 0.0, 1.0, 8) for v in (-1.0, 0.0, 1.0, 2.0)] == [7, 7, 0, 0]


@pytest.mark.asyncio
@pytest.mark.parametrize("one", [False, True])
async def test_what_is_exported_is_what_is_shown(
    engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: bool
) -> None:
    from mlxjsd.output import lines
    from mlxjsd.store import reader

    state = state_of(grid_of("mlp", "subj"), tmp_path)
    run = run_with(state.grid)
    monkeypatch.setattr(reader, "read_run", lambda folder: run)
    drawn, plot = [], lines.plot_lines
    monkeypatch.setattr(lines, "plot_lines", lambda *given: drawn.append(given) or plot(*given))
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        await shown(app, pilot, state)
        await pilot.press("i", *(["a"] if one else []), "e")
        name = "figure-prompt-0-lines.png" if one else "figure-lines.png"
        assert app.screen.query_one("#name").value.endswith(name)
        app.screen.query_one("#name").value = str(tmp_path / "f.svg")
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
    heatmap, title, style, interval = drawn[0]
    np.testing.assert_allclose(heatmap.mean, state.shown())
    assert (style.vmin, style.vmax) == (state.scale().low, state.scale().high)
    assert (interval is None) == one
    assert (run.records[0].text in title) == one
    if not one:
        np.testing.assert_array_equal(interval, state.interval.ends)
    figure = (tmp_path / "f.svg").read_text()
    assert "MLP out." in figure
    assert figure.count("FillBetweenPolyCollection") == (0 if one else 2)
