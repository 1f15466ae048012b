"""What each row of the heatmap edits, as data.

The sweep and the reference both read these, so that what is edited is said once and how it
is computed is said twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Tokens that a shared beginning must save in each block, so that it is run by itself.
SHARED_TOKENS = 64


def knockout_blocks(layer: int, window: int, layers: int) -> range:
    """Return the blocks in which attention is knocked out for the cell Attn. at ``layer``.

    max(0, layer - window // 2) .. min(layers - 1, layer + window // 2), both included
    (Geva et al. 2023); none for a window of 0.
    """
    if window == 0:
        return range(0)
    half = window // 2
    return range(max(0, layer - half), min(layers - 1, layer + half) + 1)


def shared_beginning(tokens: np.ndarray, first: int) -> int:
    """Return how many tokens, in front of every subject, are run once for all prompts.

    Args:
        tokens: (B, T) of a batch.
        first: the first position that any corruption changes.

    Returns:
        The length of the common beginning; 0 where it would save fewer than ``SHARED_TOKENS``
        tokens in each block, since it costs each block another call.
    """
    alike = (tokens[:, :first] == tokens[0, :first]).all(axis=0)
    length = first if alike.all() else int(alike.argmin())
    return length if (len(tokens) - 1) * length >= SHARED_TOKENS else 0


@dataclass(frozen=True)
class Batch:
    """Prompts of one length whose subjects end at one place, and how each is corrupted.

    Nothing is padded: every prompt of a batch has T tokens and its tail is [end, T).
    """

    tokens: np.ndarray
    """(B, T) int32."""
    starts: np.ndarray
    """(B,) int32: where each subject begins."""
    end: int
    """Where every subject ends; at least one token follows."""
    noise: np.ndarray | None = None
    """(B, S, end - min(starts), hidden) float32, added to what enters block 0 at the tokens
    [min(starts), end); zero in front of each subject. None for a swap."""
    source_tokens: np.ndarray | None = None
    """(B, T) int32: the corrupted prompt of a swap. None for noise."""

    def __post_init__(self) -> None:
        if (self.noise is None) == (self.source_tokens is None):
            raise ValueError("a batch is corrupted by noise or by a swap")
        if not 0 < self.end < self.tokens.shape[1]:
            raise ValueError("at least one token must follow the subject")

    @property
    def size(self) -> int:
        """How many prompts, B."""
        return self.tokens.shape[0]

    @property
    def length(self) -> int:
        """Tokens of each prompt, T."""
        return self.tokens.shape[1]

    @property
    def first(self) -> int:
        """The first position that any corruption changes."""
        return int(self.starts.min())

    @property
    def shared(self) -> int:
        """How many tokens the prompts begin with alike; see :func:`shared_beginning`."""
        return shared_beginning(self.tokens, self.first)

    @property
    def samples(self) -> int:
        """Corrupted runs for each prompt, S."""
        return 1 if self.noise is None else self.noise.shape[1]

    def subject_mask(self) -> np.ndarray:
        """Return (B, T) bool, True on the subject's tokens."""
        at = np.arange(self.length)[None]
        return (at >= self.starts[:, None]) & (at < self.end)


@dataclass(frozen=True)
class Measurement:
    """What was measured for each prompt of a batch; divergences are in nats."""

    jsd: np.ndarray
    """(B, 3, L) float32, rows as in ``ROWS``, averaged over the samples; NaN, "not applicable",
    in Attn. where no block of the window attends."""
    reliance: np.ndarray
    """(B,) float32: the tail never attends to the subject; NaN where no block attends."""
    floor: np.ndarray
    """(B,) float32: nothing is edited; the numerical noise of this machine."""
    prediction: np.ndarray
    """(B,) int32: the clean run's most probable next token."""
    probability: np.ndarray
    """(B,) float32: its probability."""
    entropy: np.ndarray
    """(B,) float32: of the clean next-token distribution, in nats."""
    norms: np.ndarray
    """(B, L) float32: mean L2 norm of the subject's clean states as they leave each block."""

    @classmethod
    def join(cls, parts: "Sequence[Measurement]") -> "Measurement":
        """Put the prompts of several measurements behind one another."""
        names = cls.__dataclass_fields__
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})
