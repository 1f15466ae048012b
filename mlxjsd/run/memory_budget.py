"""How many prompts a pass may hold: from what its branches take, and what the machine has.

An upper bound, kept simple. At the last block every branch is open, and a pass holds for each
of them a copy of its prefix's keys and values, its states, and what a block makes of those on
the way; then the logits that are read out at one time. What MLX was seen to hold lies between
half of it and all of it (tests/test_budget.py).
"""

from collections import Counter
from dataclasses import dataclass, replace

import mlx.core as mx

from mlxjsd.errors import InputError
from mlxjsd.interventions.branches import Branch, branches_of
from mlxjsd.interventions.cost import Shape
from mlxjsd.interventions.sweep import READOUT_ELEMENTS
from mlxjsd.model.allocations import Allocations, allocations_of
from mlxjsd.model.loaded import LoadedModel, weights_bytes
from mlxjsd.records import Grid
from mlxjsd.settings import Settings

#: Of what the machine recommends, the share that a run takes unless told otherwise.
SHARE = 0.9
#: Without a recommendation: the share of what MLX would take at the most. On a CPU it is all
#: memory but a fifth, and the system and other programs live in it.
SHARE_OF_LIMIT = 0.6


@dataclass(frozen=True)
class Footprint:
    """What decides how much memory a pass over one model takes."""

    settings: Settings
    layers: int
    hidden: int
    vocabulary: int
    item: int
    """Bytes of a number."""
    weights: int
    """Bytes."""
    one_pass: bool
    """Whether all cells are measured together."""
    blocks: tuple[Allocations, ...]
    """Of each kind of block."""

    @classmethod
    def of(cls, model: LoadedModel, settings: Settings) -> "Footprint":
        """Look at a loaded model, and at what is to be measured of it."""
        blocks, identity = model.blocks, model.identity
        return cls(
            settings,
            layers=len(blocks),
            hidden=identity.hidden_size,
            vocabulary=identity.vocabulary,
            item=4 if identity.dtype == "float32" else 2,
            weights=weights_bytes(blocks.model),
            one_pass=blocks.anatomy.trouble is None,
            blocks=allocations_of(blocks),
        )

    def prompt_bytes(self, shape: Shape) -> float:
        """Return what each prompt of ``shape`` adds to a pass, at its last block."""
        length, samples = shape.length, shape.samples
        if not self.one_pass:
            return self._plain_bytes(shape)
        rows = Counter(b.carries for b in self._branches(samples) if b.enters < self.layers)
        # Rows and queries of each call: the clean run, the corrupted ones and two of branches.
        calls = [(1, length), (samples, length - shape.first)]
        calls += [(rows["last"], 1), (rows["tail"], length - shape.end)]
        states = 4 * self.hidden * self.item * sum(rows * queries for rows, queries in calls)
        sources = 2 * (1 + samples) * length
        return states + max(
            sources * block.kept
            # Before one call is over, MLX has begun the next.
            + sum(sorted(rows * block.row(queries, length) for rows, queries in calls)[-2:])
            for block in self.blocks
        )

    def _plain_bytes(self, shape):
        length = shape.length
        states = (self.layers+2) * (1 + shape.samples) * length * self.hidden * self.item
        return states + 2 * max(block.row(length, length) for block in self.blocks) + (self.item+8)*self.vocabulary*length

    def _branches(self, samples: int) -> tuple[Branch, ...]:
        return branches_of(Grid.of(self.settings, self.layers), self.settings, samples)

    def readout_bytes(self, shape: Shape) -> int:
        """Return what the logits take that are read out at one time."""
        branches = 2 + self.layers * (1 + 2 * shape.samples)
        # At least one row for each prompt; as they are, normalised, and what each token adds.
        elements = min(READOUT_ELEMENTS, shape.size * branches * self.vocabulary)
        return (elements + shape.size * self.vocabulary) * (self.item + 8)

    def pass_bytes(self, shape: Shape) -> int:
        """Return what a pass over the prompts of ``shape`` takes beside the weights."""
        constant = max(block.constant for block in self.blocks)
        return int(shape.size * self.prompt_bytes(shape) + self.readout_bytes(shape) + constant)


@dataclass(frozen=True)
class Budget:
    """How much memory a run may take, weights included, and by whose word."""

    limit: int
    """Bytes."""
    given: bool
    """Whether it was asked for, not worked out."""

    @classmethod
    def of(cls, gigabytes: float | None = None) -> "Budget":
        """Return the budget that was asked for, or what this machine recommends.

        Raises:
            InputError: if ``gigabytes`` is no positive number.
        """
        if gigabytes is not None:
            if not 0 < gigabytes < float("inf"):
                raise InputError(
                    f"the memory must be a positive number of GB, not {gigabytes}",
                    hint="give one with --memory",
                )
            return cls(int(gigabytes * 1e9), given=True)
        recommended = mx.device_info().get("max_recommended_working_set_size")
        if recommended:
            return cls(int(SHARE * int(recommended)), given=False)
        return cls(int(SHARE_OF_LIMIT * mx.get_memory_limit()), given=False)

    def prompts(self, footprint: Footprint, shape: Shape, most: int) -> int:
        """Return how many prompts of ``shape`` may go through the model together, 1 .. ``most``.

        Raises:
            InputError: if the memory was asked for and is too small for a single one.
        """
        for size in range(most, 0, -1):
            needed = footprint.weights + footprint.pass_bytes(replace(shape, size=size))
            if needed <= self.limit:
                return size
        if self.given:
            raise InputError(
                f"a prompt of {shape.length} tokens needs {needed / 1e9:.2f} GB with "
                f"this model, more than the {self.limit / 1e9:.2f} GB of --memory",
                hint="allow that much",
            )
        return 1  # tried all the same: the bound is cautious


def bound_reuse(footprint: Footprint, shape: Shape) -> None:
    """Bound the buffers that MLX keeps for reuse by what one pass over ``shape`` takes."""
    mx.set_cache_limit(footprint.pass_bytes(shape))
