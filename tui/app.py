"""The terminal app: which screens there are, how they follow one another, and how it ends."""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from mlxjsd.analysis.compare import Panel
from mlxjsd.asked import Asked
from mlxjsd.errors import InputError
from mlxjsd.run.resume import job_or_none
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.tui.colours import TRUECOLOUR, XtermPalette
from mlxjsd.tui.compare_state import CompareState, Figure, figures, other_panel
from mlxjsd.tui.config import Config, Memory, Places
from mlxjsd.tui.keys import named, said_key
from mlxjsd.tui.library_output import LibraryOutput
from mlxjsd.tui.places import place_of, take_place
from mlxjsd.tui.protocol import Engine, Job, Sentence
from mlxjsd.tui.run_state import RunState, Status
from mlxjsd.tui.screens.ask import AskScreen
from mlxjsd.tui.screens.compare import CompareScreen
from mlxjsd.tui.screens.copy import CopyScreen
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.export import EXPORT, ExportScreen
from mlxjsd.tui.screens.help import HelpScreen
from mlxjsd.tui.screens.jump import JumpScreen
from mlxjsd.tui.screens.open import OpenScreen
from mlxjsd.tui.screens.reading import ReadingScreen
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.run_dialogs import said_of_leaving
from mlxjsd.tui.screens.sentence import SentenceScreen
from mlxjsd.tui.screens.start import StartScreen
from mlxjsd.tui.widgets.heat_panel import HeatPanel
from mlxjsd.tui.widgets.prompt_table import PromptTable
from mlxjsd.tui.widgets.sentence_field import SentenceField
from mlxjsd.tui.widgets.token_line import TokenLine

#: A run of more prompts than these is on the screen before they are read.
READ_AT_ONCE = 1000
#: Seconds to wait for the current batch when leaving.
PATIENCE = 20.0


class MlxjsdApp(App[None]):
    TITLE = "mlxjsd"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "change_theme", "Theme", id="app.theme", tooltip="Choose a theme"),
        Binding("question_mark", "help", "Help", id="app.help", key_display="?",
                tooltip="Show what every key does"),
        Binding("f1", "help", "Help", id="app.help_anywhere", show=False, key_display="f1",
                tooltip="The same, also while typing"),
        Binding("ctrl+p", "command_palette", "Palette", id="app.palette", key_display="^p",
                tooltip="Find a command by its name"),
        Binding("ctrl+g", "jump", "Jump", id="app.jump", key_display="^g",
                tooltip="Go to any panel: a key stands on each"),
        Binding("q", "leave", "Quit", id="app.quit",
                tooltip="Leave; every prompt that is measured is kept"),
        Binding("ctrl+c,ctrl+q", "quit", "Quit now", id="app.quit_anywhere", show=False,
                key_display="^q", priority=True, tooltip="Leave, from anywhere, unasked"),
    ]  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        job: Job | None = None,
        folder: Path | None = None,
        colours: int | None = None,
        remembers: bool = False,
        form: Job | None = None,
    ) -> None:
        """Prepare the app.

        Args:
            engine: computes.
            job: measured at once; None for the start screen.
            folder: a run to be shown instead.
            colours: how many the terminal has; None to find out.
            remembers: read and write the user's configuration, and how runs were left.
            form: what the start screen is filled in with at first.
        """
        self._colours = colours
        super().__init__()
        self.engine = engine
        self.memory = Memory(self.available_themes, KEY_IDS) if remembers else None
        self.config = self.memory.config if self.memory else Config()
        self.keys = dict(self.config.keys)
        self.places = Places() if remembers else None
        self.ended_cleanly = True
        self._job, self._folder, self._form = job, folder, form
        self._leaving = False
        #: What libraries write meanwhile; None where it is not kept apart.
        self.library_output: LibraryOutput | None = None
        self._palette = XtermPalette()
        self._said: set[str] = set()

    def on_mount(self) -> None:
        if self.config.theme is not None:
            self.theme = self.config.theme
        self.theme_changed_signal.subscribe(self, lambda theme: self.remember(theme=theme.name))
        self.set_keymap(self.keys)
        if self.memory is not None and self.memory.problem:
            self.notify(self.memory.problem, severity="warning", timeout=10, markup=False)
        if not self.is_headless:
            self._listen_for_the_end()
        if self._folder is not None:
            self.show_run(self._folder)
        elif self._job is not None:
            self.run_job(self._job)
        else:
            self.push_screen(StartScreen(self.engine, self._form))

    # Colours.

    @property
    def colours(self) -> int:
        """How many colours there are for numbers: 0 where shades have to do."""
        if self.no_color:
            return 0
        if self._colours is not None:
            return self._colours
        if self.is_headless:
            return TRUECOLOUR
        # With the sixteen of a terminal's own theme, no map is one.
        return {"truecolor": TRUECOLOUR, "256": 256}.get(self.console.color_system or "", 0)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what the lines go through; colours of a small palette are ours to choose."""
        filters = super().get_line_filters()
        return [*filters, self._palette] if self.colours == 256 else filters

    # From one screen to the next.

    def run_job(self, job: Job) -> None:
        self._replace(self._run_screen(RunState.awaiting(job), job, start=True))

    def _run_screen(self, state: RunState, job: Job | None, start: bool) -> RunScreen:
        """Return the screen, as this run was left, or as the configuration has it."""
        self._look_as_configured(state)
        if self.places is not None:
            take_place(state, self.places.of(state.folder))
        return RunScreen(self.engine, state, job, start)

    def _look_as_configured(self, state: RunState) -> None:
        state.scale_name = self.config.scale
        if self.config.map is not None:
            state.chosen_colours = self.config.map

    def show_run(self, folder: Path, go_on: bool = False) -> None:
        """Show a run folder, and maybe go on with it if its prompts are found.

        A large one is shown before it is read: the screen reads it.
        """
        job = None
        try:
            header = read_header(folder)
            if header["total"] > READ_AT_ONCE:
                state = RunState.before(folder, header)
            else:
                state = RunState.of(folder, read_run(folder))
                job = job_or_none(folder)
        except (InputError, OSError, sqlite3.Error) as error:
            self.push_screen(TroubleScreen(str(error), "Choose another folder."))
            return
        self.engine.stop()
        self._replace(self._run_screen(state, job, start=go_on))

    def take_up(self, folder: Path) -> None:
        """Show an unfinished run, and go on with it."""
        self.show_run(folder, go_on=True)

    def choose_run(self, job: Job | None = None, field: str | None = None) -> None:
        """Go to the start screen, filled in as ``job`` was, with a field in focus."""
        self.push_screen(StartScreen(self.engine, job, field))

    def ask(self, job: Job, sentence: Sentence) -> None:
        """Measure one sentence, over the screen that it was typed on."""
        screen = SentenceScreen(self.engine, job, sentence)
        self._look_as_configured(screen.state)
        self.push_screen(screen)

    def more_prompts(self, job: Job, asked: Asked | None) -> None:
        """Go from one sentence to a run: the form has its model and settings, and waits for data.

        Args:
            job: that the sentence was measured with.
            asked: the sentence; None if it is not measured yet.
        """
        settings = job.settings if asked is None else asked.run.settings
        self.choose_run(replace(job, settings=settings, data=None, output=None), "data")

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

    # What is remembered.

    def remember(self, **changed: Any) -> None:
        """Write settings into the configuration, if there is one."""
        self.config = replace(self.config, **changed)
        if self.memory is not None:
            self.memory.remember(**changed)

    def keep_place(self, state: RunState) -> None:
        """Write down how a run is left."""
        if self.places is not None and state.model and state.status is not Status.READING:
            self.places.keep(state.folder, place_of(state))

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """Say whose key the configuration has taken."""
        names = ", ".join(sorted(binding.description for binding in clashed_bindings))
        said = f"{names} has no key: the configuration gives it to something else."
        if said not in self._said:
            self._said.add(said)
            self.notify(said, severity="warning", markup=False)

    # Keys that work everywhere.

    def action_jump(self) -> None:
        if not isinstance(self.screen, ModalScreen):
            self.push_screen(JumpScreen(self.screen), self._jumped)

    def _jumped(self, widget: Widget | None) -> None:
        if widget is not None:
            widget.focus()

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
            if binding.action == "command_palette":  # it is open
                continue
            named.add(binding.action)
            run = partial(self.run_action, binding.action, active.node)
            yield SystemCommand(
                f"{binding.description}  {said_key(self, binding)}", binding.tooltip, run
            )

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

    async def action_leave(self) -> None:
        """Leave; while a run goes on, ask first."""
        states = [s.state for s in self.screen_stack if isinstance(s, RunScreen) and s.is_live]
        if not states or not self.config.confirm:
            await self.action_quit()
            return

        async def answered(yes: bool | None) -> None:
            if yes:
                await self.action_quit()

        self.push_screen(AskScreen("Leave", partial(said_of_leaving, states[0])), answered)

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


#: By these names the configuration gives keys.
KEY_IDS = frozenset(
    str(binding.id)
    for binding in named(
        (MlxjsdApp, StartScreen, RunScreen, CompareScreen, HelpScreen, ReadingScreen, OpenScreen,
         ExportScreen, CopyScreen, AskScreen, TroubleScreen, JumpScreen, HeatPanel, PromptTable,
         SentenceScreen, SentenceField, TokenLine)
    )
)  # fmt: skip
