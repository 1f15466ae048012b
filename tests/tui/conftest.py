"""An engine without MLX, and the app on top of it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyperclip
import pytest
from other_runs import CHANGE, MLP
from records import HEADER, record
from waiting import settled

from mlxjsd.assets import PROMPTS
from mlxjsd.metrics import METRICS
from mlxjsd.records import Grid, Record, Skipped
from mlxjsd.rows import ROWS
from mlxjsd.run.events import BatchDone, Finished, Stopped
from mlxjsd.store.reader import read_run
from mlxjsd.store.writer import Store
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.protocol import (
    Failed,
    Job,
    Loading,
    Look,
    Opened,
    Preview,
    Sentence,
    Shown,
    Split,
    Tell,
)
from mlxjsd.tui.screens.run import RunScreen

LAYERS = 32


class FakeEngine:
    """Does what a test tells it to, and writes real run folders."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.jobs: list[Job] = []
        self.looks: list[Look] = []
        self.splits: list[tuple[str, Callable[[Split], object]]] = []
        self.sentences: list[tuple[Job, Sentence]] = []
        self.preview = Preview(
            3,
            {"the subject is not in the text": 1},
            prompts=(Shown(("<s>", "Paris", " is"), (1, 2), "France  (country)"),),
            answers="2 of 2 prompts have answers. They are of 1 relation.",
        )
        self.tell: Tell = lambda news: None
        self.total = 0

    def start(self, job: Job, tell: Tell) -> None:
        self.calls.append("start")
        self.jobs.append(job)
        self.tell = tell
        tell(Loading("loading the model"))

    def pause(self) -> None:
        self.calls.append("pause")

    def go_on(self) -> None:
        self.calls.append("go_on")

    def stop(self) -> None:
        self.calls.append("stop")

    def look(self, look: Look, tell: Callable[[Preview], object]) -> None:
        self.looks.append(look)
        tell(self.preview)

    def split(self, job: Job, text: str, tell: Callable[[Split], object]) -> None:
        self.splits.append((text, tell))

    def ask(self, job: Job, sentence: Sentence, tell: Tell) -> None:
        self.sentences.append((job, sentence))
        self.tell = tell
        tell(Loading("loading the model"))

    def close(self, timeout: float) -> bool:
        self.calls.append("close")
        return True

    # What a test makes happen.

    def open(self, total: int = 12, layers: int = LAYERS) -> None:
        """The plan stands."""
        self.total = total
        job = self.jobs[-1]
        header = {
            **HEADER,
            "model": {**HEADER["model"], "name": job.model or "bundled"},
            "settings": job.settings.to_json(),
            "total": total,
            **Grid.of(job.settings, layers).to_json(),
            "limit": job.limit,
            "data_path": str(job.data or PROMPTS),
            "floor_limit": 1e-6,
        }
        self.folder, self.header = job.folder, header
        with Store(job.folder, header) as store:
            store.set_skipped([Skipped("s", 99, "the subject is not in the text")])
        self.tell(Opened(job.folder, read_run(job.folder), ("runs on the CPU",)))

    def batch(self, records: list[Record], failed: Sequence[Skipped] = ()) -> None:
        """A batch is measured."""
        with Store(self.folder, self.header) as store:
            store.add(records, failed)
            done = len(store.done()) + len(store.failed())
        told = tuple(records), done, self.total, 0.5, 64_000_000, tuple(failed)
        self.tell(BatchDone(*told))

    def finish(self) -> None:
        """Every prompt is measured."""
        self.tell(Finished(self.total))

    def stopped(self) -> None:
        """The job has ended early."""
        self.tell(Stopped(0, self.total))

    def fail(self, reason: str = "ValueError: broken", remedy: str = "try again") -> None:
        """Something went wrong."""
        self.tell(Failed(reason, remedy))


def figure_like() -> np.ndarray:
    """(3, 32) divergences in the shape of the published figure."""
    layer = np.arange(LAYERS)
    subj = 0.6 - 0.4 / (1 + np.exp(-(layer - 18.0)))
    attn = 0.2 + 0.18 * np.exp(-(((layer - 14.0) / 3) ** 2))
    last = 0.2 + 0.35 / (1 + np.exp(-(layer - 22.0) / 2))
    return np.stack([subj, attn, last]).astype(np.float32)


@pytest.fixture
def made() -> Callable[..., list[Record]]:
    """Makes records; those of one position are always the same."""

    def make(start: int, count: int, **changes: Any) -> list[Record]:
        return [
            record(
                i,
                LAYERS,
                **{"jsd": figure_like() * np.float32(0.8 + 0.02 * i), **changes},
            )
            for i in range(start, start + count)
        ]

    return make


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def pasted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system's clipboard was given; no test fills that of whoever runs it."""
    taken: list[str] = []
    monkeypatch.setattr(pyperclip, "copy", taken.append)
    for name in ("SSH_CONNECTION", "SSH_TTY", "TERM_PROGRAM", "VTE_VERSION", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return taken


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Whatever the app and its engine start ends with them."""
    yield
    ours = ("mlxjsd-engine", "mlxjsd-intervals", "corruption")
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(ours)]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row and the metric of :mod:`other_runs` are among those that there are."""
    monkeypatch.setitem(METRICS, CHANGE.key, CHANGE)
    monkeypatch.setitem(ROWS, MLP.key, MLP)


@pytest.fixture
def app(engine: FakeEngine, tmp_path: Path) -> MlxjsdApp:
    """The app, about to measure."""
    return MlxjsdApp(engine, Job(output=tmp_path / "run"))


@pytest.fixture
def running(
    app: MlxjsdApp, engine: FakeEngine, made: Callable[..., list[Record]]
) -> Callable[[Any], Any]:
    """Brings the app to the middle of a run: 6 of 12 prompts."""

    async def run(pilot: Any) -> RunScreen:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 6))
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, RunScreen)
        return screen

    return run
