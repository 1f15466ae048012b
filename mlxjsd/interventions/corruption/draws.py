"""What rows draw at random at each layer, and by how much states vary there."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.corruption.noise import draw, of_one_length
from mlxjsd.interventions.corruption.protocol import Model
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.stepping import BlockCall
from mlxjsd.prompts.encode import Encoded
from mlxjsd.row_names import named
from mlxjsd.rows import ROWS, Positions, Row
from mlxjsd.settings import Settings

#: Prompts that the deviation of states is taken over at most; of more they are drawn by the seed.
#: Each costs a forward pass, in every call that begins or goes on with a run.
PROMPTS = 512
#: Prompts that are run together.
_TOGETHER = 16


def drawing_rows(settings: Settings) -> list[Row]:
    """Return the rows that draw something at each layer, of those that are measured."""
    rows = (ROWS[key] for key in settings.rows if named(key, settings.direction, settings.windows))
    return [row for row in rows if row.kind in ("noise", "random")]


def noisy_positions(rows: Sequence[Row]) -> set[Positions]:
    """Return the tokens to whose states noise is added."""
    return {row.positions for row in rows if row.kind == "noise"}


@dataclass(frozen=True)
class Drawing:
    """What is drawn for any prompt of a run."""

    seed: int
    hidden: int
    deviations: dict[Positions, np.ndarray]
    """Of the noise for each layer, (L,), by the tokens that it is added to."""

    @classmethod
    def of(cls, settings: Settings, prompts: Sequence[Encoded], model: Model) -> "Drawing | None":
        """Prepare for all usable prompts of the data, before any limit; None if no row draws."""
        rows = drawing_rows(settings)
        if not rows:
            return None
        blocks, noisy = model.blocks, noisy_positions(rows)
        deviations = state_deviations(blocks, prompts, settings.seed) if noisy else {}
        hidden = blocks.embed(mx.array([prompts[0].tokens])).shape[-1]
        levels = {p: settings.noise_level * deviations[p] for p in noisy}
        return cls(settings.seed, hidden, levels)

    def batch(self, prompts: Sequence[Encoded]) -> "BatchDraws":
        """Return what is drawn for the prompts of one batch."""
        return BatchDraws(self, tuple(prompts))


@dataclass(frozen=True)
class BatchDraws:
    """See :class:`mlxjsd.interventions.spec.Draws`."""

    by: Drawing
    prompts: tuple[Encoded, ...]

    def noise(self, row: Row, layer: int, sample: int) -> np.ndarray:
        """Return what is added to the states that leave a layer, (B, tokens, hidden) float32."""
        return self._drawn(row, layer, sample) * np.float32(
            self.by.deviations[row.positions][layer]
        )

    def direction(self, row: Row, layer: int, sample: int) -> np.ndarray:
        """Return a unit vector for each token, (B, tokens, hidden) float32."""
        drawn = self._drawn(row, layer, sample)
        length = np.linalg.norm(drawn, axis=-1, keepdims=True)
        return drawn / np.where(length > 0, length, np.float32(1))

    def _drawn(self, row: Row, layer: int, sample: int) -> np.ndarray:
        last = row.positions == "last"
        counts = [1 if last else prompt.end - prompt.start for prompt in self.prompts]
        found = np.zeros((len(self.prompts), max(counts), self.by.hidden), np.float32)
        for at, (prompt, count) in enumerate(zip(self.prompts, counts, strict=True)):
            name = f"{prompt.prompt.id}\0{row.key}\0{layer}"
            shape = count, self.by.hidden
            found[at, found.shape[1] - count :] = draw(self.by.seed, name, sample, shape)
        return found


def state_deviations(
    blocks: Blocks, prompts: Sequence[Encoded], seed: int
) -> dict[Positions, np.ndarray]:
    """Return by how much states vary as they leave each block.

    This is to a layer what :func:`mlxjsd.interventions.corruption.noise.embedding_deviation` is
    to the embeddings: a population standard deviation over all entries.

    Args:
        blocks: of the model.
        prompts: all usable ones of the data; at most ``PROMPTS`` of them are run.
        seed: draws these.

    Returns:
        (L,) float64 each, of the subjects' states and of the last tokens'.
    """
    if len(prompts) > PROMPTS:

        def key(prompt: Encoded) -> bytes:
            return hashlib.sha256(f"{seed}\0{prompt.prompt.id}".encode()).digest()

        prompts = sorted(prompts, key=key)[:PROMPTS]
    counts = np.zeros(2)
    sums = np.zeros((2, 2, len(blocks)))  # of the values and of their squares
    for tokens, inside in of_one_length(prompts, _TOGETHER):
        last = np.zeros_like(inside)
        last[:, -1] = True
        where = np.stack([inside, last])
        found, hidden = _moments(blocks, tokens, where)
        sums += found
        counts += where.sum(axis=(1, 2)) * hidden
    mean, squares = sums / counts[:, None]
    deviations = np.sqrt(np.maximum(squares - mean * mean, 0.0))
    return {"subject": deviations[0], "last": deviations[1]}


def _moments(blocks: Blocks, tokens: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, int]:
    """Return sums of states and of their squares, (2, 2, L), and how many numbers a state has.

    Args:
        blocks: of the model.
        tokens: (B, T).
        where: two sets of tokens, (2, B, T) bool.
    """
    inside = mx.array(where)[..., None]
    sums: list[mx.array] = []
    sizes: list[int] = []

    def visit(call: BlockCall) -> mx.array:
        out = call.forward(call.x, call.mask)
        states = out.astype(mx.float32)[None]
        chosen = mx.where(inside, states, 0.0)
        sums.append(mx.stack([mx.sum(a, axis=(1, 2, 3)) for a in (chosen, chosen * chosen)]))
        sizes.append(out.shape[-1])
        return out if call.index < len(blocks) - 1 else out[:, -1:]

    mx.eval(blocks.run(mx.array(tokens), visit))
    return np.array(mx.stack(sums, axis=-1)).astype(np.float64), sizes[0]
