"""What a run tells as it goes on, free of MLX; the command line and the app read the same."""

from dataclasses import dataclass
from pathlib import Path

from mlxjsd.records import Record, Skipped


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


Event = Started | BatchDone | Finished | Stopped
