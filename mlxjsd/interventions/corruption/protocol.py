"""What a corruption has to say of each prompt."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from mlxjsd.model.blocks import Blocks
from mlxjsd.prompts.encode import Encoded, Encoder
from mlxjsd.settings import Settings

Embed = Callable[[np.ndarray], np.ndarray]
"""Maps tokens (rows, T) to what enters block 0, (rows, T, hidden) float32."""


class Model(Protocol):
    """What a corruption may ask of the model."""

    @property
    def encoder(self) -> Encoder:
        """What reads prompts."""

    @property
    def blocks(self) -> Blocks:
        """Its blocks, for what depends on the states between them."""

    def embed(self, tokens: np.ndarray) -> np.ndarray:
        """See :data:`Embed`."""


class Corruptor(Protocol):
    """Corrupts the prompts of one data file, as a pure function of the settings and that file.

    No draw and no choice may depend on the batch that a prompt happens to be in, on its order, or
    on how many prompts a run was limited to. For each prompt, one of :meth:`tokens` and
    :meth:`change` gives something.
    """

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why a prompt cannot be corrupted, or None."""

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what the subject's states are replaced from, as JSON values with a ``kind``."""

    def tokens(self, prompt: Encoded) -> tuple[int, ...] | None:
        """Return the whole corrupted prompt, of the same length; None to keep the tokens."""

    def change(self, prompt: Encoded, sample: int) -> np.ndarray | None:
        """Return what is added to the subject's embeddings, (subject tokens, hidden); or None."""

    def other_answer(self, prompt: Encoded) -> int | None:
        """Return the first token of the corrupted prompt's own answer, where the data names one."""


Make = Callable[[Settings, Sequence[Encoded], Model], Corruptor]
"""Prepares for all usable prompts of a data file, before any limit."""
