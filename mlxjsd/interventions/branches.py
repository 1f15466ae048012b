"""The branches of the one pass, as data: what each row of the heatmap carries, and from where on.

A branch is a suffix of the prompt that leaves a run at one block and goes on over keys and
values which were computed once:

    row of kind            enters block          carries               prefix's keys and values
    patch of the subject   l + 1                 clean tail            corrupted run's
    patch of tail or last  l + 1                 corrupted run's       clean run's
    noise, random          l + 1                 clean, then moved     clean run's
    knockout               first of its blocks   clean run's           clean run's, some hidden
    patch of parts         first of its blocks   clean run's           clean run's
    null                   0                     clean run's           clean run's
    corrupted              none                  corrupted run's       none

A patch in the other direction, of clean states into the corrupted run, is the same with the two
runs exchanged. What noise or a random move leaves of the subject's state is no other run's, so
that the subject goes on by itself and is carried as well; so does one whose parts are exchanged.

The sweep opens the branches, and cost and memory are counted from the same list.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from mlxjsd.interventions.spec import blocks_of, part_blocks
from mlxjsd.maps import map_of
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
    inside: range = range(0)
    """The blocks in which it may not attend to the tokens ``hidden``, or the outputs of ``part``
    are replaced."""
    hidden: Positions | None = None
    moved: bool = False
    """Whether what it carries is edited by a draw as it is opened."""
    sample: int = 0
    """Which corrupted run or draw it belongs to, from 0."""
    put: int | None = None
    """The run whose state its first token has as it is opened, of a branch of a map; or whose
    outputs of ``part`` it has."""
    part: str | None = None
    """The part of each block inside whose output is that of another run, at the tokens ``edited``;
    None where no part is exchanged."""
    edited: Positions | None = None
    """None for the first token that it carries."""


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
    unedited = {row.key for row in grid.measured if row.kind in ("knockout", "null") or row.part}
    # Where several open, those that come out of the block before stand in front.
    found.sort(key=lambda branch: (branch.enters, branch.row in unedited))
    return tuple(found)


def _branches(
    row: Row, layer: int, samples: int, settings: Settings, layers: int
) -> Iterator[Branch]:
    carries: Positions = "onward" if row.positions == "subject" else row.positions
    for j in range(samples if row.drawn else 0):
        put_in, into = (1 + j, CLEAN) if row.states != "clean" else (CLEAN, 1 + j)
        if row.kind == "corrupted":
            yield Branch(row.key, layer, layers, row.positions, 1 + j, CLEAN, sample=j)
        elif row.part is not None:
            inside = blocks_of(row, layer, settings, layers)
            yield Branch(
                row.key, layer, inside[0], carries, into, into, inside, sample=j, put=put_in,
                part=row.part, edited=row.positions,
            )  # fmt: skip
        elif row.kind != "patch":
            yield Branch(row.key, layer, layer + 1, carries, CLEAN, CLEAN, moved=True, sample=j)
        elif row.positions == "subject":
            yield Branch(row.key, layer, layer + 1, "tail", run=into, prefix=put_in, sample=j)
        else:
            yield Branch(row.key, layer, layer + 1, row.positions, put_in, prefix=into, sample=j)
    if row.drawn:
        return
    inside = blocks_of(row, layer, settings, layers)
    # An empty window edits nothing; its branch leaves at block 0 like a null edit.
    enters = inside[0] if inside else 0
    yield Branch(row.key, layer, enters, row.positions, CLEAN, CLEAN, inside, row.hidden)


@lru_cache(maxsize=64)
def map_branches(grid: Grid, settings: Settings, tokens: range, samples: int) -> tuple[Branch, ...]:
    """Return the branches of some tokens of all maps.

    Args:
        grid: what is measured.
        settings: the window of the parts.
        tokens: positions, none of them in front of every subject.
        samples: corrupted runs for each prompt.
    """

    def branch(name: str, layer: int, token: int, sample: int) -> Branch:
        about = map_of(name)
        run, put = (1 + sample, CLEAN) if about.denoising else (CLEAN, 1 + sample)
        if about.part is None:
            return Branch(name, layer, layer + 1, token, run, run, sample=sample, put=put)
        inside = part_blocks(layer, settings, grid.layers)
        return Branch(
            name, layer, inside[0], token, run, run, inside, sample=sample, put=put,
            part=about.part,
        )  # fmt: skip

    return tuple(
        branch(name, layer, token, sample)
        for layer in grid.measured_layers
        for token in tokens
        for name in grid.maps
        for sample in range(samples)
    )
