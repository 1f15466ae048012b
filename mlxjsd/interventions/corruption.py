"""How a subject is spoiled, as a pure function of the settings and the data file.

No draw and no choice depends on the batch that a prompt happens to be in, on its order,
or on how many prompts a run was limited to.
"""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from mlxjsd.interventions.spec import Batch
from mlxjsd.prompts.encode import Encoded
from mlxjsd.settings import Settings

#: Prompts embedded at one time.
EMBED_ROWS = 64
NO_PARTNER = "no other subject of this relation has as many tokens"


def draw(seed: int, name: str, sample: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal noise, float32, that depends on nothing but the arguments."""
    key = hashlib.sha256(f"{seed}\0{sample}\0{name}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "big")))
    return generator.standard_normal(shape, dtype=np.float32)


def embedding_deviation(
    embed: Callable[[np.ndarray], np.ndarray], prompts: Iterable[Encoded]
) -> float:
    """Standard deviation of the subject tokens' embeddings, over all their entries.

    Meng et al. 2022, section 2.1, scale their noise by it.

    Args:
        embed: maps tokens (rows, T) to what enters block 0, (rows, T, hidden).
        prompts: all usable prompts of the data file.

    Returns:
        The population standard deviation. Each token at its place counts once for every
        prompt that it stands in.
    """
    by_length: defaultdict[int, list[Encoded]] = defaultdict(list)
    for prompt in prompts:
        by_length[len(prompt.tokens)].append(prompt)
    count, total, squares = 0, 0.0, 0.0
    for length, same in sorted(by_length.items()):
        for at in range(0, len(same), EMBED_ROWS):
            part = same[at : at + EMBED_ROWS]
            states = embed(np.array([p.tokens for p in part], dtype=np.int32))
            inside = np.array([[p.start <= t < p.end for t in range(length)] for p in part])
            subject = states[inside].astype(np.float64)
            count += subject.size
            total += float(subject.sum())
            squares += float(np.square(subject).sum())
    mean = total / count
    return math.sqrt(max(squares / count - mean * mean, 0.0))


def choose_partners(prompts: Sequence[Encoded], seed: int) -> dict[str, Encoded]:
    """Choose, for each prompt, whose subject stands in for its own in a swap.

    The prompts of one relation whose subjects have as many tokens stand in a ring, in an
    order that depends on the seed; each takes the next one with another subject. Prompts
    without a relation form one relation of their own.

    Returns:
        Partners by prompt id; a prompt that has none is missing.
    """
    rings: defaultdict[tuple[str | None, int], list[Encoded]] = defaultdict(list)
    for prompt in prompts:
        rings[prompt.prompt.relation, prompt.end - prompt.start].append(prompt)
    partners = {}
    for ring in rings.values():
        ring.sort(key=lambda p: hashlib.sha256(f"{seed}\0{p.prompt.id}".encode()).digest())
        for at, prompt in enumerate(ring):
            others = (ring[(at + step) % len(ring)] for step in range(1, len(ring)))
            partner = next((o for o in others if o.subject_tokens != prompt.subject_tokens), None)
            if partner is not None:
                partners[prompt.prompt.id] = partner
    return partners


class Corruption:
    """Knows how to spoil every prompt of one data file."""

    def __init__(
        self,
        settings: Settings,
        prompts: Sequence[Encoded],
        embed: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        """Prepare for all usable ``prompts`` of the file, before any limit."""
        self.settings = settings
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="corruption")
        self._ahead: dict[tuple[str, ...], Future[Batch]] = {}
        self.deviation = 0.0
        self.partners: dict[str, Encoded] = {}
        if settings.corruption == "noise":
            self.deviation = settings.noise_level * embedding_deviation(embed, prompts)
            self.hidden = embed(np.array([prompts[0].tokens], dtype=np.int32)).shape[-1]
        else:
            self.partners = choose_partners(prompts, settings.seed)

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why ``prompt`` cannot be corrupted, or None."""
        if self.settings.corruption == "swap" and prompt.prompt.id not in self.partners:
            return NO_PARTNER
        return None

    def swapped_tokens(self, prompt: Encoded) -> tuple[int, ...]:
        """Return the whole corrupted prompt of a swap."""
        partner = self.partners[prompt.prompt.id]
        return prompt.tokens[: prompt.start] + partner.subject_tokens + prompt.tokens[prompt.end :]

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what the subject's states are replaced from, as JSON values."""
        if self.settings.corruption == "noise":
            return {"kind": "noise"}
        partner = self.partners[prompt.prompt.id]
        tokens = list(self.swapped_tokens(prompt))
        return {"kind": "swap", "id": partner.prompt.id, "token_ids": tokens}

    def prepare(self, prompts: Sequence[Encoded]) -> None:
        """Begin to make the batch that is asked for after this one, while the device computes.

        On a thread of its own, which it may be: only NumPy is at work. What is never asked for,
        since it is measured in parts, gives way to what comes later.
        """
        while len(self._ahead) > 1:
            del self._ahead[next(iter(self._ahead))]
        self._ahead[_ids(prompts)] = self._maker.submit(self._made, prompts)

    def batch(self, prompts: Sequence[Encoded]) -> Batch:
        """Put prompts of one length and one subject end together, with their corruption."""
        ahead = self._ahead.pop(_ids(prompts), None)
        return self._made(prompts) if ahead is None else ahead.result()

    def _made(self, prompts: Sequence[Encoded]) -> Batch:
        tokens = np.array([p.tokens for p in prompts], dtype=np.int32)
        starts = np.array([p.start for p in prompts], dtype=np.int32)
        end = prompts[0].end
        if self.settings.corruption == "swap":
            swapped = np.array([self.swapped_tokens(p) for p in prompts], dtype=np.int32)
            return Batch(tokens, starts, end, source_tokens=swapped)
        first = int(starts.min())
        shape = (len(prompts), self.settings.samples, end - first, self.hidden)
        noise = np.zeros(shape, dtype=np.float32)
        for row, prompt in enumerate(prompts):
            for sample in range(self.settings.samples):
                drawn = draw(
                    self.settings.seed, prompt.prompt.id, sample, (end - prompt.start, self.hidden)
                )
                noise[row, sample, prompt.start - first :] = drawn * np.float32(self.deviation)
        return Batch(tokens, starts, end, noise=noise)


def _ids(prompts: Sequence[Encoded]) -> tuple[str, ...]:
    return tuple(prompt.prompt.id for prompt in prompts)
