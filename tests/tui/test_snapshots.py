"""How the main screens look, at the smallest and at a large size."""

import pytest
from maps_by_place import run_with, with_maps
from other_runs import grid_of, shown, state_of
from sentences import PLACES, TEXT, asked_of
from waiting import settled, until

from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.protocol import Answered, Split
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.widgets import model_list

SIZES = [(80, 24), (250, 60)]


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_list, "_bundled", lambda: (3_900_000, 32))


@pytest.mark.parametrize("size", SIZES)
def test_the_start_screen(snap_compare, engine, size) -> None:
    app = MlxjsdApp(engine)

    async def wait(pilot) -> None:
        await settled(pilot)
        app.focused.cursor_blink = False
        await until(pilot, lambda: app.screen.form.models.models)
        await settled(pilot)

    assert snap_compare(app, terminal_size=size, run_before=wait)


@pytest.mark.parametrize("size", SIZES)
def test_a_subject_is_marked(snap_compare, engine, size) -> None:
    app = MlxjsdApp(engine)

    async def mark(pilot) -> None:
        await settled(pilot)
        app.focused.value = TEXT
        await until(pilot, lambda: engine.splits)
        engine.splits[-1][1](Split(TEXT, PLACES))
        await pilot.press("enter", "right", "space", "space")

    assert snap_compare(app, terminal_size=size, run_before=mark)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_sentence(snap_compare, engine, size) -> None:
    app = MlxjsdApp(engine)

    async def ask(pilot) -> None:
        await settled(pilot)
        app.focused.value = f"The [Eiffel Tower]{TEXT[16:]}"
        await pilot.press("enter")
        await settled(pilot)
        engine.tell(Answered(asked_of()))
        await settled(pilot)
        await pilot.press("v", "right")

    assert snap_compare(app, terminal_size=size, run_before=ask)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
@pytest.mark.parametrize("colours", [0, 256])
def test_maps_by_role(snap_compare, engine, tmp_path, monkeypatch, theme, colours) -> None:
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    app = MlxjsdApp(engine, colours=colours or None)
    run = run_with(with_maps(0), with_maps(1, 6, (1, 2)), with_maps(3, 9, (3, 6)))

    async def show(pilot) -> None:
        app.theme = theme
        await shown(app, pilot, RunState.of(tmp_path / "run", run))
        await pilot.press("v", *(["a"] if theme == "textual-light" else []), "right")

    assert snap_compare(app, terminal_size=(80, 24), run_before=show)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_the_run_screen(snap_compare, app, running, size) -> None:
    async def measure(pilot) -> None:
        await running(pilot)
        await pilot.press("down", *["right"] * 12)

    assert snap_compare(app, terminal_size=size, run_before=measure)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
def test_a_deep_model_with_256_colours(snap_compare, engine, tmp_path, theme) -> None:
    app = MlxjsdApp(engine, colours=256)

    async def show(pilot) -> None:
        app.theme = theme
        await shown(app, pilot, state_of(grid_of("subj", "attn", "last", layers=80), tmp_path))
        await pilot.press("down", *["right"] * 12)

    assert snap_compare(app, terminal_size=(80, 24), run_before=show)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["right", "g"])
def test_fourteen_rows_without_colours(snap_compare, engine, tmp_path, monkeypatch, key) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = MlxjsdApp(engine)

    async def show(pilot) -> None:
        rows = ("subj", *(f"attn-rest-{at}" for at in range(13)))
        await shown(app, pilot, state_of(grid_of(*rows, layers=126), tmp_path))
        await pilot.press(key, *["down"] * 7, *["right"] * 12)

    assert snap_compare(app, terminal_size=(80, 24), run_before=show)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_one_prompt_as_lines_on_a_light_theme(snap_compare, app, running, size) -> None:
    async def measure(pilot) -> None:
        app.theme = "textual-light"
        await running(pilot)
        await pilot.press("g", "a", "right")

    assert snap_compare(app, terminal_size=size, run_before=measure)


@pytest.mark.parametrize("size", SIZES)
def test_the_help(snap_compare, app, running, size) -> None:
    async def measure(pilot) -> None:
        await running(pilot)
        await pilot.press("question_mark")

    assert snap_compare(app, terminal_size=size, run_before=measure)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_one_kind_of_answer_as_lines_with_bands(snap_compare, app, running, size) -> None:
    async def measure(pilot) -> None:
        await running(pilot)
        await pilot.press("2", "i", *["right"] * 16)

    assert snap_compare(app, terminal_size=size, run_before=measure)


@pytest.mark.parametrize("size", SIZES)
def test_the_reading(snap_compare, app, running, size) -> None:
    async def measure(pilot) -> None:
        await running(pilot)
        await pilot.press("w")

    assert snap_compare(app, terminal_size=size, run_before=measure)


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_a_run_beside_a_published_figure(snap_compare, app, running, size) -> None:
    async def measure(pilot) -> None:
        await running(pilot)
        await pilot.press("d", "enter")
        await pilot.pause()
        await pilot.press("down", *["right"] * 12)

    assert snap_compare(app, terminal_size=size, run_before=measure)


@pytest.mark.parametrize("key", ["x", "y", "ctrl+g"])
def test_a_question_the_clipboard_and_jumps_lie_over_a_run(snap_compare, app, running, key) -> None:
    async def measure(pilot) -> None:
        await running(pilot)
        await pilot.press(key)
        await settled(pilot)

    assert snap_compare(app, terminal_size=(80, 24), run_before=measure)


@pytest.mark.parametrize("key", ["right", "g"])
def test_a_narrow_terminal(snap_compare, engine, tmp_path, key) -> None:
    app = MlxjsdApp(engine)

    async def show(pilot) -> None:
        await shown(app, pilot, state_of(grid_of("subj", "attn", "last", layers=126), tmp_path))
        await pilot.press(key, *["right"] * 12)

    assert snap_compare(app, terminal_size=(40, 24), run_before=show)
