"""Gaussian noise on the subject's embeddings (Meng et al. 2022)."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from mlxjsd.interventions.corruption.protocol import Embed, Model
from mlxjsd.prompts.encode import Encoded
from mlxjsd.settings import Settings

#: Prompts embedded at one time.
EMBED_ROWS = 64


class Noise:
    """Adds noise to what enters block 0 at the subject's tokens."""

    def __init__(self, settings: Settings, prompts: Sequence[Encoded], model: Model) -> None:
        self._settings = settings
        self.deviation = settings.noise_level * embedding_deviation(model.embed, prompts)
        self._hidden = model.embed(np.array([prompts[0].tokens], dtype=np.int32)).shape[-1]

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return None: every prompt can be corrupted by noise."""
        return None

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what the subject's states are replaced from, as JSON values."""
        # With it, the prompt can be measured again without the rest of its data file.
        return {"kind": "noise", "deviation": float(self.deviation)}

    def tokens(self, prompt: Encoded) -> tuple[int, ...] | None:
        """Return None: no token is replaced."""
        return None

    def change(self, prompt: Encoded, sample: int) -> np.ndarray | None:
        """Return what is added to the subject's embeddings, (subject tokens, hidden) float32."""
        shape = (prompt.end - prompt.start, self._hidden)
        drawn = draw(self._settings.seed, prompt.prompt.id, sample, shape)
        return drawn * np.float32(self.deviation)

    def other_answer(self, prompt: Encoded) -> int | None:
        """Return None: noise has no answer."""
        return None


def draw(seed: int, name: str, sample: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal noise, float32, that depends on nothing but the arguments."""
    key = hashlib.sha256(f"{seed}\0{sample}\0{name}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "big")))
    return generator.standard_normal(shape, dtype=np.float32)


def embedding_deviation(embed: Embed, prompts: Iterable[Encoded]) -> float:
    """Standard deviation of the subject tokens' embeddings, over all their entries.

    Meng et al. 2022, section 2.1, scale their noise by it.

    Args:
        embed: maps tokens (rows, T) to what enters block 0, (rows, T, hidden).
        prompts: all usable prompts of the data file.

    Returns:
        The population standard deviation. Each token at its place counts once for every
        prompt that it stands in.
    """
    count, total, squares = 0, 0.0, 0.0
    for tokens, inside in of_one_length(prompts, EMBED_ROWS):
        subject = embed(tokens)[inside].astype(np.float64)
        count += subject.size
        total += float(subject.sum())
        squares += float(np.square(subject).sum())
    mean = total / count
    return math.sqrt(max(squares / count - mean * mean, 0.0))


def of_one_length(
    prompts: Iterable[Encoded], at_once: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield prompts of one length together, some at a time, and which tokens are their subjects'.

    (rows, T) int32 and bool.
    """
    by_length: defaultdict[int, list[Encoded]] = defaultdict(list)
    for prompt in prompts:
        by_length[len(prompt.tokens)].append(prompt)
    for length, same in sorted(by_length.items()):
        for at in range(0, len(same), at_once):
            part = same[at : at + at_once]
            inside = [[p.start <= t < p.end for t in range(length)] for p in part]
            yield np.array([p.tokens for p in part], dtype=np.int32), np.array(inside)
