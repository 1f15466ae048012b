"""One sentence: typed on the start screen, its subject marked, measured, and kept or left."""

import json
from pathlib import Path
from typing import Any

import pytest
from on_screen import said, text_of
from sentences import GRID, PLACES, TEXT, asked_of
from waiting import settled, until

from mlxjsd.settings import Settings
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.marking import Marking, words
from mlxjsd.tui.protocol import Answered, Job, Sentence, Split
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.sentence import SentenceScreen
from mlxjsd.tui.screens.start import StartScreen


def test_a_mark_is_moved_extended_and_kept_where_words_become_tokens() -> None:
    marking = Marking()
    marking.take("", ())
    assert (marking.span, list(marking.marked)) == (None, [])
    marking.take(TEXT, words(TEXT))
    assert marking.span == (0, 3)
    marking.move(1)
    marking.move(1, extend=True)
    assert TEXT[slice(*marking.span)] == "Eiffel Tower"
    marking.take(TEXT, PLACES)
    assert list(marking.marked) == [1, 2, 3], "an empty piece is none"
    assert TEXT[slice(*marking.span)] == " Eiffel Tower"
    marking.move(-1, extend=True)
    assert TEXT[slice(*marking.span)] == " Eiffel"
    marking.move(-9, extend=True)
    assert TEXT[slice(*marking.span)] == "The E", "from where it began, to the left"
    marking.move(99)
    assert TEXT[slice(*marking.span)] == " in"
    marking.take("Other", words("Other"))
    assert marking.span == (0, 5)


async def typed(app: MlxjsdApp, pilot: Any, engine: Any) -> None:
    """Type the sentence, and wait until its tokens are asked for."""
    await settled(pilot)
    app.focused.value = TEXT
    await until(pilot, lambda: engine.splits)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_brackets_and_enter_lead_to_its_heatmap(engine, size, tmp_path: Path) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        assert app.focused.id == "sentence"
        app.focused.value = "The [Eiffel Tower] is in"
        await pilot.press("enter")
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, SentenceScreen)
        assert engine.sentences == [(Job(), Sentence(TEXT, 4, 16))]
        assert "loading the model" in text_of(app)
        engine.tell(Answered(asked_of()))
        await settled(pilot)
        drawn = text_of(app)
        assert f"One prompt · {TEXT}" in drawn
        assert "Paris" in drawn
        assert "80.0%" in drawn
        assert "'Lon' has 80.0%, 30.0% with the subject corrupted" in " ".join(
            str(screen.panel.content).split()
        )
        assert screen.state.status is Status.FINISHED
        await pilot.press("v", "down")
        assert screen.detail.border_title == "is · layer 0"
        assert list(tmp_path.iterdir()) == [], "nothing is left in the user's folder"
        await pilot.press("e")
        field = app.screen.query_one("#name")
        assert field.value == "sentence-map-residual.png"
        field.value = "kept.json"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert json.loads(Path("kept.json").read_text())["text"] == TEXT
        await pilot.press("escape")
        assert isinstance(app.screen, StartScreen)
        assert app.focused.value == "The [Eiffel Tower] is in"


@pytest.mark.asyncio
async def test_without_brackets_the_subject_is_marked_on_its_tokens(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(app, pilot, engine)
        assert "words; the tokenizer is read" in text_of(app)
        await pilot.press("enter")
        assert app.focused.id == "tokens"
        await pilot.press("right", "space")
        text, tell = engine.splits[-1]
        tell(Split("an older text", ((0, 2),)))
        tell(Split(text, PLACES))
        await settled(pilot)
        assert "tokens of the bundled model" in text_of(app)
        assert "The▏ E▏iffel▏ Tower▏ is▏ in" in text_of(app)
        await pilot.press("enter")
        assert engine.sentences[-1][1].subject == "Eiffel Tower"
        await settled(pilot)
        await pilot.press("escape")
        assert app.focused.id == "tokens"
        await pilot.press("end", "enter")
        assert "the sentence ends with its subject" in said(app, "#verdict")
        assert len(engine.sentences) == 1
        await pilot.press("left")
        assert said(app, "#verdict") == "into mlxjsd-runs/bundled"
        line = app.focused
        await pilot.click(line, offset=(9, 0))
        assert TEXT[slice(*line.marking.span)] == "iffel"
        await pilot.press("up")
        assert app.focused.id == "sentence"
        app.focused.value = "[The [Eiffel"
        await pilot.press("enter")
        assert "a bracket opens inside of another one" in said(app, "#verdict")
        tell(Split(text, words(text), "it is not on this machine"))
        app.focused.value = ""
        await pilot.press("enter")
        assert engine.jobs == [Job()], "an empty sentence starts the run, as any field does"


@pytest.mark.asyncio
async def test_enter_twice_does_not_take_what_nobody_has_marked(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await typed(app, pilot, engine)
        await pilot.press("enter", "enter")
        assert not engine.sentences
        assert "Is 'The' the subject?" in " ".join(text_of(app).split())
        await pilot.press("enter")
        assert engine.sentences[-1][1].subject == "The"


@pytest.mark.asyncio
async def test_where_no_tokenizer_is_here_words_are_marked_and_it_is_said(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 30)) as pilot:
        await typed(app, pilot, engine)
        engine.splits[-1][1](Split(TEXT, words(TEXT), "org/large is not on this machine"))
        await settled(pilot)
        assert "words; no tokens, since org/large is not on this machine" in text_of(app)
        seen = len(engine.splits)
        app.screen.query_one("#model").value = "org/other"
        await until(pilot, lambda: len(engine.splits) > seen)


@pytest.mark.asyncio
async def test_more_prompts_like_this_are_a_run_with_its_settings(engine) -> None:
    app = MlxjsdApp(engine, form=Job(limit=5))
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        app.screen.sentence.field.focus()
        await pilot.pause()
        app.focused.value = "The [Eiffel Tower] is in"
        await pilot.press("enter")
        await settled(pilot)
        engine.tell(Answered(asked_of()))
        await settled(pilot)
        assert "n More prompts like this" in text_of(app)
        await pilot.press("n")
        await settled(pilot)
        assert isinstance(app.screen, StartScreen)
        assert app.focused.id == "data"
        assert app.screen.form.job() == Job(limit=5, settings=Settings(rows=GRID.rows))
        await pilot.press("escape")
        assert isinstance(app.screen, SentenceScreen)


@pytest.mark.asyncio
async def test_a_sentence_that_cannot_be_measured_is_a_panel_and_another_one_works(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        app.focused.value = "The [Eiffel Tower] is in"
        await pilot.press("enter")
        await settled(pilot)
        engine.fail("the sentence cannot be measured", "write it otherwise")
        await settled(pilot)
        assert "write it otherwise" in text_of(app)
        await pilot.press("enter")
        assert "! the sentence cannot be measured" in text_of(app)
        await pilot.press("escape", "enter")
        await settled(pilot)
        engine.tell(Answered(asked_of()))
        await settled(pilot)
        assert app.screen.state.asked is not None
        assert len(engine.sentences) == 2
