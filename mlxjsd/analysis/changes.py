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
from mlxjsd.analysis.effects import Effect, cells_of
from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.analysis.judgements import Judgements
from mlxjsd.analysis.pairing import Pairing, pairing
from mlxjsd.analysis.sensitivity import Sensitivity, sensitivity
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
    pairing: Pairing
    """Which row of the first run is compared with which of this one."""
    mean: np.ndarray
    """(rows, L) mean of the paired differences, this run's minus the first one's."""
    interval: np.ndarray
    """(2, rows, L) ends of its 95 % interval, by resampling prompts."""
    counts: Counter[tuple[str, str]]
    """How many prompts went from which category to which, those that stayed included."""
    moves: tuple[Move, ...]
    sensitivity: Sensitivity
    """Where both agree, and where they do not."""
    turned: tuple[bool, ...]
    """Which rows of this run are turned around 0, since their direction is the other one."""

    @property
    def rows(self) -> tuple[str, ...]:
        """The rows that are compared, by their names in the first run."""
        return tuple(row for row, _ in self.pairing.rows)

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


def changes(
    runs: Sequence[Measured], metric: str = JSD.key, effect: Effect | None = None
) -> tuple[int, list[Change]]:
    """Compare runs with the first one of them.

    Returns:
        How many prompts all of them have, and the changes, one for each run after the first.

    Raises:
        InputError: if they have no prompt or no row in common, are not of the same depth, or do
            not hold the effect.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.grid.layers != first.grid.layers:
            raise InputError(
                f"{first.name} has {first.grid.layers} layers and {run.name} has "
                f"{run.grid.layers}, so their cells cannot be compared prompt by prompt",
                hint="compare runs of one model",
            )
        if not pairing(first.grid.rows, run.grid.rows).rows:
            raise InputError(
                f"{first.name} and {run.name} have no row in common",
                hint="compare runs of the same --rows",
            )
    before, *others = in_all({run.name: run.records for run in runs})
    threshold = first.categories(first.records, first).threshold
    rule = replace(first, threshold=threshold)
    base = _named(first.categories(before, rule))
    cells = cells_of(before, first.grid, metric, effect)[0]
    found = []
    for run, after in zip(runs[1:], others, strict=True):
        now = _named(run.categories(after, rule))
        pairs = list(zip(before, after, zip(base, now, strict=True), strict=True))
        counts = Counter(categories for _, _, categories in pairs)
        moves = tuple(Move(a, b, both) for a, b, both in pairs if both[0] != both[1])
        other = cells_of(after, run.grid, metric, effect)[0]
        found.append(_change(run.name, first.grid, run.grid, cells, other, effect, counts, moves))
    return len(before), found


def _change(
    name: str,
    first: Grid,
    grid: Grid,
    before: np.ndarray,
    after: np.ndarray,
    effect: Effect | None,
    counts: Counter[tuple[str, str]],
    moves: tuple[Move, ...],
) -> Change:
    """Compare the (N, rows, L) cells of two runs, for the same N prompts."""
    rows = pairing(first.rows, grid.rows)
    named, others = zip(*rows.rows, strict=True)
    turned = rows.turned if effect is not None else (False,) * len(named)
    before = before[:, [first.rows.index(row) for row in named]]
    after = after[:, [grid.rows.index(row) for row in others]]
    after = np.where(np.array(turned)[:, None], -after, after)
    compared = sensitivity(before, after, named, others)
    interval = bootstrap_interval(after - before)
    return Change(name, rows, compared.tested.difference, interval, counts, moves, compared, turned)


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
