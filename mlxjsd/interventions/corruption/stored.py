"""A corruption as a run has stored it: its prompts can be measured without their data file.

The width of the noise and the choice of a partner depend on a whole data file. Each record says
what came of that for its own prompt, and nothing more is needed to corrupt it in the same way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlxjsd.corruptions import NOISE, SWAP
from mlxjsd.interventions.corruption.noise import draw
from mlxjsd.interventions.corruption.protocol import Make, Model
from mlxjsd.prompts.encode import Encoded
from mlxjsd.settings import Settings

NOT_STORED = "the run does not say how it was corrupted"


class Stored:
    """Corrupts prompts as their records say; see :attr:`mlxjsd.records.Record.source`."""

    def __init__(
        self, settings: Settings, prompts: Sequence[Encoded], model: Model, sources: "Sources"
    ) -> None:
        self._settings, self._sources = settings, sources
        self._hidden = model.embed(np.array([prompts[0].tokens], dtype=np.int32)).shape[-1]

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why a prompt cannot be corrupted from what is stored of it, or None."""
        source = self.source(prompt)
        if source.get("kind") == NOISE.key:
            return None if "deviation" in source else NOT_STORED
        if source.get("kind") != SWAP.key:
            return NOT_STORED
        tokens = source.get("token_ids", ())
        before, after = prompt.tokens[: prompt.start], prompt.tokens[prompt.end :]
        same = tuple(tokens[: prompt.start]) == before and tuple(tokens[prompt.end :]) == after
        fits = same and len(tokens) == len(prompt.tokens)
        return None if fits else "the other prompt's tokens do not stand around its subject"

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what is stored of a prompt."""
        return dict(self._sources.get(prompt.prompt.id, {}))

    def tokens(self, prompt: Encoded) -> tuple[int, ...] | None:
        """Return the whole corrupted prompt; None for noise."""
        source = self.source(prompt)
        return tuple(source["token_ids"]) if source["kind"] == SWAP.key else None

    def change(self, prompt: Encoded, sample: int) -> np.ndarray | None:
        """Return what is added to the subject's embeddings, (subject tokens, hidden) float32."""
        shape = (prompt.end - prompt.start, self._hidden)
        drawn = draw(self._settings.seed, prompt.prompt.id, sample, shape)
        return drawn * np.float32(self.source(prompt)["deviation"])


Sources = Mapping[str, Mapping[str, Any]]
"""What is stored, by the prompt's id."""


def stored(sources: Sources) -> Make:
    """Return what makes a :class:`Stored` of these sources."""
    return lambda settings, prompts, model: Stored(settings, prompts, model, sources)
