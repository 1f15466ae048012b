"""Runs of the same prompts beside each other: what changed, cell by cell and answer by answer.

Each run is compared with the first one, prompt by prompt, so that what prompts have of their own
cancels out. Categories of all runs are by the first one's reliance threshold: with a threshold of
its own each, a prompt could change its category without changing at all.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlxjsd.analysis.answers import Labels, label
from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.analysis.judgements import Judgements
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.records import Grid, Record
from mlxjsd.settings import Aliases


@dataclass(frozen=True)
class Measured:
    """A run, as it is compared."""

    name: str
    records: Sequence[Record]
    grid: Grid
    match: str
    """What counts as a right answer."""
    threshold: float | None
    """The reliance threshold that was asked for, in nats; None for the mean of the right ones."""
    aliases: Aliases | None = None
    """Further names of the accepted answers."""
    judgements: Judgements | None = None
    """Verdicts on this run's own answers, which go before the rules."""

    def categories(self, records: Sequence[Record], first: "Measured") -> Labels:
        """Return the categories of this run's records, by what the first run asks for."""
        return label(records, first.match, first.threshold, first.aliases, self.judgements)


@dataclass(frozen=True)
class Move:
    """A prompt whose answer is of another category than in the first run."""

    before: Record
    after: Record
    categories: tuple[str, str]


@dataclass(frozen=True)
class Change:
    """What one run has changed from the first one, over the prompts of all runs."""

    name: str
    rows: tuple[str, ...]
    mean: np.ndarray
    """(rows, L) mean of the paired differences, this run's minus the first one's."""
    interval: np.ndarray
    """(2, rows, L) ends of its 95 % interval, by resampling prompts."""
    counts: Counter[tuple[str, str]]
    """How many prompts went from which category to which, those that stayed included."""
    moves: tuple[Move, ...]

    @property
    def differs(self) -> np.ndarray:
        """Which cells have changed for sure: (rows, L) bool, 0 outside of the interval."""
        low, high = self.interval
        found: np.ndarray = (low > 0) | (high < 0)
        return found

    def first_layer(self, row: int) -> int | None:
        """Return the first layer of a row that has changed for sure; None if none has."""
        layers = np.flatnonzero(self.differs[row])
        return int(layers[0]) if layers.size else None


def changes(runs: Sequence[Measured], metric: str = JSD.key) -> tuple[int, list[Change]]:
    """Compare runs with the first one of them.

    Returns:
        How many prompts all of them have, and the changes, one for each run after the first.

    Raises:
        InputError: if they have no prompt in common, or not the same rows and layers.
    """
    first = runs[0]
    for run in runs[1:]:
        if (run.grid.rows, run.grid.layers) != (first.grid.rows, first.grid.layers):
            raise InputError(
                f"{first.name} and {run.name} are not of the same rows and layers",
                hint="compare runs of one model, with the same --rows",
            )
    before, *others = in_all({run.name: run.records for run in runs})
    threshold = first.categories(first.records, first).threshold
    rule = replace(first, threshold=threshold)
    base = _named(first.categories(before, rule))
    found = []
    for run, after in zip(runs[1:], others, strict=True):
        cells = np.stack([b.of(metric) - a.of(metric) for a, b in zip(before, after, strict=True)])
        now = _named(run.categories(after, rule))
        pairs = list(zip(before, after, zip(base, now, strict=True), strict=True))
        found.append(
            Change(
                run.name,
                run.grid.rows,
                cells.astype(np.float64).mean(axis=0),
                bootstrap_interval(cells),
                Counter(categories for _, _, categories in pairs),
                tuple(Move(a, b, both) for a, b, both in pairs if both[0] != both[1]),
            )
        )
    return len(before), found


def in_all(records: Mapping[str, Sequence[Record]]) -> list[list[Record]]:
    """Return what each run has measured of the prompts that all of them have, in one order.

    Args:
        records: of at least two runs, by their names.

    Raises:
        InputError: if there is no such prompt.
    """
    by_prompt = [{(r.id, r.text): r for r in found} for found in records.values()]
    shared = [key for key in by_prompt[0] if all(key in found for found in by_prompt)]
    if not shared:
        raise InputError(
            f"{' and '.join(records)} have no prompt in common",
            hint="compare runs over the same --data",
        )
    return [[found[key] for key in shared] for found in by_prompt]


def _named(labels: Labels) -> list[str]:
    return [category or "-" for category in labels.categories]
