"""Where a run stands."""

from enum import Enum


class Status(Enum):
    """Where a run stands; the value is how it is said."""

    READING = "reading"
    LOADING = "loading"
    RUNNING = "measuring"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def live(self) -> bool:
        """Whether the engine is at work on it, or will be when a pause ends."""
        return self in (Status.LOADING, Status.RUNNING, Status.PAUSED, Status.STOPPING)
