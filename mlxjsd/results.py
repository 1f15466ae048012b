"""What a run has measured, free of MLX: what is drawn, printed or exported reads this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlxjsd.settings import Settings


@dataclass(frozen=True)
class Record:
    """One measured prompt."""

    id: str
    position: int
    """Its place in the data file."""
    text: str
    subject: str
    relation: str | None
    answers: tuple[str, ...]
    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    """The text of each token."""
    subject_span: tuple[int, int]
    """Tokens [start, end) of the subject."""
    source: dict[str, Any]
    """What the subject's states were replaced from."""
    prediction: str
    """Text of the clean run's most probable next token."""
    probability: float
    entropy: float
    """Of the clean next-token distribution, in nats."""
    jsd: np.ndarray
    """(3, L) float32, nats; NaN in Attn. where no block of the window attends."""
    reliance: float
    """JSD in nats when nothing after the subject may attend to it; NaN where no block attends."""
    floor: float
    """JSD in nats when nothing is edited."""
    norms: np.ndarray
    """(L,) float32: mean L2 norm of the subject's clean states as they leave each block."""
    answer: str | None = None
    """What the model writes after the prompt, greedily, cut at the first sentence; None if it
    was not asked to."""
    flags: tuple[str, ...] = ()
    """What is odd about the subject's place; see :mod:`mlxjsd.prompts.flags`."""
    popularity: float | None = None
    """See :attr:`mlxjsd.prompts.prompt.Prompt.popularity`."""


@dataclass(frozen=True)
class Skipped:
    """A prompt that was not measured, or could not be."""

    id: str
    position: int
    reason: str


@dataclass(frozen=True)
class Run:
    """A run as it was read from disk, finished or not."""

    settings: Settings
    model: dict[str, Any]
    data: dict[str, Any]
    versions: dict[str, str]
    layers: int
    total: int
    """Prompts that the run is about, measured or not; skipped ones not counted."""
    records: Sequence[Record]
    """In the order of the data file."""
    skipped: Sequence[Skipped] = field(default=())
    """Prompts that cannot be measured, found out before anything was."""
    failed: Sequence[Skipped] = field(default=())
    """Prompts that were tried, and whose numbers could not be trusted or did not fit in memory;
    they are among ``total``."""
    labelling: Mapping[str, Any] = field(default_factory=dict)
    """``max_tokens`` of the answers (None: not asked for), and the ``match`` and
    ``reliance_threshold`` that sort them."""
    cosines: Mapping[str, Any] = field(default_factory=dict)
    """``groups`` (mean pairwise cosine of last-token states by layer, for each category) and the
    ``labelling`` for which they hold; empty until the run is finished."""
    floor_limit: float | None = None
    """nats that the noise floor may have in this dtype; None in runs of older versions."""

    @property
    def finished(self) -> bool:
        """Whether every prompt has been tried."""
        return len(self.records) + len(self.failed) >= self.total

    def jsd(self) -> np.ndarray:
        """Return (N, 3, L) float32 in nats, prompts in the order of ``records``."""
        if not self.records:
            return np.zeros((0, 3, self.layers), np.float32)
        return np.stack([record.jsd for record in self.records])
