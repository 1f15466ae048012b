"""The numbers of all prompts of a run, parted by kind of answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mlxjsd.analysis.answers import (
    ASSOCIATED,
    CATEGORY_NAMES,
    FACTUAL,
    UNASSOCIATED,
    Labels,
    categorise,
    is_correct,
)
from mlxjsd.analysis.heatmap import Heatmap, aggregate, average
from mlxjsd.results import Record
from mlxjsd.rows import ROWS

ALL = "All"
#: The groups that have a key of their own.
GROUPS = (ALL, FACTUAL, ASSOCIATED, UNASSOCIATED)
#: What a group is called where there is room.
GROUP_NAMES = {ALL: "All prompts", **CATEGORY_NAMES}


@dataclass(frozen=True)
class Interval:
    """The 95 % bootstrap interval of every mean of a group."""

    ends: np.ndarray
    """(2, 3, L) in nats."""
    count: int
    """Prompts of the group when it was worked out."""
    total: int
    """Prompts of the run at that time: another one may move the threshold, and so the group."""


@dataclass
class Measured:
    """The numbers of all prompts, in the order in which they arrived."""

    layers: int
    records: list[Record] = field(default_factory=list)
    match: str = "contains"
    """What counts as right; see :func:`mlxjsd.analysis.answers.is_correct`."""
    threshold: float | None = None
    """Of the reliance, in nats; None for the mean over the FA prompts."""
    intervals: dict[str, Interval] = field(default_factory=dict)
    """By group, the newest that are known; see :mod:`mlxjsd.tui.intervals`."""
    _jsd: np.ndarray = field(init=False)
    _scalars: np.ndarray = field(init=False)
    _correct: list[bool | None] = field(init=False, default_factory=list)
    _labels: Labels | None = field(init=False, default=None)
    _members: dict[str, np.ndarray] = field(init=False, default_factory=dict)
    _heatmaps: dict[str, Heatmap] = field(init=False, default_factory=dict)
    _places: dict[str, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        first, self.records = self.records, []
        self._jsd = np.empty((256, len(ROWS), self.layers), np.float32)
        self._scalars = np.empty((256, 2), np.float64)
        self.add(first)

    def add(self, records: Sequence[Record]) -> None:
        """Append a batch."""
        while len(self.records) + len(records) > len(self._jsd):
            # Doubling keeps adding cheap however long the run is.
            self._jsd = np.concatenate([self._jsd, np.empty_like(self._jsd)])
            self._scalars = np.concatenate([self._scalars, np.empty_like(self._scalars)])
        for record in records:
            place = len(self.records)
            self._jsd[place] = record.jsd
            self._scalars[place] = record.reliance, record.floor
            # An answer is right or wrong for good; its category waits for the others.
            self._correct.append(is_correct(record, self.match))
            self._places[record.id] = place
            self.records.append(record)
        self._labels = None
        self._members.clear()
        self._heatmaps.clear()

    @property
    def labels(self) -> Labels:
        """The category of every prompt, as of now: the threshold moves while a run grows."""
        if self._labels is None:
            reliance = self._scalars[: len(self.records), 0].tolist()
            self._labels = categorise(self._correct, reliance, self.threshold)
        return self._labels

    def category_of(self, record: Record) -> str | None:
        """Return a measured prompt's category; None where nothing is known."""
        return self.labels.categories[self._places[record.id]]

    def groups(self) -> list[str]:
        """Return the groups that hold a prompt, All first."""
        return [ALL, *self.labels.present()]

    def count(self, group: str) -> int:
        """Return how many prompts a group holds."""
        return len(self.records) if group == ALL else self.labels.count(group)

    def members(self, group: str = ALL) -> np.ndarray:
        """Return the places in ``records`` of a group's prompts."""
        if group not in self._members:
            categories = self.labels.categories if group != ALL else ()
            self._members[group] = (
                np.arange(len(self.records))
                if group == ALL
                else np.array([i for i, c in enumerate(categories) if c == group], dtype=int)
            )
        return self._members[group]

    def heatmap(self, group: str = ALL) -> Heatmap:
        """Return the average over a group."""
        if group not in self._heatmaps:
            # A slice where it will do: it copies nothing.
            places = slice(len(self.records)) if group == ALL else self.members(group)
            if self.count(group):
                reliance, floor = self._scalars[places].T
                found = average(self._jsd[places], reliance, floor)
            else:
                found = aggregate([], self.layers)
            self._heatmaps[group] = found
        return self._heatmaps[group]

    def rows(self, group: str = ALL) -> np.ndarray:
        """Return a copy of a group's divergences, (N, 3, L), in the order of the data file.

        That is the order of an export, so that resampling gives the numbers of one.
        """
        places = sorted(self.members(group), key=lambda i: self.records[i].position)
        return self._jsd[np.array(places, dtype=int)]

    def cell(self, row: int, layer: int, group: str = ALL) -> np.ndarray:
        """Return one cell's value for each prompt of a group."""
        values = self._jsd[: len(self.records), row, layer]
        return values if group == ALL else values[self.members(group)]
