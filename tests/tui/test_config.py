"""What the app remembers: its configuration, and where each run was left."""

import os
import re
from pathlib import Path

import pytest
from on_screen import text_of
from typer.testing import CliRunner
from waiting import settled

from mlxjsd.cli.app import app as command_line
from mlxjsd.tui.app import KEY_IDS, MlxjsdApp
from mlxjsd.tui.config import Config, Memory, Places, config_path, places_path
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.run import RunScreen

THEMES = ("textual-dark", "nord")


def memory_of(text: str | bytes) -> Memory:
    config_path().parent.mkdir(parents=True, exist_ok=True)
    config_path().write_bytes(text if isinstance(text, bytes) else text.encode())
    return Memory(THEMES, KEY_IDS)


def test_no_test_sees_the_files_of_whoever_runs_it() -> None:
    home = Path(os.environ["HOME"])
    assert "home" in home.name
    assert config_path().is_relative_to(home)
    assert places_path().is_relative_to(home)


def test_the_command_line_says_where_it_is() -> None:
    told = CliRunner().invoke(command_line, ["tui", "--config-path"])
    assert told.stdout.strip() == str(config_path())


def test_without_a_file_the_defaults_hold_and_nothing_is_written() -> None:
    memory = Memory(THEMES, KEY_IDS)
    assert (memory.config, memory.problem) == (Config(), "")
    assert not config_path().exists()


def test_every_setting_is_read() -> None:
    memory = memory_of(
        'theme = "nord"\nmap = "viridis"\nscale = "fixed"\nconfirm = false\n'
        '[keys]\n"run.pause" = "p"\n"app.quit" = "ctrl+x,q"\n'
    )
    assert memory.problem == ""
    keys = {"run.pause": "p", "app.quit": "ctrl+x,q"}
    assert memory.config == Config("nord", "viridis", "fixed", False, keys)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = 3", "theme is '3'"),
        ('theme = "pink"', "textual-dark, nord"),
        ('map = "rainbow"', "map is 'rainbow'"),
        ('scale = "log"', "scale is 'log'"),
        ('confirm = "no"', "confirm is not true or false"),
        ('colour = "red"', "colour is no setting"),
        ("keys = 3", "keys is no table"),
        ('[keys]\n"run.puase" = "p"', "names 'run.puase', which no key has"),
        ('[keys]\n"run.pause" = ""', "gives run.pause no key"),
        ("theme = ", "the defaults are used"),
        (b"\xff\xfe", "the defaults are used"),
        ("[" * 5000, "the defaults are used"),
        ('theme = "\\u001b[2J"', "theme is"),
    ],
)
def test_a_wrong_one_is_one_sentence_and_the_defaults(text: str | bytes, said: str) -> None:
    memory = memory_of(text)
    assert memory.config == Config()
    assert memory.problem.startswith(str(config_path()))
    assert said in memory.problem
    assert memory.problem.endswith(".")
    assert "\n" not in memory.problem
    assert "\x1b" not in memory.problem


def test_what_is_right_holds_beside_what_is_wrong() -> None:
    assert memory_of('theme = "nord"\nmap = "rainbow"').config == Config("nord")


def test_what_is_remembered_leaves_the_rest_of_the_file_alone() -> None:
    memory = memory_of('# mine\ntheme = "nord"  # cold\n\n[keys]\n"run.pause" = "p"\n')
    memory.remember(theme="textual-dark", map="viridis")
    assert config_path().read_text() == (
        '# mine\ntheme = "textual-dark"  # cold\nmap = "viridis"\n\n[keys]\n"run.pause" = "p"\n'
    )


def test_a_file_that_cannot_be_read_is_never_written_over() -> None:
    memory_of("theme = ").remember(theme="nord")
    assert config_path().read_text() == "theme = "


def test_places_are_those_of_the_newest_runs_and_damage_is_none(tmp_path: Path) -> None:
    places = Places()
    for at in range(250):
        places.keep(tmp_path / str(at), {"layer": at})
    assert places.of(tmp_path / "249") == {"layer": 249}
    assert places.of(tmp_path / "0") == {}
    for damage in ("", "[]", "{" * 9000, "\0"):
        places_path().write_text(damage)
        assert places.of(tmp_path / "249") == {}
    places.keep(tmp_path / "1", {"layer": 7})
    assert places.of(tmp_path / "1") == {"layer": 7}


@pytest.mark.asyncio
async def test_theme_map_scale_and_keys_are_those_of_the_last_time(engine, made, tmp_path) -> None:
    memory_of('[keys]\n"run.pause" = "p"\n')
    app = MlxjsdApp(engine, Job(output=tmp_path / "run"), remembers=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 6))
        await settled(pilot)
        await pilot.press("p")
        assert app.screen.state.status is Status.PAUSED
        assert "p Go on" in text_of(app).splitlines()[-1]
        await pilot.press("space")
        assert app.screen.state.status is Status.PAUSED
        await pilot.press("question_mark")
        assert re.search(r"\bp +Pause after", text_of(app))
        await pilot.press("escape", "c", "s")
        app.theme = "nord"
        await pilot.pause()
        colours = app.screen.state.chosen_colours
    app = MlxjsdApp(engine, Job(output=tmp_path / "other"), remembers=True)
    async with app.run_test() as pilot:
        await pilot.pause()
        state = app.screen.state
        assert (app.theme, state.chosen_colours, state.scale_name) == ("nord", colours, "fixed")
        assert app.keys == {"run.pause": "p"}


@pytest.mark.asyncio
async def test_cursor_view_and_group_of_a_run_are_where_they_were(engine, made, tmp_path) -> None:
    app = MlxjsdApp(engine, Job(output=tmp_path / "run"), remembers=True)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 12))
        await settled(pilot)
        await pilot.press("down", *["right"] * 5, "2", "i")
        folder = app.screen.state.folder
        assert app.screen.state.group == "FA"
    for begin in (None, Job(output=folder)):  # looked at, and gone on with
        app = MlxjsdApp(engine, begin, None if begin else folder, remembers=True)
        async with app.run_test(size=(100, 30)) as pilot:
            await pilot.pause()
            if begin:
                engine.open()
                await settled(pilot)
            assert isinstance(app.screen, RunScreen)
            state = app.screen.state
            assert (state.rows[state.row], state.layer, state.group) == ("attn", 5, "FA")
            assert (state.as_lines, state.bands) == (True, True)
            assert "layer 5" in text_of(app)


@pytest.mark.asyncio
async def test_places_that_do_not_fit_a_run_are_passed_over(engine, made, tmp_path) -> None:
    app = MlxjsdApp(engine, Job(output=tmp_path / "run"))
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 3))
        await settled(pilot)
        folder = app.screen.state.folder
    Places().keep(folder, {"row": "mlp", "layer": "x", "group": "UH", "metric": 3, "prompt": "p9"})
    app = MlxjsdApp(engine, None, folder, remembers=True)
    async with app.run_test() as pilot:
        await pilot.pause()
        state = app.screen.state
        assert (state.row, state.layer, state.group, state.metric) == (0, 0, "All", "jsd")
        assert state.selected is None
