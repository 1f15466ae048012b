"""How many prompts a pass may hold: from what its branches take, and what the machine has.

An upper bound, kept simple. At the last block every branch is open, and a pass holds for each
of them a copy of its prefix's keys and values, its states, and what a block makes of those on
the way; then the logits that are read out at one time. What MLX was seen to hold lies between
half of it and all of it (tests/test_budget.py).
"""

from dataclasses import dataclass, replace

import mlx.core as mx

from mlxjsd.errors import InputError
from mlxjsd.interventions.cost import Shape
from mlxjsd.interventions.sweep import READOUT_ELEMENTS
from mlxjsd.model.loaded import LoadedModel, weights_bytes

#: Of what the machine recommends, the share that a run takes unless told otherwise.
SHARE = 0.9
#: Without a recommendation: the share of what MLX would take at the most. On a CPU it is all
#: memory but a fifth, and the system and other programs live in it.
SHARE_OF_LIMIT = 0.6
#: Experts that a token is sent to in one block: no family of MLX-LM takes more.
EXPERTS = 8


@dataclass(frozen=True)
class Footprint:
    """What decides how much memory a pass over one model takes."""

    layers: int
    hidden: int
    heads: int
    """Of queries, each with a score for every token."""
    keys: int
    """Numbers that a token's keys and values take in one block, at the most."""
    outputs: int
    """Numbers that the products of one block give for a token, at the most."""
    vocabulary: int
    item: int
    """Bytes of a number."""
    weights: int
    """Bytes."""

    @classmethod
    def of(cls, model: LoadedModel) -> "Footprint":
        """Look at a loaded model."""
        blocks, identity = model.blocks, model.identity
        kept = [block.keys for block in blocks.anatomy.blocks if block.keys]
        return cls(
            layers=len(blocks),
            hidden=identity.hidden_size,
            heads=max((identity.hidden_size // depth for _, depth in kept), default=0),
            keys=2 * max((heads * depth for heads, depth in kept), default=0),
            outputs=max(sum(map(_outputs, block.modules())) for block in blocks.blocks),
            vocabulary=identity.vocabulary,
            item=4 if identity.dtype == "float32" else 2,
            weights=weights_bytes(blocks.model),
        )

    def prompt_bytes(self, shape: Shape) -> int:
        """Return what each prompt of ``shape`` adds to a pass."""
        tail, samples = shape.length - shape.end, shape.samples
        one = 1 + self.layers + samples * (self.layers - 1)  # branches of one token
        more = 1 + samples * (self.layers - 1)  # branches of the tail
        prefixes = (one + more) * shape.length * self.keys
        tokens = one + more * tail
        whole = (1 + samples) * shape.length  # tokens of the clean and the corrupted rows
        a_token = 4 * self.hidden + self.outputs + 2 * self.heads * shape.length
        sources = 2 * whole * self.keys
        return self.item * (prefixes + sources + (tokens + whole) * a_token)

    def readout_bytes(self, shape: Shape) -> int:
        """Return what the logits take that are read out at one time."""
        branches = 2 + self.layers * (1 + 2 * shape.samples)
        # At least one row for each prompt; as they are, normalised, and what each token adds.
        elements = min(READOUT_ELEMENTS, shape.size * branches * self.vocabulary)
        return (elements + shape.size * self.vocabulary) * (self.item + 8)

    def pass_bytes(self, shape: Shape) -> int:
        """Return what a pass over the prompts of ``shape`` takes beside the weights."""
        return shape.size * self.prompt_bytes(shape) + self.readout_bytes(shape)


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


def _outputs(module: object) -> int:
    """Return how many numbers a product gives for a token; 0 for what is no product."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, mx.array) or weight.ndim < 2:
        return 0
    return int(weight.shape[-2]) * (1 if weight.ndim == 2 else EXPERTS)
