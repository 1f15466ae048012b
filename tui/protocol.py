"""What the app asks of its engine, and what it hears back: plain Python values, no MLX."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlxjsd.asked import Asked
from mlxjsd.prompts.sentence import Sentence
from mlxjsd.results import Run
from mlxjsd.run.events import BatchDone, Finished, Stopped
from mlxjsd.run.job import Job
from mlxjsd.settings import Settings

__all__ = [
    "Answered",
    "Engine",
    "Failed",
    "Job",
    "Loading",
    "Look",
    "News",
    "Opened",
    "Preview",
    "Sentence",
    "Shown",
    "Split",
    "Tell",
]


@dataclass(frozen=True)
class Look:
    """Prompts that are to be looked at before a run."""

    model: str | None
    data: Path | None
    settings: Settings
    limit: int | None
    sample: int | None = None
    """See :attr:`Job.sample`."""
    first: int = 30
    """How many prompts are shown."""
    format: str | None = None
    """See :attr:`Job.format`."""
    fields: str | None = None
    """See :attr:`Job.fields`."""
    revision: str | None = None
    """See :attr:`Job.revision`."""
    trust_remote_code: bool = False
    """See :attr:`Job.trust_remote_code`."""


@dataclass(frozen=True)
class Shown:
    """A prompt, as a model's tokenizer reads it."""

    tokens: tuple[str, ...]
    """The text of each token."""
    span: tuple[int, int]
    """Which tokens [start, end) are the subject's."""
    known: str = ""
    """Its answers and its relation."""


@dataclass(frozen=True)
class Preview:
    """What a file of prompts holds, as a model's tokenizer reads it."""

    total: int
    """Prompts in the file, or up to the limit."""
    skipped: dict[str, int] = field(default_factory=dict)
    """How many would be skipped, by reason."""
    drawn: int | None = None
    """How many of the others are drawn; None if all are measured."""
    prompts: tuple[Shown, ...] = ()
    """The first ones that would be measured."""
    answers: str = ""
    """How many prompts have answers, in words."""
    error: str | None = None
    """Why there is nothing to show."""
    note: str | None = None
    """Why tokens are not shown although the file can be read."""


@dataclass(frozen=True)
class Split:
    """A sentence in the pieces that can be marked."""

    text: str
    places: tuple[tuple[int, int], ...]
    """Characters [from, to) of each piece; a token that is put in front has none."""
    note: str = ""
    """Why these are words, and not the model's tokens; "" for tokens."""


@dataclass(frozen=True)
class Loading:
    """Something slow has begun."""

    what: str


@dataclass(frozen=True)
class Opened:
    """The plan stands; ``run`` holds what was measured in earlier calls."""

    folder: Path
    run: Run
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """One sentence is measured."""

    asked: Asked


@dataclass(frozen=True)
class Failed:
    """The computation ended with an error; what is measured stays."""

    reason: str
    remedy: str


#: In the order Loading, Opened, BatchDone..., then one of the last three; of one sentence, Loading
#: and then Answered or Failed.
News = Loading | Opened | BatchDone | Answered | Finished | Stopped | Failed
Tell = Callable[[News], object]


class Engine(Protocol):
    """Computes for the app, on a thread of its own; told things arrive from that thread."""

    def start(self, job: Job, tell: Tell) -> None:
        """Begin ``job``, or go on with it; an earlier one is stopped first."""

    def pause(self) -> None:
        """Compute nothing after the current batch until :meth:`go_on`."""

    def go_on(self) -> None:
        """End a pause."""

    def stop(self) -> None:
        """End the job after the current batch; ``Stopped`` is told then."""

    def look(self, look: Look, tell: Callable[[Preview], object]) -> None:
        """Read a file of prompts; only the newest request is answered."""

    def split(self, job: Job, text: str, tell: Callable[[Split], object]) -> None:
        """Cut a sentence into tokens of the job's model; only the newest request is answered."""

    def ask(self, job: Job, sentence: Sentence, tell: Tell) -> None:
        """Measure one sentence with the job's model and settings; see :meth:`start`."""

    def close(self, timeout: float) -> bool:
        """Stop, and wait for the thread to end; False if it has not in ``timeout`` seconds."""
