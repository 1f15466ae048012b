"""What the app asks of its engine, and what it hears back: plain Python values, no MLX."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mlxjsd.events import BatchDone, Finished, Stopped
from mlxjsd.labelling import Labelling
from mlxjsd.records import Run
from mlxjsd.runs import run_folder
from mlxjsd.settings import Settings


@dataclass(frozen=True)
class Job:
    """A run that is asked for: the options of ``mlxjsd run``."""

    model: str | None = None
    """A folder or Hub repository; None for the bundled model."""
    data: Path | None = None
    """Prompts; None for the bundled ones."""
    output: Path | None = None
    """The run folder; None for one named after what is measured."""
    limit: int | None = None
    settings: Settings = field(default_factory=Settings)
    batch_size: int | None = None
    trust_remote_code: bool = False
    labelling: Labelling = field(default_factory=Labelling)
    format: str | None = None
    """Of the prompts, one of :data:`mlxjsd.formats.FORMATS`; None to recognise it."""
    revision: str | None = None
    """Of the Hub repository; None for its default."""
    adapter_path: Path | None = None
    """Folder of a LoRA adapter; None for none."""
    memory: float | None = None
    """GB that the run may take; None for what the machine recommends."""

    @property
    def folder(self) -> Path:
        """The run folder, the one that ``mlxjsd run`` would use."""
        return self.output or run_folder(
            self.model, self.data, self.settings, self.limit, self.revision, self.adapter_path
        )


@dataclass(frozen=True)
class Look:
    """Prompts that are to be looked at before a run."""

    model: str | None
    data: Path | None
    settings: Settings
    limit: int | None
    first: int = 30
    """So many prompts are shown."""
    format: str | None = None
    """See :attr:`Job.format`."""
    revision: str | None = None
    """See :attr:`Job.revision`."""


@dataclass(frozen=True)
class Preview:
    """What a file of prompts holds, as a model's tokenizer reads it."""

    total: int
    """Prompts in the file, or up to the limit."""
    skipped: dict[str, int] = field(default_factory=dict)
    """How many would be skipped, by reason."""
    prompts: tuple[tuple[tuple[str, ...], tuple[int, int]], ...] = ()
    """The first ones: the text of each token, and which tokens [start, end) are the subject's."""
    error: str | None = None
    """Why there is nothing to show."""
    note: str | None = None
    """Why tokens are not shown although the file can be read."""


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
class Failed:
    """The computation ended with an error; what is measured stays."""

    reason: str
    remedy: str


#: In the order Loading, Opened, BatchDone..., then one of the last three.
News = Loading | Opened | BatchDone | Finished | Stopped | Failed
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

    def close(self, timeout: float) -> bool:
        """Stop, and wait for the thread to end; False if it has not in ``timeout`` seconds."""
