"""What is copied, and by which way."""

import csv
import io
from pathlib import Path

import numpy as np
import pyperclip
import pytest
from waiting import until

from mlxjsd.tui import clipboard
from mlxjsd.tui.screens.copy import CopyScreen
from mlxjsd.tui.screens.run import RunScreen

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("keys", [("y", "y"), ("y", "enter")], ids=" ".join)
async def test_the_value_is_what_is_under_the_cursor(app, running, pasted, keys) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        await pilot.press("right", *keys)
        assert isinstance(app.screen, RunScreen)
        assert pasted == [f"{screen.state.value:.6f}"] == [app.clipboard]


async def test_the_row_pastes_as_a_table(app, running, pasted) -> None:
    async with app.run_test() as pilot:
        screen = await running(pilot)
        await pilot.press("down", "y", "r")
        layers, values = csv.reader(io.StringIO(pasted[0]), delimiter="\t")
        assert layers == ["layer", *map(str, range(32))]
        assert values[0] == "attn"
        np.testing.assert_allclose([float(v) for v in values[1:]], screen.state.shown()[1], 1e-4)


async def test_the_figure_is_the_path_of_a_picture(app, running, pasted) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        await pilot.press("2", "y", "f")
        await until(pilot, lambda: pasted)
        path = Path(pasted[0])
        assert path.name == "run-jsd-FA.png"
        assert path.read_bytes().startswith(b"\x89PNG")


async def test_nothing_is_copied_by_escape(app, running, pasted) -> None:
    async with app.run_test() as pilot:
        await running(pilot)
        await pilot.press("y")
        assert isinstance(app.screen, CopyScreen)
        await pilot.press("escape")
        assert pasted == []
        assert app.clipboard == ""


def _fails(text: str) -> None:
    raise pyperclip.PyperclipException("no program")


async def test_where_nothing_takes_a_text_that_is_said(app, running, monkeypatch) -> None:
    monkeypatch.setattr(pyperclip, "copy", _fails)
    monkeypatch.setenv("TERM_PROGRAM", "Apple_Terminal")
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await running(pilot)
        await pilot.press("y", "y")
        (told,) = [notification.message for notification in app._notifications]
        assert told.startswith("Nothing is copied")
        assert told.endswith(f"{screen.state.value:.6f}"), "to be typed"


@pytest.mark.parametrize(
    ("environment", "program", "told"),
    [
        ({}, True, True),
        ({}, False, True),  # by the terminal
        ({"TERM_PROGRAM": "Apple_Terminal"}, True, True),
        ({"TERM_PROGRAM": "Apple_Terminal"}, False, False),
        ({"TERM": "linux"}, False, False),
        ({"VTE_VERSION": "7600"}, False, False),
        ({"VTE_VERSION": "7600", "TMUX": "/tmp/x"}, False, True),
        ({"SSH_CONNECTION": "1 2 3 4"}, True, True),
        ({"SSH_CONNECTION": "1 2 3 4", "TERM_PROGRAM": "Apple_Terminal"}, True, False),
    ],
)
async def test_who_takes_it(app, monkeypatch, pasted, environment, program, told) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if not program:
        monkeypatch.setattr(pyperclip, "copy", _fails)
    async with app.run_test():
        assert clipboard.copy(app, "text") is told
        assert app.clipboard == "text", "the terminal is told in any case"
        # The clipboard of another machine is none of the user's.
        assert pasted == (["text"] if program and "SSH_CONNECTION" not in environment else [])
