"""Runs of other rows and of several metrics: nothing on the screen counts on the usual ones."""

import math
import time
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from records import record, run_of
from rich.color import Color
from textual.widgets import Static
from waiting import PATIENCE, settled, until

from mlxjsd.analysis.compare import Panel
from mlxjsd.analysis.heatmap import aggregate
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, METRICS, Metric
from mlxjsd.output.writers import EXPORTS
from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.rows import ATTN, ROWS, SUBJ, Row
from mlxjsd.run.events import BatchDone
from mlxjsd.run.job import Job
from mlxjsd.settings import Settings
from mlxjsd.tui import compare_state
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.colours import DIVERGING, foregrounds
from mlxjsd.tui.compare_state import CompareState, Figure, figures, other_panel, panel_of_state
from mlxjsd.tui.run_data import Measured
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.compare import CompareScreen
from mlxjsd.tui.screens.export import ExportScreen
from mlxjsd.tui.screens.help import HelpScreen
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.widgets.heat_panel import FRAME
from mlxjsd.tui.widgets.line_chart import _letters

CHANGE = Metric("change", "Change", "logits", low=-math.inf)
MLP = Row(
    "mlp", "MLP out.", "patch", "subject", "layer", "MLP replaced after block {layer}", "the MLP is"
)
SIZES = [(80, 24), (140, 40), (250, 60)]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, CHANGE.key, CHANGE)
    monkeypatch.setitem(ROWS, MLP.key, MLP)


def grid_of(*rows: str, metrics: tuple[str, ...] = ("jsd", "change"), layers: int = 32) -> Grid:
    return Grid(layers, metrics, rows)


def run_with(grid: Grid, count: int = 6) -> Run:
    """A run whose second metric is twice the first, less 0.9."""
    records = [record(i, grid.layers, grid) for i in range(count)]
    for made in records:
        made.cells[1:] -= np.float32(0.9)
    return replace(run_of(), grid=grid, records=records, total=count)


def state_of(grid: Grid, tmp_path: Path) -> RunState:
    return RunState.of(tmp_path / "run", run_with(grid))


async def shown(app: MlxjsdApp, pilot: Any, state: RunState) -> RunScreen:
    """The screen of a run that no folder holds."""
    await pilot.pause()
    screen = RunScreen(app.engine, state, None, start=False)
    await app.push_screen(screen)
    await settled(pilot)
    return screen


def said(app: MlxjsdApp, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).content)


def text_of(app: MlxjsdApp) -> str:
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(s.text for s in line) for line in lines)


# The state.


def test_each_metric_has_its_averages_and_they_follow_what_arrives() -> None:
    run = run_with(grid_of("attn", "mlp"))
    measured = Measured(run.grid, run.records[:3])
    for metric in run.grid.metrics:
        measured.heatmap(metric=metric)  # what was asked for earlier must not be kept
    measured.add(run.records[3:])
    for metric in run.grid.metrics:
        wanted = aggregate(run.records, run.grid, metric)
        np.testing.assert_allclose(measured.heatmap(metric=metric).mean, wanted.mean)
        assert measured.heatmap(metric=metric).metric == metric
        np.testing.assert_array_equal(measured.values(metric=metric), run.values(metric))
        wanted_cell = [r.of(metric)[1, 4] for r in run.records]
        assert measured.cell(1, 4, metric=metric).tolist() == wanted_cell
    assert not np.allclose(measured.heatmap().mean, measured.heatmap(metric="change").mean)


def test_the_metric_decides_numbers_scale_and_colours(tmp_path: Path) -> None:
    state = state_of(grid_of("subj", "mlp"), tmp_path)
    run = run_with(state.grid)
    state.scale_name = "target"
    state.next_metric()
    assert state.metric == CHANGE.key
    np.testing.assert_allclose(state.shown(), run.heatmap(metric="change").mean)
    assert state.scale_name == "automatic"  # the published figure has no such number
    assert state.scale().low == -state.scale().high == -np.abs(state.shown()).max()
    assert state.colour_map == DIVERGING
    assert state.value == pytest.approx(state.cell().mean())
    state.selected = state.measured.records[2]
    np.testing.assert_array_equal(state.shown(), state.selected.of("change"))
    state.next_metric()
    assert state.metric == JSD.key
    np.testing.assert_array_equal(state.shown(), state.selected.jsd)
    assert state.colour_map != DIVERGING


def test_another_run_is_shown_by_a_metric_that_it_has(tmp_path: Path) -> None:
    state = state_of(grid_of("subj", "attn", "last"), tmp_path)
    state.row, state.layer = 2, 31
    state.next_metric()
    state.open(run_with(grid_of("mlp", metrics=("jsd",), layers=4)))
    assert state.metric == JSD.key
    assert (state.row, state.layer) == (0, 3)
    assert np.isfinite(state.value)


def test_a_prompt_without_a_number_is_in_no_list_and_no_mean(tmp_path: Path) -> None:
    state = state_of(grid_of("subj", "mlp"), tmp_path)
    state.next_metric()
    without = record(6, 32, state.grid)
    without.cells[1] = np.nan
    state.add(BatchDone((without,), 7, 7, 1.0, 0))
    assert state.heatmap.count == 6
    high, low = state.extremes(10)
    assert len(high) == len(low) == 6
    assert all(np.isfinite(value) for value, _ in high + low)


def test_a_run_that_is_awaited_has_the_rows_that_were_asked_for(tmp_path: Path) -> None:
    job = Job(output=tmp_path, settings=Settings(rows=("last", "reliance", "subj")))
    assert RunState.awaiting(job).rows == ("last", "subj")


# The screen.


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
        palette = foregrounds("Blues")
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
@pytest.mark.parametrize("size", SIZES)
async def test_m_goes_through_the_metrics(engine, tmp_path: Path, size) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=size) as pilot:
        screen = await shown(app, pilot, state_of(grid_of("subj", "mlp"), tmp_path))
        assert "m Metric" in text_of(app)
        assert "Average JS Divergence" in str(screen.heat.border_title)
        await pilot.press("m")
        assert screen.state.metric == CHANGE.key
        assert "Average Change" in str(screen.heat.border_title)
        assert "RdBu_r" in str(screen.heat.border_subtitle)
        value = screen.state.shown()[0, 0]
        assert f"{value:+.4f}" in said(app, "#detail")
        if size[0] > 80:
            assert "logits" in said(app, "#detail")
        scale = screen.heat.scale
        assert "logits" in scale.render_line(scale.size.height - 1).text
        level = screen.state.scale().level(value)
        styles = [s.style for s in screen.heat.grid.render_line(0) if s.style]
        assert Color.parse(foregrounds(DIVERGING)[level]) in [s.bgcolor for s in styles]
        await pilot.press("g")
        chart = [strip.text for strip in screen.heat.chart._strips]
        assert chart[0].lstrip().startswith("+")
        await pilot.press("g", "y")
        assert app.clipboard == f"{value:.6f}"
        # What cannot be chosen for this metric does nothing.
        await pilot.press("c", "w")
        assert app.screen is screen
        assert screen.state.chosen_colours == "Blues"
        await pilot.press("m")
        assert screen.state.metric == JSD.key


@pytest.mark.asyncio
async def test_intervals_and_lists_follow_the_metric(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(200, 50)) as pilot:
        screen = await shown(app, pilot, state_of(grid_of("subj", "mlp"), tmp_path))
        state = screen.state
        first = state.interval
        await pilot.press("m", "i")
        assert state.interval is not first
        ends = state.interval.ends
        assert f"95 % {ends[0, 0, 0]:+.4f} to {ends[1, 0, 0]:+.4f}" in said(app, "#detail")
        assert state.scale().high >= np.abs(ends).max()
        screen.prompts.sort_by("cell")
        listed = [state.measured.records[i] for i in screen.prompts._lines]
        values = [r.of("change")[0, 0] for r in listed]
        assert values == sorted(values, reverse=True)
        assert min(values) < 0
        line = screen.prompts.render_line(1).text
        assert f"{values[0]:+.2f}".replace("0.", ".") in line


@pytest.mark.asyncio
async def test_a_run_of_one_metric_has_no_key_for_it(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 60)) as pilot:
        state = state_of(grid_of("subj", metrics=("jsd",)), tmp_path)
        await shown(app, pilot, state)
        assert "Metric" not in text_of(app)
        await pilot.press("m")
        assert state.metric == JSD.key
        await pilot.press("question_mark")
        await settled(pilot)
        assert "next metric" not in text_of(app)


@pytest.mark.asyncio
async def test_the_help_explains_the_rows_and_the_metric_that_are_shown(
    engine, tmp_path: Path
) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(120, 60)) as pilot:
        await shown(app, pilot, state_of(grid_of("attn", "mlp", "mystery"), tmp_path))
        await pilot.press("question_mark")
        await settled(pilot)
        assert isinstance(app.screen, HelpScreen)
        help = text_of(app)
        assert ATTN.help[:60] in help
        assert "MLP out." in help
        assert MLP.help in help
        assert SUBJ.help[:40] not in help
        assert "Jensen-Shannon" in help
        assert "next metric" in help
        await pilot.press("escape", "m", "question_mark")
        await settled(pilot)
        assert "Jensen-Shannon" not in text_of(app)
        assert "Change, logits" in text_of(app)


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
            named = [s for strip in strips for s in strip if s.text == f" {ROWS[key].label:<8}"]
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


@pytest.mark.parametrize("size", [(80, 24), (250, 60)])
def test_how_six_rows_by_a_signed_metric_look(snap_compare, engine, tmp_path, size) -> None:
    state = state_of(grid_of("subj", "attn", "last", "mlp", "mystery", "other"), tmp_path)
    app = MlxjsdApp(engine)

    async def show(pilot: Any) -> None:
        await shown(app, pilot, state)
        await pilot.press("m", "down", *["right"] * 5)

    assert snap_compare(app, terminal_size=size, run_before=show)


# Beside another one, and in a file.


def test_runs_are_compared_by_the_metric_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_of(grid_of("mlp", "subj"), tmp_path)
    state.next_metric()
    other = run_with(grid_of("subj", "mlp", "attn"), count=9)
    monkeypatch.setattr(compare_state, "read_run", lambda folder: other)
    panel = other_panel(tmp_path, "All", CHANGE.key)
    compared = CompareState(panel_of_state(state), panel)
    assert compared.rows == ("mlp", "subj")
    wanted = other.heatmap(metric="change")
    np.testing.assert_allclose(compared.sheets[1].shown()[0], wanted.row("mlp"))
    assert compared.colour_map == DIVERGING
    scale = compared.sheets[0].scale()
    assert scale.low == -scale.high == compared.sheets[1].scale().low
    assert compared.at_cursor().startswith("MLP out. layer 0: ")
    assert compared.at_cursor().endswith(" logits")
    assert [line[0] for line in compared.table()] == ["MLP out.", "Subj."]
    assert [line[-1] for line in compared.table()] == ["-", "-"]  # phases are of divergences
    compared.go_to(5, 5)
    assert compared.row == 1
    monkeypatch.setattr(compare_state, "read_run", lambda folder: run_of(3))
    with pytest.raises(InputError, match="no numbers of the metric 'change'"):
        other_panel(tmp_path, "All", CHANGE.key)


def test_published_figures_are_offered_for_what_they_show() -> None:
    assert Figure("llama-3-8b-fa") in figures(JSD.key)
    assert figures(CHANGE.key) == []


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


@pytest.mark.asyncio
async def test_the_exported_figure_shows_the_metric_on_the_scale_of_the_screen(
    engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlxjsd.output import figure
    from mlxjsd.store import reader

    state = state_of(grid_of("mlp", "subj"), tmp_path)
    monkeypatch.setattr(reader, "read_run", lambda folder: run_with(state.grid))
    drawn = []
    plot = figure.plot_heatmap
    monkeypatch.setattr(figure, "plot_heatmap", lambda *given: drawn.append(given) or plot(*given))
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        screen = await shown(app, pilot, state)
        await pilot.press("m", "e")
        assert isinstance(app.screen, ExportScreen)
        field = app.screen.query_one("#name")
        assert field.value.endswith("figure-change.png")
        field.value = str(tmp_path / "f.svg")
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
    heatmap, _, style = drawn[0]
    assert heatmap.metric == "change"
    np.testing.assert_allclose(heatmap.mean, screen.state.heatmap.mean)
    assert style.cmap == DIVERGING
    assert "MLP out." in (tmp_path / "f.svg").read_text()


@pytest.mark.asyncio
@pytest.mark.parametrize("fails", [False, True])
async def test_an_export_that_is_left_goes_on_and_says_how_it_ended(
    engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    from mlxjsd.store import reader

    state, go_on = state_of(grid_of("mlp", "subj"), tmp_path), Event()
    monkeypatch.setattr(reader, "read_run", lambda folder: run_with(state.grid))

    def write(run: Run, path: Path) -> None:
        go_on.wait(PATIENCE)
        if fails:
            raise OSError("the disk is gone")

    monkeypatch.setattr(EXPORTS, "write", write)
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        screen = await shown(app, pilot, state)
        await pilot.press("e")
        app.screen.query_one("#name").value = str(tmp_path / "f.csv")
        await pilot.press("enter", "escape")
        assert app.screen is screen
        go_on.set()
        await app.workers.wait_for_complete()
        await settled(pilot)
        assert app.screen is screen
        said = [(n.title, n.message) for n in app._notifications]
        assert said == [("Not written", "the disk is gone") if fails else (
            "Written to", str((tmp_path / "f.csv").resolve()))]  # fmt: skip


@pytest.mark.asyncio
async def test_leaving_waits_for_a_file_that_is_being_written(
    engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlxjsd.store import reader

    state, events = state_of(grid_of("mlp", "subj"), tmp_path), []
    monkeypatch.setattr(reader, "read_run", lambda folder: run_with(state.grid))
    monkeypatch.setattr(
        EXPORTS, "write", lambda run, path: time.sleep(0.5) or events.append("written")
    )
    app = MlxjsdApp(engine)
    monkeypatch.setattr(app, "exit", lambda: events.append("exit"))
    async with app.run_test() as pilot:
        await shown(app, pilot, state)
        await pilot.press("e")
        app.screen.query_one("#name").value = str(tmp_path / "f.csv")
        await pilot.press("enter", "ctrl+q")
        await until(pilot, lambda: "exit" in events)
    assert events == ["written", "exit"]
    assert app.ended_cleanly
