"""How fast a run goes on."""

from dataclasses import dataclass

from mlxjsd.run.events import BatchDone


@dataclass
class Pace:
    """What the batches of this session took."""

    seconds: float = 0.0
    prompts: int = 0
    """Measured in this session."""
    peak_memory: int = 0
    """Bytes that MLX held at the most."""

    def add(self, batch: BatchDone) -> None:
        self.prompts += len(batch.records)
        self.seconds += batch.seconds
        self.peak_memory = batch.peak_memory

    @property
    def rate(self) -> float:
        """Prompts per second; 0 before the first batch."""
        return self.prompts / self.seconds if self.seconds else 0.0

    def left(self, prompts: int) -> float | None:
        """Estimate the seconds that so many prompts take; None before the first batch."""
        return prompts / self.rate if self.rate else None
