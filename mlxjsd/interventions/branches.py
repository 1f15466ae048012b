"""The branches of the one pass, as data: what each row of the heatmap carries, and from where on.

A branch is a suffix of the prompt that leaves a run at one block and goes on over keys and
values which were computed once:

    row of kind            enters block          carries               prefix's keys and values
    patch of the subject   l + 1                 clean tail            corrupted run's
    patch of tail or last  l + 1                 corrupted run's       clean run's
    noise, random          l + 1                 clean, then moved     clean run's
    knockout               first of its blocks   clean run's           clean run's, some hidden
    null                   0                     clean run's           clean run's
    corrupted              none                  corrupted run's       none

A patch in the other direction, of clean states into the corrupted run, is the same with the two
runs exchanged. What noise or a random move leaves of the subject's state is no other run's, so
that the subject goes on by itself and is carried as well.

The sweep opens the branches, and cost and memory are counted from the same list.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from mlxjsd.interventions.spec import blocks_of
from mlxjsd.records import Grid
from mlxjsd.rows import Positions, Row
from mlxjsd.settings import Settings

#: Stands for the clean run; corrupted run j is 1 + j.
CLEAN = 0


@dataclass(frozen=True)
class Branch:
    """One edit of the prompt, or one sample of it."""

    row: str
    """Key of the row that it belongs to."""
    layer: int
    """Of its cell; 0 for a row with one number."""
    enters: int
    """The first block that it goes through by itself; L for one that goes through none."""
    carries: Positions | int
    """The suffix: from the subject on, the tail, the last token alone, or from a position on."""
    run: int
    """Whose states it carries: ``CLEAN``, or 1 + j for corrupted run j."""
    prefix: int
    """Whose keys and values stand in front of it."""
    blind: range = range(0)
    """The blocks in which it may not attend to the tokens ``hidden``."""
    hidden: Positions | None = None
    moved: bool = False
    """Whether what it carries is edited by a draw as it is opened."""
    sample: int = 0
    """Which corrupted run or draw it belongs to, from 0."""
    put: int | None = None
    """Of a branch of a map: the run whose state its first token has as it is opened."""


@lru_cache(maxsize=8)
def branches_of(grid: Grid, settings: Settings, samples: int) -> tuple[Branch, ...]:
    """Return every branch of a pass, in the order in which they are opened.

    Args:
        grid: what is measured.
        settings: the window of the knockout.
        samples: corrupted runs for each prompt.
    """
    found = [
        branch
        for row in grid.measured
        for layer in grid.layers_of(row)
        for branch in _branches(row, layer, samples, settings, grid.layers)
    ]
    knockouts = {row.key for row in grid.measured if row.kind in ("knockout", "null")}
    # Where several open, those that come out of the block before stand in front.
    found.sort(key=lambda branch: (branch.enters, branch.row in knockouts))
    return tuple(found)


def _branches(
    row: Row, layer: int, samples: int, settings: Settings, layers: int
) -> Iterator[Branch]:
    for j in range(samples if row.drawn else 0):
        put_in, into = (1 + j, CLEAN) if row.states != "clean" else (CLEAN, 1 + j)
        if row.kind == "corrupted":
            yield Branch(row.key, layer, layers, row.positions, 1 + j, CLEAN, sample=j)
        elif row.kind != "patch":
            carries: Positions = "onward" if row.positions == "subject" else row.positions
            yield Branch(row.key, layer, layer + 1, carries, CLEAN, CLEAN, moved=True, sample=j)
        elif row.positions == "subject":
            yield Branch(row.key, layer, layer + 1, "tail", run=into, prefix=put_in, sample=j)
        else:
            yield Branch(row.key, layer, layer + 1, row.positions, put_in, prefix=into, sample=j)
    if row.drawn:
        return
    blind = blocks_of(row, layer, settings, layers)
    # An empty window edits nothing; its branch leaves at block 0 like a null edit.
    enters = blind[0] if blind else 0
    yield Branch(row.key, layer, enters, row.positions, CLEAN, CLEAN, blind, row.hidden)
