"""What a pass costs, in token-blocks: one token going through one block once.

Counted from the same plan that the passes follow, so a measured time divided by it says how
well the machine is used. With T tokens, the subject in [s, e), S corrupted runs and L blocks:

    clean rows       T L                        what all B prompts of a batch begin with, once
    corrupted rows   S (T - s) L
    Subj. l          S (T - e) (L - 1 - l)      summed over l: S (T - e) L (L - 1) / 2
    Last. l          S (L - 1 - l)              summed over l: S L (L - 1) / 2
    restored         the same as the row that goes the other way
    Subj. noise l    S (T - s) (L - 1 - l)      and Subj. random
    Last. noise l    S (L - 1 - l)
    Subj. MLP l      S (T - s) (L - first block of l's window), and Subj. attention
    Last. MLP l      S (L - first block of l's window), and Last. attention
    Attn. l          L - (first block of l's window), for each kind and window
    reliance         (T - e) L
    floor            L

The plain way takes T L for each of its passes: the clean run, S corrupted ones, S for each cell of
a row that is drawn, one for each knockout and the floor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.interventions.branches import Branch, branches_of, map_branches
from mlxjsd.interventions.spec import Batch, shared_beginning, start_of
from mlxjsd.prompts.encode import Encoded
from mlxjsd.records import Grid
from mlxjsd.settings import Settings


@dataclass(frozen=True)
class Shape:
    """What the cost of a batch depends on."""

    size: int
    """Prompts."""
    length: int
    """Tokens of each, T."""
    first: int
    """The first position that any corruption changes, s."""
    end: int
    """Where every subject ends, e."""
    samples: int
    """Corrupted runs for each prompt, S."""
    shared: int = 0
    """Tokens that all begin with and that are run once."""

    @classmethod
    def of(cls, batch: Sequence[Encoded], settings: Settings) -> "Shape":
        """Return the shape of prompts that go through the model together."""
        first = min(prompt.start for prompt in batch)
        tokens = np.array([prompt.tokens for prompt in batch])
        size, length = tokens.shape
        shared = shared_beginning(tokens, first)
        return cls(size, length, first, batch[0].end, settings.samples, shared)

    def carried(self, branch: Branch) -> int:
        """Return how many tokens a branch carries."""
        return self.length - start_of(branch.carries, self.first, self.end, self.length)

    @classmethod
    def made(cls, batch: Batch) -> "Shape":
        """Return the shape of a batch that has been made."""
        return cls(batch.size, batch.length, batch.first, batch.end, batch.samples, batch.shared)


def sweep_token_blocks(shape: Shape, settings: Settings, layers: int) -> int:
    """Return what the one pass takes."""
    each = (
        shape.length * layers
        + shape.samples * (shape.length - shape.first) * layers
        + sum(
            shape.carried(branch) * (layers - branch.enters)
            for branch in branches_of(Grid.of(settings, layers), settings, shape.samples)
        )
    )
    return shape.size * each - (shape.size - 1) * shape.shared * layers


def map_token_blocks(shape: Shape, settings: Settings, layers: int) -> tuple[int, int]:
    """Return what the maps of one pass take, and what one forward pass for each cell takes.

    Without the clean and the corrupted runs, which a map goes through once more.
    """
    grid = Grid.of(settings, layers)
    tokens = range(shape.first, shape.length)
    branches = map_branches(grid, settings, tokens, shape.samples)
    swept = sum(shape.carried(branch) * (layers - branch.enters) for branch in branches)
    return shape.size * swept, shape.size * len(branches) * shape.length * layers


def reference_token_blocks(shape: Shape, settings: Settings, layers: int) -> int:
    """Return what one forward pass for each cell takes."""
    passes = 1 + shape.samples
    grid = Grid.of(settings, layers)
    for row in grid.measured:
        if row.kind != "corrupted":  # which is run already
            passes += len(grid.layers_of(row)) * (shape.samples if row.drawn else 1)
    return shape.size * shape.length * layers * passes


def forward_token_blocks(shape: Shape, layers: int) -> int:
    """Return what one plain forward pass over the same prompts takes."""
    return shape.size * shape.length * layers
