"""What a run tells as it goes on, free of MLX; the command line and the app read the same."""

from dataclasses import dataclass
from pathlib import Path

from mlxjsd.results import Record, Skipped


@dataclass(frozen=True)
class Started:
    """The plan stands; nothing has been computed in this call yet."""

    folder: Path
    layers: int
    total: int
    """Prompts that the run is about."""
    done: int
    """Of those, measured or failed in an earlier call."""
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    floor_limit: float | None = None
    """nats that the noise floor may have."""


@dataclass(frozen=True)
class BatchDone:
    """A batch is measured and on disk."""

    records: tuple[Record, ...]
    done: int
    """Prompts that are measured or have failed, so far."""
    total: int
    seconds: float
    """What this batch took."""
    peak_memory: int
    """Bytes that MLX held at the most, so far."""
    failed: tuple[Skipped, ...] = ()
    """Prompts of this batch that could not be measured."""


@dataclass(frozen=True)
class Finished:
    """Every prompt is measured, or has failed."""

    total: int


@dataclass(frozen=True)
class Stopped:
    """Asked to stop, between batches; the same call goes on from here."""

    done: int
    total: int


@dataclass(frozen=True)
class ShareDone:
    """This rank has measured what is its own; other ranks may not have yet."""

    measured: int
    """Prompts of its share, in this call."""


@dataclass(frozen=True)
class Waiting:
    """The first rank is done with its share and looks at the files of the others."""

    ranks: tuple[int, ...]
    """Those that are waited for."""
    done: int
    """Prompts that any rank has measured."""
    total: int


@dataclass(frozen=True)
class PeersLost:
    """Prompts are left, and no rank that could measure them."""

    folder: Path
    absent: tuple[int, ...]
    """Ranks that have no file in the folder: they never began, or write to another disk."""
    done: int
    total: int


Event = Started | BatchDone | Finished | Stopped | ShareDone | Waiting | PeersLost
