"""Intervals of the means: worked out beside the screen, and shown as numbers and bands."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from on_screen import said
from records import GRID, record
from waiting import until

from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.tui import intervals
from mlxjsd.tui.intervals import Intervals
from mlxjsd.tui.run_data import ALL, Interval, Measured
from mlxjsd.tui.run_state import RunState, Status

SIZES = [(80, 24), (250, 60)]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_the_detail_panel_shows_the_interval_of_the_mean(app, running, size) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await running(pilot)
        for key, kind in (("1", ALL), ("2", "FA")):
            await pilot.press(key, "right", "down")
            state = screen.state
            low, high = bootstrap_interval(state.measured.values(kind))[:, state.row, state.layer]
            wide = f"95 % {low:.4f} to {high:.4f}"
            narrow = f"95% {low:.3f}-{high:.3f}".replace("0.", ".")
            assert (wide if size[0] > 100 else narrow) in said(app, "#detail")


@pytest.mark.asyncio
async def test_many_prompts_are_resampled_beside_the_screen(
    app, running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "AT_ONCE", 1)
    async with app.run_test(size=(200, 50)) as pilot:
        screen = await running(pilot)
        await pilot.press("2")
        intervals_known = screen.state.measured.intervals
        view = ("FA", "jsd")
        await until(pilot, lambda: view in intervals_known and intervals_known[view].total == 6)
        wanted = bootstrap_interval(screen.state.measured.values("FA"))
        np.testing.assert_array_equal(intervals_known[view].ends, wanted)
        assert f"95 % {wanted[0, 0, 0]:.4f}" in said(app, "#detail")


def test_an_interval_is_worked_out_once_for_all_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(
        intervals, "bootstrap_interval", lambda rows: calls.append(len(rows)) or np.zeros((2, 3, 8))
    )
    state = RunState(tmp_path, status=Status.FINISHED)
    state.measured = Measured(GRID, [record(i) for i in range(12)])
    worker = Intervals(lambda *known: None)
    for layer in range(8):
        state.layer = layer
        worker.ask(state)
    state.show_group("FA")
    worker.ask(state)
    worker.ask(state)
    assert calls == [12, 4]
    worker.close()


def test_while_a_run_grows_resampling_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "AT_ONCE", 1)
    monkeypatch.setattr(
        intervals, "bootstrap_interval", lambda rows: time.sleep(0.1) or np.zeros((2, 3, 8))
    )
    known: list[Interval] = []
    state = RunState(tmp_path, status=Status.RUNNING)
    state.measured = Measured(GRID, [record(i) for i in range(12)])
    worker = Intervals(lambda measured, view, interval: known.append(interval))
    worker.ask(state)
    worker.ask(state)  # one at a time
    _until(lambda: len(known) == 1)
    worker.ask(state)  # it rests four times as long as it took
    assert not worker._working
    state.status = Status.FINISHED
    worker.ask(state)
    _until(lambda: len(known) == 2)
    worker.close()


def test_what_is_worked_out_is_waited_for_when_the_screen_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "AT_ONCE", 1)
    monkeypatch.setattr(
        intervals, "bootstrap_interval", lambda rows: time.sleep(0.2) or np.zeros((2, 3, 8))
    )
    known: list[Interval] = []
    state = RunState(tmp_path, measured=Measured(GRID, [record(i) for i in range(12)]))
    worker = Intervals(lambda measured, view, interval: known.append(interval))
    worker.ask(state)
    worker.close()
    assert len(known) == 1
    assert not [t for t in threading.enumerate() if t.name.startswith("mlxjsd-intervals")]
    worker.ask(state)  # of a screen that is on its way out
    assert len(known) == 1


def _until(true, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_bands_stand_around_the_lines(app, running, size) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await running(pilot)
        chart = screen.heat.chart
        await pilot.press("g")
        plain = [strip.text for strip in chart._strips]
        await pilot.press("i")
        banded = [strip.text for strip in chart._strips]
        assert screen.state.shows_bands
        assert plain != banded
        assert "95 %" in str(screen.heat.border_subtitle)
        assert screen.state.scale().high >= screen.state.interval.ends[1].max()
        await pilot.press("i")
        assert [strip.text for strip in chart._strips] == plain
        await pilot.press("g", "i")  # from the grid: lines, with bands
        assert screen.heat.chart.display
        assert screen.state.shows_bands
        await pilot.press("a")  # a single prompt has no interval
        assert not screen.state.shows_bands


@pytest.mark.asyncio
async def test_bands_can_be_seen_without_colours(app, running, monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with app.run_test() as pilot:
        screen = await running(pilot)
        app.no_color = True
        await pilot.press("i")
        assert any(":" in strip.text for strip in screen.heat.chart._strips)
        assert any("S" in strip.text for strip in screen.heat.chart._strips)
