"""How alike the last token's states are within a group of prompts, layer by layer.

The mean cosine over all pairs of n states needs no pairs. With u_i the states scaled to length
one and S their sum,

    sum over i != j of u_i . u_j  =  |S|^2 - n,

so the mean is (|S|^2 - n) / (n (n - 1)), exactly, from a running sum and a count. Which group a
prompt belongs to is known only once all are measured (the reliance threshold is a mean over
the run), so the sums are taken at the end: of the directions that the sweep found, and of those
of clean forward passes where they were not kept.
"""

from collections.abc import Mapping, Sequence

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.clean_run import clean_block
from mlxjsd.interventions.common import last_direction
from mlxjsd.interventions.spec import shared_beginning
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.stepping import BlockCall


def last_token_directions(blocks: Blocks, tokens: np.ndarray, first: int = 0) -> np.ndarray:
    """Return the last token's state as it leaves each block, scaled to length one.

    Args:
        blocks: of the model.
        tokens: (B, T).
        first: where the first subject begins.

    Returns:
        (B, L, hidden) float32: :attr:`mlxjsd.interventions.spec.Measurement.directions` of the
        same prompts, to the last bit.
    """
    found: list[mx.array] = []
    one_pass = not blocks.anatomy.trouble
    shared = shared_beginning(tokens, first) if one_pass else 0

    keeps = [block.keys is not None for block in blocks.anatomy.blocks]

    def visit(call: BlockCall) -> mx.array:
        if one_pass:
            out, _ = clean_block(call, call.x, shared, keeps[call.index])
        else:
            out = call.forward(call.x, call.mask)
        found.append(last_direction(out))
        return out if call.index < len(blocks) - 1 else out[:, -1:]

    mx.eval(blocks.run(mx.array(tokens), visit))
    return np.array(mx.stack(found, axis=1))


class DirectionSums:
    """Running sums of directions, by group."""

    def __init__(self) -> None:
        self._sums: dict[str, np.ndarray] = {}
        self._counts: dict[str, int] = {}

    def add(self, groups: Sequence[str | None], directions: np.ndarray) -> None:
        """Add ``directions`` (B, L, hidden) to their ``groups`` (B); None belongs to none."""
        for name, direction in zip(groups, directions.astype(np.float64), strict=True):
            if name is not None:
                self._sums[name] = self._sums.get(name, 0.0) + direction
                self._counts[name] = self._counts.get(name, 0) + 1

    def include(self, other: "DirectionSums") -> None:
        """Add what another has seen."""
        for name, total in other._sums.items():
            self._sums[name] = self._sums.get(name, 0.0) + total
            self._counts[name] = self._counts.get(name, 0) + other._counts[name]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the sums and counts as arrays, by names that :meth:`of` knows."""
        sums = {f"sum {name}": total for name, total in self._sums.items()}
        return sums | {f"count {name}": np.array(n) for name, n in self._counts.items()}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "DirectionSums":
        """Return what :meth:`arrays` was made of."""
        made = cls()
        for name in arrays:
            kind, _, group = name.partition(" ")
            if kind == "sum":
                made._sums[group] = arrays[name]
                made._counts[group] = int(arrays[f"count {group}"])
        return made

    def cosines(self) -> dict[str, list[float | None]]:
        """Return each group's mean pairwise cosine by layer (L); None for a single prompt."""
        return {
            name: mean_pairwise_cosine(total, self._counts[name])
            for name, total in self._sums.items()
        }


def mean_pairwise_cosine(total: np.ndarray, count: int) -> list[float | None]:
    """Return the mean cosine over all pairs, by layer, from the sum ``total`` (L, hidden)."""
    if count < 2:
        return [None] * len(total)
    squares = np.square(total).sum(axis=-1)
    return [float(v) for v in (squares - count) / (count * (count - 1))]
