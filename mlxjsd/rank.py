"""Which of several processes this is."""

from dataclasses import dataclass

from mlxjsd.errors import InputError


@dataclass(frozen=True)
class Rank:
    """One of the processes that measure a run together."""

    index: int = 0
    """0 .. size - 1."""
    size: int = 1
    """How many there are."""

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.size:
            raise InputError(
                f"there is no rank {self.index} of {self.size}",
                hint="count ranks from 0: 0/2 and 1/2 are both of two",
            )

    @property
    def leads(self) -> bool:
        """Whether this one shows progress for all, and draws the figure."""
        return self.index == 0

    def owns(self, unit: int) -> bool:
        """Say whether this rank measures the unit of work at this place of the plan."""
        return unit % self.size == self.index


#: A process that measures a run by itself.
ALONE = Rank()
