"""On a small screen nothing is cut that is needed, and nothing is said that is not so."""

from pathlib import Path

import pytest
from on_screen import said, text_of
from other_runs import grid_of, run_with, shown, state_of
from rich.style import Style
from waiting import settled

from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.marking import Marking
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.widgets.prompt_facts import in_lines
from mlxjsd.tui.widgets.tokens import token_text


def test_a_token_keeps_the_space_in_front_of_it_where_a_line_ends() -> None:
    tokens = ("<s>", "The", " capital", " of", " France", " is")
    looks = Style(), Style(), Style()
    text = token_text(tokens, (4, 5), *looks, at=4, width=22).plain
    assert text == "<s>▏The▏ capital▏ of▏\n France▏ is"
    assert token_text(tokens, (4, 5), *looks).plain.count("\n") == 0
    assert token_text(("a" * 30, " b"), (0, 1), *looks, width=9).plain == "a" * 30 + "▏\n b"


def test_no_fact_is_broken_where_a_line_ends() -> None:
    facts = ["reliance 0.497", "total effect 0.193", "noise floor 0"]
    assert in_lines(facts, 33).split("\n") == [
        "reliance 0.497",
        "total effect 0.193  noise floor 0",
    ]
    assert in_lines(facts, 60) == "  ".join(facts)


def test_nothing_is_chosen_before_it_is_marked() -> None:
    marking = Marking()
    marking.take("a b", [(0, 1), (1, 3)])
    assert not marking.chosen
    marking.move(1)
    marking.take("a b c", [(0, 1), (1, 3), (3, 5)])
    assert marking.chosen, "more is typed after it"
    marking.take("", [])
    assert not marking.chosen
    marking.take("a b", [(0, 1), (1, 3)], (1, 3))
    assert marking.chosen, "by brackets"


@pytest.mark.asyncio
async def test_the_first_screen_is_whole_at_80_columns_and_a_form_at_40(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        drawn = text_of(app)
        assert "what it knows, layer by layer " in drawn
        assert "Empty: Enter starts the run." in drawn
        await pilot.press("tab")
        await settled(pilot)
        assert "→ takes what is suggested." in " ".join(text_of(app).split())
        assert app.screen.query_one("#preview").display
        await pilot.resize_terminal(40, 24)
        await settled(pilot)
        assert not app.screen.query_one("#preview").display
        assert "the bundled model" in text_of(app)


@pytest.mark.asyncio
async def test_what_nobody_has_marked_does_not_look_like_the_subject(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.focused.value = "The capital is"
        await settled(pilot)
        line = app.screen.sentence.line
        assert not any(segment.style.bold for segment in line.render_line(0))
        await pilot.press("enter")
        assert line.has_focus
        assert any(segment.style.bold for segment in line.render_line(0))


@pytest.mark.asyncio
async def test_no_prompt_is_among_the_highest_and_the_lowest(engine, tmp_path: Path) -> None:
    run = run_with(grid_of("mlp", "subj"), 5)
    app = MlxjsdApp(engine)
    async with app.run_test(size=(140, 50)) as pilot:
        await shown(app, pilot, RunState.of(tmp_path / "run", run))
        lines = [line for line in said(app, "#detail").split("\n") if line[:1] in ("▲", "▼")]
        assert [line[0] for line in lines] == ["▲"] * 3 + ["▼"] * 2
        assert len({line.split("country ")[1] for line in lines}) == 5


@pytest.mark.asyncio
async def test_a_very_narrow_status_keeps_what_matters(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(20, 24)) as pilot:
        await shown(app, pilot, state_of(grid_of("mlp", "subj"), tmp_path))
        first, second = text_of(app).split("\n")[:2]
        assert first.startswith(" mlxjsd  tiny")
        assert second.startswith(" ✓ finished 6/6")


@pytest.mark.parametrize("width", [20, 40, 55, 56, 80])
@pytest.mark.asyncio
async def test_every_panel_is_whole_at_any_width(width: int, engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(width, 24)) as pilot:
        screen = await shown(app, pilot, state_of(grid_of("mlp", "subj"), tmp_path))
        for panel in (screen.heat, screen.detail, screen.list):
            assert 0 <= panel.region.x < panel.region.right <= width, panel
            assert 0 <= panel.region.y < panel.region.bottom <= 24, panel
            assert panel.content_size.height >= 3, panel
        beside = screen.detail.region.y == screen.list.region.y
        assert beside is (width >= 56)


@pytest.mark.asyncio
async def test_keys_after_escape_find_no_panel_and_do_no_harm(engine, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await shown(app, pilot, state_of(grid_of("mlp", "subj"), tmp_path))
        await pilot.press("e")
        panel = app.screen
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is screen
        panel.on_input_changed()  # as when letters are typed while it goes away
        panel.on_input_submitted()
