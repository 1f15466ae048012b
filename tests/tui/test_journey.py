"""A person's path through the app, with the real engine, from the first screen to the end."""

from pathlib import Path

import pytest
from on_screen import said, text_of
from textual.widgets import Input
from waiting import settled, until

from mlxjsd.assets import PROMPTS
from mlxjsd.store.reader import read_run
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.engine import MLXEngine
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.start import StartScreen

TOTAL = 40


@pytest.mark.slow
@pytest.mark.asyncio
async def test_from_the_first_screen_to_a_finished_run_on_two_evenings(tmp_path: Path) -> None:
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()
    Path("mine").mkdir()
    Path("mine/facts.jsonl").write_text("\n".join(lines[::8][:TOTAL]), encoding="utf-8")

    # The first evening: choose, watch, look, and leave in the middle.
    engine = MLXEngine()
    app = MlxjsdApp(engine, remembers=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        assert isinstance(app.screen, StartScreen)
        assert said(app, "#about").startswith("Its subject in [brackets], or Enter and mark it.")
        app.focused.value = "The capital of France is"
        await pilot.press("enter")
        await until(pilot, lambda: "tokens of the bundled model" in text_of(app))
        await pilot.press("end", "left")
        assert app.focused.marking.span == (14, 21)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.state.asked is not None)
        asked = app.screen.state.asked
        assert (asked.record.subject, asked.run.grid.maps) == ("France", ("residual",))
        await pilot.press("v")
        assert "One prompt · Residual stream · The capital of France is" in text_of(app)
        assert [path.name for path in Path().iterdir()] == ["mine"], "nothing is kept"
        await pilot.press("n")
        await settled(pilot)
        assert app.focused.id == "data"
        assert app.screen.query_one("#maps", Input).value == "residual"
        app.screen.query_one("#maps", Input).value = ""  # of forty prompts they would take long
        data = app.screen.query_one("#data", Input)
        data.focus()
        await pilot.press(*"mi")
        await until(pilot, lambda: "mine/" in text_of(app))
        await pilot.press("right", "f")
        await until(pilot, lambda: "mine/facts.jsonl" in text_of(app))
        await pilot.press("right")
        app.screen.query_one("#batch_size", Input).value = "2"
        await until(pilot, lambda: f"{TOTAL} of {TOTAL} prompts" in said(app, "#preview-text"))
        app.screen.query_one("#models").focus()
        await pilot.press("enter", "ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.state.done >= 6)
        await pilot.press("space")
        screen, state = app.screen, app.screen.state
        assert state.status is Status.PAUSED
        await settled(pilot)
        await pilot.press("down", *["right"] * 9)
        assert str(screen.detail.border_title) == "Attn. · layer 9"
        wanted = state.measured.records[0]
        await pilot.press("slash", *wanted.subject.casefold(), "enter", "enter")
        assert state.selected is wanted
        await pilot.press("escape", "escape")
        assert screen.prompts.count == state.done
        group = state.measured.category_of(wanted)
        await pilot.press({"FA": "2", "AH": "3", "UH": "4"}.get(group, "1"))
        shown = state.group
        await pilot.press("e")
        app.screen.query_one("#name", Input).value = str(tmp_path / "seen.png")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
        await pilot.press("q", "y")
        await settled(pilot)
    folder = state.folder
    assert app.ended_cleanly
    begun = len(read_run(folder).records)
    assert 6 <= begun < TOTAL

    # The second one: what is unfinished has the focus, and Enter goes on with it.
    engine = MLXEngine()
    app = MlxjsdApp(engine, remembers=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: said(app, "#about") == f"Enter goes on with {folder.name}. "
                    "Tab goes to a new run.")  # fmt: skip
        assert f"{begun} of {TOTAL}" in text_of(app)
        await pilot.press("enter")
        await until(
            pilot,
            lambda: (
                isinstance(app.screen, RunScreen) and app.screen.state.status is Status.FINISHED
            ),
        )
        state = app.screen.state
        assert state.done == TOTAL
        assert (state.rows[state.row], state.layer, state.group) == ("attn", 9, shown)
        await pilot.press("q")
        await settled(pilot)
    assert engine.close(20)
    assert read_run(folder).finished
    assert (folder / "heatmap.png").is_file()
