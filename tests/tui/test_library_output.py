"""What libraries write to file descriptor 2 is no part of the screen, and is told afterwards."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.library_output import MOST_LINES, kept_apart

#: Opens the app, in which a library panics, and what happens then.
PROGRAM = """
import os, sys
from mlxjsd.tui import launch as module, engine

class Engine:
    def __init__(self): pass
    def look(self, look, tell): pass
    def stop(self): pass
    def close(self, timeout): return True

class App(module.MlxjsdApp):
    async def on_mount(self):
        os.write(2, b"thread panicked \\x1b[31mat lib.rs\\n")
        self.set_timer(1.0, self.then)
    def then(self):
        {then}
        self.set_timer(1.0, self.exit)

engine.MLXEngine, module.MlxjsdApp = Engine, App
code = module.launch(warn=lambda text: print("TOLD", text, file=sys.stderr))
os.write(2, b"the terminal is back")
"""
SHOWN = (
    "from mlxjsd.tui.screens.error import TroubleScreen; "
    'self.push_screen(TroubleScreen("broken", "try again"))'
)


def on_a_terminal(program: str, folder: Path) -> str:
    """Run a program on a terminal of its own; return what it has written there."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=folder,
        start_new_session=True,
    ) as process:  # fmt: skip
        os.close(theirs)
        seen, began = b"", time.monotonic()
        while time.monotonic() - began < 120:
            ready, _, _ = select.select([ours], [], [], 1.0)
            try:
                got = os.read(ours, 65536) if ready else b"-"
            except OSError:  # the other side is closed
                break
            if not got:
                break
            seen += got if ready else b""
        process.wait(30)
    os.close(ours)
    return seen.decode("utf-8", "replace")


@pytest.mark.slow
@pytest.mark.parametrize("then", ["pass", SHOWN], ids=["after the end", "in an error"])
def test_a_panic_is_not_drawn_over_the_app_and_is_told(tmp_path: Path, then: str) -> None:
    seen = on_a_terminal(PROGRAM.format(then=then), tmp_path)
    screen, left, after = seen.rpartition("\x1b[?1049l")
    assert left, "the app had a screen of its own"
    assert "Model" in screen, "and drew on it"
    assert "\x1b[31mat" not in seen
    assert after.count("the terminal is back") == 1
    if then == SHOWN:
        assert "Libraries wrote" in screen
        assert "panicked [31mat lib.rs" in screen
        assert "TOLD" not in after
    else:
        assert "panicked" not in screen
        assert "TOLD While the app ran, libraries wrote:" in after
        assert "thread panicked [31mat lib.rs" in after


def test_it_is_bounded_cleaned_and_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    with kept_apart() as output:
        assert output.take() == ""
        os.write(2, b"\x1b[2Jcleared\rover\n\xff\n")
        assert output.take() == "[2Jcleared\nover\n\N{REPLACEMENT CHARACTER}"
        assert output.take() == ""
        for number in range(5000):
            os.write(2, b"line %d\n" % number)
        lines = output.take().splitlines()
        assert len(lines) == MOST_LINES + 1
        assert lines[0] == "…"
        assert lines[-1] == "line 4999"
        os.write(2, b"lost")
    os.write(2, b"back")
    assert capfd.readouterr().err == "back"


def test_the_terminal_is_given_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    before = sys.__stderr__

    def break_down() -> None:
        with kept_apart():
            assert sys.__stderr__ is not before
            print("drawn", file=sys.__stderr__, flush=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_down()
    assert sys.__stderr__ is before
    os.write(2, b"back")
    assert capfd.readouterr().err == "drawn\nback"


@pytest.mark.asyncio
async def test_without_any_an_error_says_nothing_of_it(engine) -> None:
    from mlxjsd.tui.screens.error import TroubleScreen

    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        app.push_screen(TroubleScreen("broken", "try again"))
        await pilot.pause()
        assert not app.screen.query("#written")
