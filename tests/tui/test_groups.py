"""Kinds of answer, intervals and the reading, on the run screen."""

from pathlib import Path

import numpy as np
import pytest
from on_screen import said, text_of
from records import GRID, record, run_of
from textual.widgets import Input
from waiting import settled

from mlxjsd.analysis.answers import label
from mlxjsd.analysis.heatmap import aggregate
from mlxjsd.run.events import BatchDone
from mlxjsd.settings import Labelling
from mlxjsd.tui.run_data import ALL, Measured
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.export import ExportScreen
from mlxjsd.tui.screens.reading import ReadingScreen

SIZES = [(80, 24), (250, 60)]


def of_kind(records: list, kind: str) -> list:
    categories = label(records).categories
    return [r for r, category in zip(records, categories, strict=True) if category == kind]


def test_groups_are_those_of_the_labels_however_the_records_arrive() -> None:
    records = [record(i) for i in range(300)]
    measured = Measured(GRID)
    for start in range(0, 300, 7):
        measured.add(records[start : start + 7])
        measured.heatmap("FA")  # what was asked for earlier must not be kept
    assert measured.labels == label(records)
    for kind in ("FA", "AH", "UH"):
        wanted = of_kind(records, kind)
        assert measured.count(kind) == len(wanted) > 0
        assert [records[i] for i in measured.members(kind)] == wanted
        np.testing.assert_allclose(measured.heatmap(kind).mean, aggregate(wanted, 8).mean)
        assert measured.cell(1, 2, kind).tolist() == [r.jsd[1, 2] for r in wanted]
        assert all(measured.category_of(r) == kind for r in wanted)


def test_match_and_threshold_are_those_of_the_run(tmp_path: Path) -> None:
    run = run_of(30, labelling=Labelling(match="first-token", reliance_threshold=0.9))
    assert RunState.of(tmp_path, run).measured.labels == run.labels()
    assert run.labels() != label(run.records)


def test_cells_stand_in_the_order_of_the_file_as_in_an_export() -> None:
    records = [record(i) for i in range(20)]
    measured = Measured(GRID, records[::-1])
    np.testing.assert_array_equal(measured.values(), np.stack([r.jsd for r in records]))


def test_a_group_that_has_been_emptied_is_left(tmp_path: Path) -> None:
    state = RunState(tmp_path, measured=Measured(GRID, [record(1)]))  # wrong: there is no threshold
    assert state.show_group("wrong")
    right = record(3)
    state.add(BatchDone((right,), 2, 2, 1.0, 0))
    assert state.group == ALL


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_every_panel_follows_the_group(app, engine, running, made, size) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await running(pilot)
        engine.batch(made(6, 6))
        await settled(pilot)
        state, records = screen.state, screen.state.measured.records
        for key, kind in (("2", "FA"), ("3", "AH"), ("4", "UH")):
            wanted = of_kind(records, kind)
            await pilot.press(key)
            assert state.group == kind
            np.testing.assert_allclose(state.shown(), aggregate(wanted, 32).mean)
            assert f"{state.shown()[0, 0]:.4f}" in said(app, "#detail")
            assert f"n {len(wanted)}" in said(app, "#detail")
            assert f"{len(wanted)} prompts" in str(screen.heat.border_title)
            assert screen.prompts.count == len(wanted)
            assert screen.list.border_title == f"Prompts · {kind}"
            assert screen.list.border_subtitle == f"{len(wanted)} of 12"
            for name in ("FA", "AH", "UH"):
                assert f"{name} {len(of_kind(records, name))}" in said(app, "#groups")
        await pilot.press("1")
        assert (state.group, screen.prompts.count) == (ALL, 12)


@pytest.mark.asyncio
async def test_f_goes_through_the_groups_and_a_click_picks_one(app, running) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        seen = []
        for _ in range(len(screen.state.measured.groups())):
            await pilot.press("f")
            seen.append(screen.state.group)
        assert seen == [*screen.state.measured.groups()[1:], ALL]
        line = said(app, "#groups")
        await pilot.click("#groups", offset=(line.index("FA") + 1, 0))
        assert screen.state.group == "FA"


@pytest.mark.asyncio
async def test_counts_follow_the_threshold_while_the_run_grows(app, engine, running, made) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        await pilot.press("2")
        engine.batch(made(6, 6))
        await settled(pilot)
        measured = screen.state.measured
        assert measured.labels == label(measured.records)
        assert screen.state.heatmap.count == measured.count("FA") == 4
        assert f"{measured.labels.threshold:.3f}" in said(app, "#groups")


@pytest.mark.asyncio
async def test_without_a_right_answer_there_is_no_threshold(app, engine, made) -> None:
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 3, answer="London"))
        await settled(pilot)
        assert "wrong 3" in said(app, "#groups")
        assert "no threshold" in said(app, "#groups")
        await pilot.press("3")  # there is none
        assert app.screen.state.group == ALL
        await pilot.press("f")
        assert app.screen.state.group == "wrong"
        engine.batch(made(3, 3))
        await settled(pilot)
        assert app.screen.state.group == ALL


@pytest.mark.asyncio
async def test_prompts_without_answers_have_no_groups(app, engine, made) -> None:
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 3, answers=()))
        await settled(pilot)
        assert not app.screen.groups.display
        await pilot.press("f", "2")
        assert app.screen.state.group == ALL


@pytest.mark.asyncio
async def test_a_prompt_of_another_kind_is_left_with_its_group(app, running) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        await pilot.press("a")
        assert screen.state.selected.id == "p0"  # a right answer
        await pilot.press("2")
        assert screen.state.selected.id == "p0"
        assert "FA" in said(app, "#detail")
        await pilot.press("3" if screen.state.measured.count("AH") else "4")
        assert screen.state.selected is None


@pytest.mark.asyncio
async def test_the_exported_figure_is_of_the_group(
    app, running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlxjsd.output import figure

    drawn = []
    plot = figure.plot_heatmap
    monkeypatch.setattr(figure, "plot_heatmap", lambda *given: drawn.append(given) or plot(*given))
    async with app.run_test() as pilot:
        screen = await running(pilot)
        await pilot.press("2", "e")
        assert isinstance(app.screen, ExportScreen)
        assert "Factual associations" in str(app.screen.query_one("#export").border_title)
        assert app.screen.query_one("#name", Input).value.endswith("figure-fa.png")
        app.screen.query_one("#name", Input).value = str(tmp_path / "f.svg")
        await pilot.press("enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "Factual associations" in (tmp_path / "f.svg").read_text()
        heatmap, title, _ = drawn[0]
        np.testing.assert_allclose(heatmap.mean, screen.state.heatmap.mean)
        assert f"n = {screen.state.heatmap.count}" in title


@pytest.mark.asyncio
@pytest.mark.parametrize("size", SIZES)
async def test_the_reading_says_what_is_shown(app, running, size) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await running(pilot)
        await pilot.press("2", "w")
        assert isinstance(app.screen, ReadingScreen)
        panel = app.screen.query_one("#reading")
        assert panel.border_title == "Factual associations, n = 2"
        assert "The subject's states matter most in layers 0-" in said(app, "#sentences")
        assert "it matters more than the subject" in said(app, "#sentences")
        await pilot.press("escape")
        assert app.screen is screen
        await pilot.press("a", "w")
        assert "One prompt" in str(app.screen.query_one("#reading").border_title)
        await pilot.press("w")
        assert app.screen is screen


@pytest.mark.asyncio
async def test_a_prompt_in_a_title_is_no_markup(app, engine, made) -> None:
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 2, text="[bold]x[/] \x1b[31m"))
        await settled(pilot)
        await pilot.press("a", "w")
        shown = text_of(app)
        assert "One prompt · [bold]x[/] [31m" in shown
        assert "\x1b" not in shown


@pytest.mark.asyncio
async def test_the_keys_are_in_the_footer_the_palette_and_the_help(app, running) -> None:
    async with app.run_test(size=(100, 60)) as pilot:
        screen = await running(pilot)
        await pilot.pause()
        keys = str(screen.query_one("#keys").render())
        commands = {c.title for c in app.get_system_commands(screen)}
        assert "f Answers" in keys
        for name in ("Answers  f", "FA  2", "Interval  i", "Words  w", "Compare  d"):
            assert name in commands
        await pilot.press("question_mark")
        text = text_of(app)
        for tooltip in ("Go through the kinds of answer", "right answers", "in plain words"):
            assert tooltip in text
