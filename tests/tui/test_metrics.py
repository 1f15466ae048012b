"""Runs of several metrics: numbers, scales, colours and words follow the one that is shown."""

from pathlib import Path

import numpy as np
import pytest
from on_screen import said, text_of
from other_runs import CHANGE, MLP, SIZES, grid_of, run_with, shown, state_of
from records import record, run_of
from rich.color import Color
from waiting import settled

from mlxjsd.analysis.heatmap import aggregate
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.rows import ATTN, SUBJ
from mlxjsd.run.events import BatchDone
from mlxjsd.tui import compare_state
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.colours import DIVERGING, foregrounds
from mlxjsd.tui.compare_state import CompareState, Figure, figures, other_panel, panel_of_state
from mlxjsd.tui.run_data import Measured
from mlxjsd.tui.screens.export import ExportScreen
from mlxjsd.tui.screens.help import HelpScreen

pytestmark = pytest.mark.usefixtures("registered")


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


@pytest.mark.slow
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
        assert any(line.lstrip().startswith("+") for line in chart)
        await pilot.press("g", "y", "y")
        assert app.clipboard == f"{value:.6f}"
        # What cannot be chosen for this metric does nothing.
        await pilot.press("c", "w")
        assert app.screen is screen
        assert screen.state.chosen_colours is None
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


@pytest.mark.slow
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


@pytest.mark.slow
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
