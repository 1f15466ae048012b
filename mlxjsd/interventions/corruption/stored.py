"""A corruption as a run has stored it: its prompts can be measured without their data file.

The width of noise and the choice of a partner depend on a whole data file. Each record says what
came of that for its own prompt, and nothing more is needed to corrupt it in the same way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.interventions.corruption.draws import Drawing, drawing_rows, noisy_positions
from mlxjsd.interventions.corruption.noise import draw
from mlxjsd.interventions.corruption.pair import first_token
from mlxjsd.interventions.corruption.protocol import Make, Model
from mlxjsd.prompts.encode import Encoded
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.rows import Positions
from mlxjsd.settings import Settings

NOT_STORED = "the run does not say how it was corrupted"
#: Under these names in a source: the deviation of the noise at the embeddings, and those of the
#: noise at each layer.
DEVIATION, LEVELS = "deviation", "levels"

Sources = Mapping[str, Mapping[str, Any]]
"""What is stored, by the prompt's id; see :attr:`mlxjsd.records.Record.source`."""


class Stored:
    """Corrupts prompts as their records say."""

    def __init__(
        self, settings: Settings, prompts: Sequence[Encoded], model: Model, sources: Sources
    ) -> None:
        self._settings, self._sources, self._encoder = settings, sources, model.encoder
        self._hidden = model.embed(np.array([prompts[0].tokens], dtype=np.int32)).shape[-1]

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why a prompt cannot be corrupted from what is stored of it, or None."""
        source = self.source(prompt)
        if source.get("kind") == "noise":
            return None if DEVIATION in source else NOT_STORED
        if "token_ids" not in source:
            return NOT_STORED
        tokens = source["token_ids"]
        before, after = prompt.tokens[: prompt.start], prompt.tokens[prompt.end :]
        same = tuple(tokens[: prompt.start]) == before and tuple(tokens[prompt.end :]) == after
        fits = same and len(tokens) == len(prompt.tokens)
        return None if fits else "the other prompt's tokens do not stand around its subject"

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what is stored of a prompt."""
        return dict(self._sources.get(prompt.prompt.id, {}))

    def tokens(self, prompt: Encoded) -> tuple[int, ...] | None:
        """Return the whole corrupted prompt; None for noise."""
        found = self.source(prompt).get("token_ids")
        return None if found is None else tuple(found)

    def change(self, prompt: Encoded, sample: int) -> np.ndarray | None:
        """Return what is added to the subject's embeddings, (subject tokens, hidden) float32."""
        source = self.source(prompt)
        if DEVIATION not in source:
            return None
        shape = (prompt.end - prompt.start, self._hidden)
        drawn = draw(self._settings.seed, prompt.prompt.id, sample, shape)
        return drawn * np.float32(source[DEVIATION])

    def other_answer(self, prompt: Encoded) -> int | None:
        """Return the first token of the corrupted prompt's own answer, where the data named one."""
        source = self.source(prompt)
        answers = source.get("answers")
        if not answers:
            return None
        pair = Prompt(prompt.prompt.id, source["text"], source["subject"], None, tuple(answers))
        tokens = tuple(source["token_ids"])
        encoded = Encoded(pair, tokens, prompt.start, prompt.end, (), prompt.begun)
        return first_token(encoded, self._encoder, self._settings)


def stored(sources: Sources) -> Make:
    """Return what makes a :class:`Stored` of these sources."""
    return lambda settings, prompts, model: Stored(settings, prompts, model, sources)


def levels_of(drawing: Drawing) -> dict[str, Any]:
    """Return by how much noise at the layers varies, as JSON values that say it to the last bit."""
    levels = {
        positions: [float(f"{level:.9g}") for level in np.asarray(found, np.float32).tolist()]
        for positions, found in drawing.deviations.items()
    }
    return {LEVELS: levels} if levels else {}


def stored_drawing(
    settings: Settings, prompts: Sequence[Encoded], model: Model, sources: Sources
) -> Drawing | None:
    """Return what rows draw at the layers, from what is stored; None if no row draws.

    Raises:
        InputError: if it is not stored, or not the same for all prompts.
    """
    rows = drawing_rows(settings)
    if not rows:
        return None
    said = [sources.get(prompt.prompt.id, {}).get(LEVELS) for prompt in prompts]
    layers = len(model.blocks)
    deviations: dict[Positions, np.ndarray] = {}
    for positions in noisy_positions(rows):
        found = [levels.get(positions) if isinstance(levels, dict) else None for levels in said]
        first = found[0]
        if not isinstance(first, list) or len(first) != layers or found != [first] * len(found):
            raise InputError(
                f"{NOT_STORED} at each layer, or in ways that differ",
                hint="give the file of prompts with --data",
            )
        try:
            deviations[positions] = np.array(first, np.float64)
        except (TypeError, ValueError):
            raise InputError(
                f"{NOT_STORED} at each layer", hint="give the file of prompts with --data"
            ) from None
    embedded = model.embed(np.array([prompts[0].tokens], dtype=np.int32))
    return Drawing(settings.seed, embedded.shape[-1], deviations)
