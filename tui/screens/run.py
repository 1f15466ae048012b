"""The run screen: a run as it grows, and what is done with it."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from textual import work
from textual.message import Message

from mlxjsd.errors import InputError
from mlxjsd.model.hub import to_download
from mlxjsd.results import Run
from mlxjsd.run.events import BatchDone, Finished, Stopped
from mlxjsd.run.resume import job_or_none
from mlxjsd.store.reader import read_run
from mlxjsd.tui.places import take_place
from mlxjsd.tui.protocol import Engine, Failed, Job, Loading, News, Opened
from mlxjsd.tui.run_data import Measured
from mlxjsd.tui.run_state import RunState, Status
from mlxjsd.tui.screens.ask import AskScreen
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.run_dialogs import said_of_another, said_of_losses, said_of_stopping
from mlxjsd.tui.screens.run_keys import KEYS, footer, works
from mlxjsd.tui.screens.run_view import RunView
from mlxjsd.tui.text import clean


class RunScreen(RunView):
    """Watches a run, live or read from its folder."""

    BINDINGS = KEYS
    #: Seconds between two drawings of arriving batches, at least.
    PACE = 0.05

    class Told(Message):
        """The engine's news; posted from its thread."""

        def __init__(self, news: News) -> None:
            super().__init__()
            self.news = news

    class Read(Message):
        """A large run is read; posted from the thread that did it."""

        def __init__(self, run: Run, measured: Measured, job: Job | None) -> None:
            super().__init__()
            self.run, self.measured, self.job = run, measured, job

    class NotRead(Message):
        """It could not be read."""

        def __init__(self, why: str) -> None:
            super().__init__()
            self.why = why

    def __init__(self, engine: Engine, state: RunState, job: Job | None, start: bool) -> None:
        """Show ``state``.

        Args:
            engine: computes.
            state: what is shown.
            job: how the run is computed; None if it cannot be taken up.
            start: begin at once.
        """
        super().__init__(state)
        self.engine, self.job = engine, job
        self._start_at_once = start
        self._drawing_due = False
        self._drawing_takes = 0.0

    def on_mount(self) -> None:
        if self.state.status is Status.READING:
            self._read(self.state.folder)
        elif self._start_at_once:
            self.start()

    # A run that was there before.

    @work(thread=True)
    def _read(self, folder: Path) -> None:
        try:
            run = read_run(folder)
            measured, job = Measured.of(run), job_or_none(folder)
            measured.heatmap()  # what is drawn first
            _ = measured.labels
        except (InputError, OSError, sqlite3.Error) as error:
            self.post_message(self.NotRead(str(error)))
        else:
            self.post_message(self.Read(run, measured, job))
            for name in run.grid.maps:  # a second for ten thousand prompts: before it is asked for
                measured.by_role(name, run.grid.metrics[0])

    def on_run_screen_read(self, message: Read) -> None:
        self.job = message.job
        self.state.show(message.run, message.measured)
        take_place(self.state, self.state.place)
        self.state.place = {}
        self.show_all()
        if self._start_at_once:
            self.start()

    def on_run_screen_not_read(self, message: NotRead) -> None:
        self.state.status, self.state.failure = Status.FAILED, message.why
        self._show_status()
        self.app.push_screen(TroubleScreen(message.why, "Choose another folder."))

    # The engine.

    def start(self) -> None:
        """Begin the job, or go on with it."""
        if self.job is None:
            self.notify("This run cannot be taken up here.", severity="warning", markup=False)
            return
        wanted = None if self.job.download else to_download(self.job.model, self.job.revision)
        if wanted is not None:
            self.state.status = Status.STOPPED
            self._show_status()
            question = (
                f"This run names the model {wanted}, which is not on this machine. Its folder may "
                "come from somebody else. Download the model?"
            )
            self.app.push_screen(
                AskScreen("Download a model", lambda: question), self._may_download
            )
            return
        self.state.status, self.state.doing, self.state.failure = Status.LOADING, "starting", ""
        self.engine.start(self.job, lambda news: self.post_message(self.Told(news)))
        self._show_status()

    def _may_change(self, settings: bool | None) -> None:
        if settings:
            self.app.choose_run(self.job)  # type: ignore[attr-defined]

    def _may_download(self, yes: bool | None) -> None:
        if yes and self.job is not None:
            self.job = replace(self.job, download=True)
            self.start()

    def on_run_screen_told(self, message: Told) -> None:
        state, news = self.state, message.news
        if isinstance(news, BatchDone):
            state.add(news)
            self._draw_soon()
            return
        if isinstance(news, Loading):
            state.status, state.doing = Status.LOADING, news.what
        elif isinstance(news, Opened):
            state.folder = news.folder
            state.open(news.run, news.notes)
            state.status, state.failure = Status.RUNNING, ""
            take_place(state, state.place)
            state.place = {}
            self.show_all()
        elif isinstance(news, Finished):
            state.status = Status.FINISHED
            self.notify(f"{news.total} prompts measured. The run is in {clean(str(state.folder))}",
                        title="Finished", markup=False)  # fmt: skip
        elif isinstance(news, Stopped):
            state.status = Status.STOPPED
        elif isinstance(news, Failed):
            state.status, state.failure = Status.FAILED, f"{news.reason}\n{news.remedy}"
            dialog = TroubleScreen(news.reason, news.remedy, settings=True)
            self.app.push_screen(dialog, self._may_change)
        if not state.status.live:
            self._show_numbers()  # an interval that had to wait is worked out now
        self._show_status()

    def _draw_soon(self) -> None:
        # Drawing a large run takes its time, and keys come first: never more than a fifth of it.
        if not self._drawing_due:
            self._drawing_due = True
            self.set_timer(max(self.PACE, 4 * self._drawing_takes), self._draw_batch)

    def _draw_batch(self) -> None:
        began = time.perf_counter()
        self._drawing_due = False
        self.show_all()
        self._drawing_takes = time.perf_counter() - began

    # Keys.

    @property
    def is_live(self) -> bool:
        """Whether the engine is at work on the run."""
        return self.state.status.live

    def footer_keys(self) -> tuple[tuple[str, str], ...]:
        """Return the keys of the footer; see :class:`KeyBar`."""
        return footer(self.state, self.job, self.list.field.has_focus)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "average":  # there is something to go back from
            return self.state.selected is not None or self.list.filtering
        return works(action, parameters, self.state, self.job)

    def on_descendant_focus(self) -> None:
        """Other keys work while typing."""
        self.refresh_bindings()

    def _sure(self, title: str, question: Callable[[], str], act: Callable[[], None]) -> None:
        """Do something that ends a run, once it is sure to be meant."""
        if not self.is_live or not self.app.config.confirm:  # type: ignore[attr-defined]
            act()
            return
        self.app.push_screen(AskScreen(title, question), lambda yes: act() if yes else None)

    def action_pause(self) -> None:
        """Pause, go on, or take up a run that was stopped."""
        status = self.state.status
        if status is Status.RUNNING:
            self.engine.pause()
            self.state.status = Status.PAUSED
        elif status is Status.PAUSED:
            self.engine.go_on()
            self.state.status = Status.RUNNING
        else:
            self.start()
        self._show_status()

    def action_stop(self) -> None:
        self._sure("Stop", partial(said_of_stopping, self.state), self._stop)

    def _stop(self) -> None:
        if self.is_live:  # it may have ended while the question was there
            self.engine.stop()
            self.state.status = Status.STOPPING
            self._show_status()

    def action_why(self) -> None:
        """Show again what went wrong."""
        remedy = "Other settings may do, or go on with these: what is measured is kept."
        if not self.state.failure:
            remedy = "The numbers are of the other prompts."
        dialog = TroubleScreen(
            said_of_losses(self.state), remedy, "What was not measured", settings=True
        )
        self.app.push_screen(dialog, self._may_change)

    def action_new_run(self) -> None:
        self._sure("Another run", partial(said_of_another, self.state), self._new_run)

    def _new_run(self) -> None:
        self._stop()
        self.app.choose_run(self.job)  # type: ignore[attr-defined]
