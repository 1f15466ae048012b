"""A counterfactual prompt that the data brings: the same words about another subject.

Interchange interventions between two prompts are those of Vig et al. 2020 and Geiger et al. 2021.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlxjsd.interventions.corruption.protocol import Model
from mlxjsd.prompts.encode import Encoded, Encoder, Unusable
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.settings import Settings

NO_PAIR = "it has no counterfactual"


class Pair:
    """Puts the whole counterfactual prompt in the prompt's place."""

    def __init__(self, settings: Settings, prompts: Sequence[Encoded], model: Model) -> None:
        self._settings, self._encoder = settings, model.encoder
        self._pairs: dict[str, Encoded] = {}
        self._reasons: dict[str, str] = {}
        for prompt in prompts:
            try:
                self._pairs[prompt.prompt.id] = _pair_of(prompt, settings, model.encoder)
            except Unusable as reason:
                self._reasons[prompt.prompt.id] = str(reason)

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why a prompt's counterfactual cannot be used, or None."""
        return self._reasons.get(prompt.prompt.id)

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what the subject's states are replaced from, as JSON values."""
        pair = self._pairs[prompt.prompt.id]
        found: dict[str, Any] = {
            "kind": "pair",
            "subject": pair.prompt.subject,
            "text": pair.prompt.text,
            "token_ids": list(pair.tokens),
        }
        if pair.prompt.answers:
            found["answers"] = list(pair.prompt.answers)
        return found

    def tokens(self, prompt: Encoded) -> tuple[int, ...]:
        """Return the whole counterfactual prompt."""
        return self._pairs[prompt.prompt.id].tokens

    def change(self, prompt: Encoded, sample: int) -> np.ndarray | None:
        """Return None: no embedding is changed."""
        return None

    def other_answer(self, prompt: Encoded) -> int | None:
        """Return the first token of the counterfactual's first answer, as it follows it."""
        pair = self._pairs[prompt.prompt.id]
        return first_token(pair, self._encoder, self._settings)


def first_token(prompt: Encoded, encoder: Encoder, settings: Settings) -> int | None:
    """Return the first token of a prompt's first accepted answer; None where it has none."""
    if not prompt.prompt.answers:
        return None
    return encoder.following(prompt, prompt.prompt.answers[0], special_tokens=not settings.chat)


def _pair_of(encoded: Encoded, settings: Settings, encoder: Encoder) -> Encoded:
    """Return the counterfactual of a prompt in tokens.

    Raises:
        Unusable: with the reason, if it has none, or one that differs elsewhere.
    """
    prompt, given = encoded.prompt, encoded.prompt.counterfactual
    if given is None:
        raise Unusable(NO_PAIR)
    text, subject = given.text, given.subject
    start = None
    if subject is None:
        start, subject = _other_subject(encoded, given.text)
    other = Prompt(prompt.id, text, subject, start, given.answers, prompt.relation)
    try:
        pair = encoder.encode(other, settings.prompt_template, settings.chat)
    except Unusable as reason:
        raise Unusable(f"of its counterfactual, {reason}") from None
    if len(pair.tokens) != len(encoded.tokens):
        raise Unusable(
            f"its counterfactual has {len(pair.tokens)} tokens and it has {len(encoded.tokens)}"
        )
    before, after = slice(encoded.start), slice(encoded.end, None)
    if pair.tokens[before] != encoded.tokens[before] or pair.tokens[after] != encoded.tokens[after]:
        raise Unusable("its counterfactual differs elsewhere than in the subject")
    if pair.tokens == encoded.tokens:
        raise Unusable("its counterfactual is the same")
    return pair


def _other_subject(encoded: Encoded, text: str) -> tuple[int, str]:
    """Return where the other subject stands in a counterfactual text, and what it is.

    The prompt's own words may have been framed since, and the counterfactual not yet.
    """
    start, end = encoded.prompt.place()
    before, after = encoded.prompt.text[:start], encoded.prompt.text[end:]
    begins = next(n for n in range(len(text), -1, -1) if before.endswith(text[:n]))
    ends = next(n for n in range(begins, len(text) + 1) if after.startswith(text[n:]))
    subject = text[begins:ends]
    if not subject.strip():
        raise Unusable("its counterfactual is about no other subject")
    return begins, subject
