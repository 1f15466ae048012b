"""How many prompts a pass may hold: from what its calls take, and what the machine has.

An upper bound. At the last block every branch is open. A pass then holds the states of all
branches, the keys and values that they go on over, and what the block makes of those in its
calls, of which nothing is taken to be freed in time; then the logits that are read out at one
time. What a call makes is read from its graph (:mod:`mlxjsd.model.allocations`). MLX was seen to
hold between a quarter and nine tenths of it (tests/run/test_memory_budget.py).
"""

from collections import Counter
from dataclasses import dataclass, replace

import mlx.core as mx

from mlxjsd.errors import InputError
from mlxjsd.interventions.branches import Branch, branches_of
from mlxjsd.interventions.cost import Shape
from mlxjsd.interventions.maps import PASS_BYTES as MAP_PASS
from mlxjsd.interventions.sweep import READOUT_ELEMENTS
from mlxjsd.model.allocations import Allocations
from mlxjsd.model.loaded import LoadedModel, weights_bytes
from mlxjsd.records import Grid
from mlxjsd.settings import Settings

#: Of what the machine recommends, the share that a run takes unless told otherwise.
SHARE = 0.9
#: Without a recommendation: the share of what MLX would take at the most. On a CPU it is all
#: memory but a fifth, and the system and other programs live in it.
SHARE_OF_LIMIT = 0.6
#: Of what the weights leave, the share for the keys and values of prompts that were measured and
#: are not answered yet.
SHARE_HELD = 0.05
#: And for the last token's directions, which are held until the run ends.
SHARE_DIRECTIONS = 0.02
#: Copies of a token's state that a pass holds beside what its calls make: those that enter and
#: leave a block, and those of the branches before and after they are joined.
STATES = 4


@dataclass(frozen=True)
class Footprint:
    """What decides how much memory a pass over one model takes."""

    settings: Settings
    """Which rows are measured."""
    layers: int
    hidden: int
    vocabulary: int
    item: int
    """Bytes of a number."""
    weights: int
    """Bytes."""
    one_pass: bool
    """Whether all cells are measured in one pass, or each in a pass of its own."""
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
            blocks=blocks.allocations,
        )

    def pass_bytes(self, shape: Shape) -> int:
        """Return what a pass over the prompts of ``shape`` takes beside the weights."""
        constant = max(block.constant for block in self.blocks)
        if self.one_pass:
            each, logits = self._one_pass_bytes(shape), self._readout_elements(shape)
        else:
            each, logits = self._plain_bytes(shape), self._plain_elements(shape)
        # The logits as they are and, for each metric, normalised, and what each token adds.
        copies = self.item + 8 * len(self.settings.metrics)
        maps = MAP_PASS if self.settings.maps else 0
        return max(int(shape.size * each + logits * copies), maps) + int(constant)

    @property
    def kept(self) -> int:
        """Bytes of a token's keys and values in all blocks, as its clean run leaves them."""
        return int(self.layers * max(block.kept for block in self.blocks)) if self.one_pass else 0

    def _one_pass_bytes(self, shape: Shape) -> float:
        """Return what each prompt takes in the one pass, before its logits."""
        length, samples = shape.length, shape.samples
        branches = Counter(
            shape.carried(b) for b in self._branches(samples) if b.enters < self.layers
        )
        # (queries, rows) of each call: the clean run, the corrupted ones and the branches.
        calls = [(length, 1), (length - shape.first, samples), *branches.items()]
        # Of parts: what is put in, and what comes of it; and what the runs' own parts give.
        parts = len(self.settings.parts)
        copies = STATES + (2 + parts if parts else 0)
        states = copies * self.hidden * self.item * sum(q * rows for q, rows in calls)
        # Keys and values as each run kept them, and side by side for the branches.
        sources = 2 * (1 + samples) * length
        return (
            states
            + length * self.kept
            + max(
                sources * block.kept + sum(rows * block.row(q, length) for q, rows in calls)
                for block in self.blocks
            )
        )

    def _readout_elements(self, shape: Shape) -> int:
        """Return how many logits of the one pass there are at one time."""
        row, branches = shape.size * self.vocabulary, len(self._branches(shape.samples))
        # Those of the clean and the corrupted runs, and at least one branch of each prompt.
        return (1 + shape.samples) * row + max(row, min(READOUT_ELEMENTS, branches * row))

    def _plain_bytes(self, shape: Shape) -> float:
        """Return what each prompt takes on the plain path, before its logits."""
        length = shape.length
        # The states of the clean and the corrupted runs, as they leave each block.
        recorded = (1 + shape.samples) * self.layers
        states = (STATES + recorded) * length * self.hidden * self.item
        return states + 2 * max(block.row(length, length) for block in self.blocks)

    def _plain_elements(self, shape: Shape) -> int:
        """Return how many logits there are on the plain path: of all tokens of every run."""
        return (2 + shape.samples) * shape.size * shape.length * self.vocabulary

    def _branches(self, samples: int) -> tuple[Branch, ...]:
        return branches_of(Grid.of(self.settings, self.layers), self.settings, samples)


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

    def tokens_held(self, footprint: Footprint) -> int:
        """Return of how many tokens keys and values may be held until they are answered."""
        return int(SHARE_HELD * self._left(footprint) / footprint.kept) if footprint.kept else 0

    def directions_held(self, footprint: Footprint) -> int:
        """Return of how many prompts the directions (L, hidden) may be held, in float32."""
        return int(
            SHARE_DIRECTIONS * self._left(footprint) / (4 * footprint.layers * footprint.hidden)
        )

    def _left(self, footprint: Footprint) -> int:
        return max(0, self.limit - footprint.weights)

    @staticmethod
    def needed(footprint: Footprint, shape: Shape) -> int:
        """Return the bytes that a run with passes of ``shape`` takes: weights and all."""
        share = SHARE_DIRECTIONS + (SHARE_HELD if footprint.kept else 0)
        return footprint.weights + int(footprint.pass_bytes(shape) / (1 - share))

    def prompts(self, footprint: Footprint, shape: Shape, most: int) -> int:
        """Return how many prompts of ``shape`` may go through the model together, 1 .. ``most``.

        Raises:
            InputError: if the memory was asked for and is too small for a single one.
        """
        for size in range(most, 0, -1):
            needed = self.needed(footprint, replace(shape, size=size))
            if needed <= self.limit:
                return size
        if self.given:
            raise InputError(
                f"a prompt of {shape.length} tokens needs {needed / 1e9:.2f} GB with "
                f"this model, more than the {self.limit / 1e9:.2f} GB of --memory",
                hint="allow that much",
            )
        return 1  # tried all the same: the bound is cautious
