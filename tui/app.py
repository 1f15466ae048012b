"""The terminal app: which screens there are, how they follow one another, and how it ends."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from mlxjsd.analysis.compare import Panel
from mlxjsd.errors import InputError
from mlxjsd.run.resume import job_or_none
from mlxjsd.store.reader import read_run
from mlxjsd.tui.compare_state import CompareState, Figure, figures, other_panel
from mlxjsd.tui.protocol import Engine, Job
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.compare import CompareScreen
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.export import EXPORT
from mlxjsd.tui.screens.help import HelpScreen
from mlxjsd.tui.screens.open import OpenScreen
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.start import StartScreen

#: Seconds to wait for the current batch when leaving.
PATIENCE = 20.0


class MlxjsdApp(App[None]):
    TITLE = "mlxjsd"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "change_theme", "Theme", id="app.theme", tooltip="Choose a theme"),
        Binding("question_mark,f1", "help", "Help", id="app.help", key_display="?",
                tooltip="Show what every key does"),
        Binding("ctrl+p", "command_palette", "Palette", id="app.palette", key_display="^p",
                tooltip="Find a command by its name"),
        Binding("q", "quit", "Quit", id="app.quit",
                tooltip="Leave; every prompt that is measured is kept"),
        Binding("ctrl+c,ctrl+q", "quit", "Quit", id="app.quit_anywhere", show=False,
                priority=True, tooltip="Leave, from anywhere"),
    ]  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        job: Job | None = None,
        folder: Path | None = None,
        form: Job | None = None,
    ) -> None:
        """Prepare the app.

        Args:
            engine: computes.
            job: measured at once; None for the start screen.
            folder: a run to be shown instead.
            form: what the start screen is filled in with at first.
        """
        super().__init__()
        self.engine = engine
        self.ended_cleanly = True
        self._job, self._folder, self._form = job, folder, form
        self._leaving = False

    def on_mount(self) -> None:
        if not self.is_headless:
            self._listen_for_the_end()
        if self._folder is not None:
            self.show_run(self._folder)
        elif self._job is not None:
            self.run_job(self._job)
        else:
            self.push_screen(StartScreen(self.engine, self._form))

    # From one screen to the next.

    def run_job(self, job: Job) -> None:
        self._replace(RunScreen(self.engine, RunState.awaiting(job), job, start=True))

    def show_run(self, folder: Path) -> None:
        """Show a run folder; it can be taken up from there if its prompts are found."""
        try:
            state = RunState.of(folder, read_run(folder))
            job = job_or_none(folder)
        except (InputError, OSError, sqlite3.Error) as error:
            self.push_screen(TroubleScreen(str(error), "Choose another folder."))
            return
        self.engine.stop()
        self._replace(RunScreen(self.engine, state, job, start=False))

    def take_up(self, folder: Path) -> None:
        """Show an unfinished run, and go on with it."""
        self.show_run(folder)
        if isinstance(self.screen, RunScreen):
            self.call_after_refresh(self.screen.start)

    def choose_run(self, job: Job | None = None) -> None:
        """Go to the start screen, filled in as ``job`` was."""
        self.push_screen(StartScreen(self.engine, job))

    def action_open_run(self) -> None:
        self.push_screen(OpenScreen(), self._opened)

    def _opened(self, chosen: Path | Figure | None) -> None:
        if isinstance(chosen, Path):
            self.show_run(chosen)

    def compare_with(self, a: Panel, group: str) -> None:
        """Ask for a run or a published figure, and show it beside ``a``."""

        def chosen(other: Path | Figure | None) -> None:
            if other is None:
                return
            try:
                state = CompareState(a, other_panel(other, group, a.metric))
            except (InputError, OSError, sqlite3.Error, ValueError) as error:
                self.push_screen(TroubleScreen(str(error), "Choose another one."))
            else:
                self.push_screen(CompareScreen(state))

        self.push_screen(OpenScreen("Compare with", figures(a.metric)), chosen)

    def _replace(self, screen: Screen[None]) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.push_screen(screen)

    # Keys that work everywhere.

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every key of the screen by name."""
        named = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            if binding.action in named or not binding.tooltip or not active.enabled:
                continue
            named.add(binding.action)
            run = partial(self.run_action, binding.action, active.node)
            yield SystemCommand(binding.description, binding.tooltip, run)

    # Leaving.

    def _listen_for_the_end(self) -> None:
        if sys.platform == "win32":
            return
        # A kill and an interrupt from outside end the app as `q` does.
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: self.run_worker(self.action_quit()))
        # Not by the loop: without a terminal Textual waits for ever for its output to be taken.
        signal.signal(signal.SIGHUP, self._hang_up)

    def _hang_up(self, *_: object) -> None:
        """The terminal is gone: end after the current batch, drawing nothing."""
        self.engine.close(PATIENCE)
        os._exit(0)

    async def action_quit(self) -> None:
        """Wait for the current batch, then leave; asked again, leave at once."""
        if self._leaving:
            self.ended_cleanly = False
            self.exit()
            return
        self._leaving = True
        self.notify("Finishing the current batch …", markup=False)
        closing = asyncio.get_running_loop().run_in_executor(None, self.engine.close, PATIENCE)
        self.run_worker(self._leave(closing))

    async def _leave(self, closing: "asyncio.Future[bool]") -> None:
        self.ended_cleanly = await closing
        # A file that is being written becomes a whole one.
        await asyncio.gather(*(w.wait() for w in self.workers if w.group == EXPORT))
        self.exit()


def launch(job: Job | None = None, folder: Path | None = None, form: Job | None = None) -> int:
    """Run the app on this terminal; return the exit code.

    Without a job and a folder, the start screen is filled in as ``form`` is.

    Raises:
        InputError: without a terminal.
    """
    _check_terminal()
    from mlxjsd.tui.engine import MLXEngine

    # A small model keeps the engine's thread in Python, not in MLX, most of the time: asked
    # five times as often as usual, it lets the screen answer a key at once.
    sys.setswitchinterval(0.001)
    engine = MLXEngine()
    app = MlxjsdApp(engine, job, folder, form)
    try:
        app.run()
    finally:
        ended = app.ended_cleanly and engine.close(PATIENCE)
    code = app.return_code or 0
    if not ended:
        # A thread that is still computing aborts an interpreter that ends in the ordinary
        # way. Whole batches are on disk, and the terminal is restored.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _check_terminal() -> None:
    """Raise ``InputError`` where keys could never come from: Textual would wait for ever."""
    if "TEXTUAL_DRIVER" in os.environ:  # it is asked for from elsewhere, as for a browser
        return
    streams = (sys.__stdin__, sys.__stderr__)  # where Textual reads and draws
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise InputError(
            "the app needs a terminal",
            hint="use `mlxjsd run`, or `mlxjsd tui --serve` for a browser",
        )
