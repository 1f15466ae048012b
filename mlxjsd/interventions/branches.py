"""The branches of the one pass, as data: what each row of the heatmap carries, and from where on.

A branch is a suffix of the prompt that leaves a run at one block and goes on over keys and
values which were computed once:

    row of kind            enters block          carries               prefix's keys and values
    patch of the subject   l + 1                 clean tail            corrupted run's
    patch of tail or last  l + 1                 corrupted run's       clean run's
    knockout               first of its blocks   clean run's           clean run's, some hidden
    null                   0                     clean run's           clean run's

The sweep opens them, and cost and memory are counted from the same list.
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
    carries: Positions
    """The suffix: the tail, or the last token alone."""
    run: int
    """Whose states it carries: ``CLEAN``, or 1 + j for corrupted run j."""
    prefix: int
    """Whose keys and values stand in front of it."""
    blind: range = range(0)
    """The blocks in which it may not attend to the tokens ``hidden``."""
    hidden: Positions | None = None


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
    kinds = {row.key: row.kind for row in grid.measured}
    # Where several open, those that come out of the block before stand in front.
    found.sort(key=lambda branch: (branch.enters, kinds[branch.row] != "patch"))
    return tuple(found)


def _branches(
    row: Row, layer: int, samples: int, settings: Settings, layers: int
) -> Iterator[Branch]:
    if row.kind == "patch":
        for j in range(1, 1 + samples):
            if row.positions == "subject":
                yield Branch(row.key, layer, layer + 1, "tail", run=CLEAN, prefix=j)
            else:
                yield Branch(row.key, layer, layer + 1, row.positions, run=j, prefix=CLEAN)
        return
    blind = blocks_of(row, layer, settings, layers)
    # An empty window edits nothing; its branch leaves at block 0 like a null edit.
    enters = blind[0] if blind else 0
    yield Branch(row.key, layer, enters, row.positions, CLEAN, CLEAN, blind, row.hidden)
