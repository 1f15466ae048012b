"""The numbers of all prompts of a run, by kind of answer and by metric."""

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
    verdict_on,
)
from mlxjsd.analysis.heatmap import Heatmap, aggregate, average
from mlxjsd.analysis.judgements import Judgements
from mlxjsd.analysis.roles import RoleCells, RoleMap, average_roles, role_cells
from mlxjsd.metrics import JSD
from mlxjsd.records import Grid, Record
from mlxjsd.results import Run
from mlxjsd.settings import Labelling

ALL = "All"
#: The groups that have a key of their own.
GROUPS = (ALL, FACTUAL, ASSOCIATED, UNASSOCIATED)
#: What a group is called where there is room.
GROUP_NAMES = {ALL: "All prompts", **CATEGORY_NAMES}

View = tuple[str, str]
"""Which average is meant: a group, and the key of a metric."""


@dataclass(frozen=True)
class Interval:
    """The 95 % bootstrap interval of every mean of a view."""

    ends: np.ndarray
    """(2, rows, L) in the metric's unit."""
    count: int
    """Prompts that the means were over when it was worked out."""
    total: int
    """Prompts of the run at that time: another one may move the threshold, and so the group."""


@dataclass
class Measured:
    """The numbers of all prompts, in the order in which they arrived."""

    grid: Grid
    records: list[Record] = field(default_factory=list)
    labelling: Labelling = field(default_factory=Labelling)
    judgements: Judgements = field(default_factory=Judgements)
    intervals: dict[View, Interval] = field(default_factory=dict)
    """The newest that are known; see :mod:`mlxjsd.tui.intervals`."""
    _cells: np.ndarray = field(init=False)
    _scalars: np.ndarray = field(init=False)
    _positions: np.ndarray = field(init=False)
    _correct: list[bool | None] = field(init=False, default_factory=list)
    _labels: Labels | None = field(init=False, default=None)
    _members: dict[str, np.ndarray] = field(init=False, default_factory=dict)
    _heatmaps: dict[View, Heatmap] = field(init=False, default_factory=dict)
    _places: dict[str, int] = field(init=False, default_factory=dict)
    _roles: dict[tuple[str, str], RoleCells] = field(init=False, default_factory=dict)
    _role_maps: dict[tuple[str, View], RoleMap] = field(init=False, default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> "Measured":
        """Return the numbers of a run."""
        return cls(run.grid, list(run.records), run.labelling, run.judgements)

    def __post_init__(self) -> None:
        first, self.records = self.records, []
        self._cells = self.grid.cells(256)
        self._scalars = np.empty((256, 2), np.float64)
        self._positions = np.empty(256, np.int64)
        self.add(first)

    def add(self, records: Sequence[Record]) -> None:
        while len(self.records) + len(records) > len(self._cells):
            # Doubling keeps adding cheap however long the run is.
            self._cells = np.concatenate([self._cells, np.empty_like(self._cells)])
            self._scalars = np.concatenate([self._scalars, np.empty_like(self._scalars)])
            self._positions = np.concatenate([self._positions, np.empty_like(self._positions)])
        for record in records:
            place = len(self.records)
            self._cells[place] = record.cells
            self._scalars[place] = record.reliance, record.floor
            self._positions[place] = record.position
            # An answer is right or wrong for good; its category waits for the others.
            asked = self.labelling
            self._correct.append(is_correct(record, asked.match, asked.aliases, self.judgements))
            self._places[record.id] = place
            self.records.append(record)
        self._labels = None
        self._members.clear()
        self._heatmaps.clear()
        self._role_maps.clear()

    @property
    def labels(self) -> Labels:
        """The category of every prompt, as of now: the threshold moves while a run grows."""
        if self._labels is None:
            reliance = self._scalars[: len(self.records), 0].tolist()
            threshold = self.labelling.reliance_threshold
            self._labels = categorise(self._correct, reliance, threshold)
        return self._labels

    def category_of(self, record: Record) -> str | None:
        """Return a measured prompt's category; None where nothing is known."""
        return self.labels.categories[self._places[record.id]]

    def named(self, id: str) -> Record | None:
        """Return the record of a prompt; None if it is not measured."""
        place = self._places.get(id)
        return None if place is None else self.records[place]

    def verdict_on(self, record: Record) -> bool | None:
        """Say whether an answer is right; None where none was generated, or none is known.

        A first token alone would be a guess: it begins many words.
        """
        if record.answer is None:
            return None
        asked = self.labelling
        return verdict_on(record, asked.match, asked.aliases, self.judgements)

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

    def heatmap(self, group: str = ALL, metric: str = JSD.key) -> Heatmap:
        """Return the average of a metric over a group."""
        view = group, metric
        if view not in self._heatmaps:
            # A slice where it will do: it copies nothing.
            places = slice(len(self.records)) if group == ALL else self.members(group)
            if self.count(group):
                reliance, floor = self._scalars[places].T
                cells = self._of(metric)[places]
                found = average(cells, reliance, floor, self.grid.rows, metric)
            else:
                found = aggregate([], self.grid, metric)
            self._heatmaps[view] = found
        return self._heatmaps[view]

    def by_role(self, name: str, metric: str) -> RoleCells:
        """Return each prompt's means over the tokens of each role, of one map.

        Worked out when it is first asked for, and then for the new prompts alone.
        """
        known = self._roles.get((name, metric))
        begun = 0 if known is None else len(known.means)
        if known is None or begun < len(self.records):
            new = role_cells(self.records[begun:], self.grid, name, metric)
            if known is not None:
                new = RoleCells(
                    np.concatenate([known.means, new.means]),
                    np.concatenate([known.tokens, new.tokens]),
                    np.concatenate([known.left_out, new.left_out]),
                )
            self._roles[name, metric] = known = new
        return known

    def roles(self, name: str, group: str = ALL, metric: str = JSD.key) -> RoleMap:
        """Return the average of a map over a group, by role."""
        key = name, (group, metric)
        if key not in self._role_maps:
            places, cells = self.members(group), self.by_role(name, metric)
            some = RoleCells(cells.means[places], cells.tokens[places], cells.left_out[places])
            records = [self.records[place] for place in places]
            self._role_maps[key] = average_roles(records, self.grid, name, metric, cells=some)
        return self._role_maps[key]

    def values(self, group: str = ALL, metric: str = JSD.key) -> np.ndarray:
        """Return a copy of a group's cells, (N, rows, L), in the order of the data file.

        That is the order of an export, so that resampling gives the numbers of one.
        """
        places = self.members(group)
        order = np.argsort(self._positions[places], kind="stable")
        return self._of(metric)[places[order]]

    def cell(self, row: int, layer: int, group: str = ALL, metric: str = JSD.key) -> np.ndarray:
        """Return one cell's value for each prompt of a group."""
        values = self._of(metric)[: len(self.records), row, layer]
        return values if group == ALL else values[self.members(group)]

    @property
    def positions(self) -> np.ndarray:
        """The place of each prompt in the data file, (N,)."""
        return self._positions[: len(self.records)]

    @property
    def reliances(self) -> np.ndarray:
        """The reliance of each prompt, (N,) nats; NaN where no block attends."""
        return self._scalars[: len(self.records), 0]

    def _of(self, metric: str) -> np.ndarray:
        """Return the cells of one metric, (room, rows, L)."""
        return self._cells[:, self.grid.metrics.index(metric)]
