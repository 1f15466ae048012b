"""Another prompt's subject in place of the prompt's own (Zhang & Nanda 2024).

Its *text* is put into the prompt's own text, which is tokenized again: a subject at the start of
a text has other tokens than one after a space. A partner serves if nothing else changes then: as
many tokens, the same ones around the subject.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlxjsd.interventions.corruption.protocol import Model
from mlxjsd.prompts.encode import Encoded, Encoder, Unusable
from mlxjsd.settings import Settings

NO_PARTNER = "no other subject of this relation has as many tokens"
NO_RELATION = (
    "it has no relation, so no other subject is known to fit; give it one, or allow any with "
    "--swap-any"
)


@dataclass(frozen=True)
class Partner:
    """Whose subject stands in for a prompt's own, and what the prompt becomes."""

    id: str
    tokens: tuple[int, ...]
    """The whole corrupted prompt, as long as the prompt itself."""
    subject: str | None = None
    text: str | None = None
    """What is read; None by the first rule, which puts tokens together."""


class Swap:
    """Puts in the subject of another prompt of the same relation, in as many tokens."""

    def __init__(self, settings: Settings, prompts: Sequence[Encoded], model: Model) -> None:
        self.partners = choose_partners(prompts, settings, model.encoder)
        self._any = settings.swap_any or settings.swap_rule == 1

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why a prompt has no partner, or None."""
        if prompt.prompt.id in self.partners:
            return None
        return why_no_partner(prompt, self._any)

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what the subject's states are replaced from, as JSON values."""
        partner = self.partners[prompt.prompt.id]
        found: dict[str, Any] = {"kind": "swap", "id": partner.id}
        if partner.text is not None:
            found |= {"subject": partner.subject, "text": partner.text}
        return found | {"token_ids": list(partner.tokens)}

    def tokens(self, prompt: Encoded) -> tuple[int, ...]:
        """Return the whole corrupted prompt."""
        return self.partners[prompt.prompt.id].tokens

    def change(self, prompt: Encoded, sample: int) -> np.ndarray | None:
        """Return None: no embedding is changed."""
        return None

    def other_answer(self, prompt: Encoded) -> int | None:
        """Return None: the model's own prediction is taken."""
        return None


def why_no_partner(prompt: Encoded, any_relation: bool) -> str:
    """Return why a prompt without a partner has none."""
    unrelated = prompt.prompt.relation is None and not any_relation
    return NO_RELATION if unrelated else NO_PARTNER


def choose_partners(
    prompts: Sequence[Encoded], settings: Settings, encoder: Encoder
) -> dict[str, Partner]:
    """Choose, for each prompt, whose subject stands in for its own in a swap.

    The prompts of one relation stand in a ring, in an order that depends on the seed alone; each
    takes the next one whose subject fits. Prompts without a relation have no partner, unless
    ``swap_any`` asks to take them for one relation.

    Returns:
        Partners by prompt id; a prompt that has none is missing.
    """
    if settings.swap_rule == 1:
        return _by_tokens(prompts, settings.seed)
    rings: defaultdict[str | None, list[Encoded]] = defaultdict(list)
    for prompt in prompts:
        if prompt.prompt.relation is not None or settings.swap_any:
            rings[prompt.prompt.relation].append(prompt)
    fitting = _Fitting(encoder, special_tokens=not settings.chat)
    partners = {}
    for ring in rings.values():
        for prompt, others in _in_turn(ring, settings.seed):
            found = next((p for o in others if (p := fitting.partner(o, prompt))), None)
            if found is not None:
                partners[prompt.prompt.id] = found
    return partners


@dataclass
class _Fitting:
    """Tries subjects in the texts of others."""

    encoder: Encoder
    special_tokens: bool
    _counts: dict[tuple[str, str, str], int | None] = field(default_factory=dict)
    """How many tokens a subject had between two characters: most need not be tried again."""

    def partner(self, other: Encoded, prompt: Encoded) -> Partner | None:
        """Return ``other`` as the partner of ``prompt``, if its subject fits there."""
        subject = other.prompt.subject
        start, end = prompt.prompt.place()
        text = prompt.prompt.text
        context = (subject, text[start - 1 : start], text[end : end + 1])
        wanted = prompt.end - prompt.start
        if self._counts.get(context, wanted) != wanted or subject == prompt.prompt.subject:
            return None
        try:
            found = self.encoder.with_subject(prompt.prompt, subject, self.special_tokens)
        except Unusable:
            self._counts[context] = None
            return None
        self._counts[context] = found.end - found.start
        if found.end - found.start != wanted or _around(found) != _around(prompt):
            return None
        if found.tokens == prompt.tokens:  # two ways to write one name
            return None
        return Partner(other.prompt.id, found.tokens, subject, found.prompt.text)


def _around(prompt: Encoded) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return prompt.tokens[: prompt.start], prompt.tokens[prompt.end :]


def _in_turn(ring: list[Encoded], seed: int) -> Iterator[tuple[Encoded, Iterator[Encoded]]]:
    """Yield each prompt of a ring with the others, in the order in which they stand behind it."""
    ring = sorted(ring, key=lambda p: hashlib.sha256(f"{seed}\0{p.prompt.id}".encode()).digest())
    for at, prompt in enumerate(ring):
        yield prompt, (ring[(at + step) % len(ring)] for step in range(1, len(ring)))


def _by_tokens(prompts: Sequence[Encoded], seed: int) -> dict[str, Partner]:
    """Choose as older versions did: any subject of as many tokens, whose tokens are put in."""
    rings: defaultdict[tuple[str | None, int], list[Encoded]] = defaultdict(list)
    for prompt in prompts:
        rings[prompt.prompt.relation, prompt.end - prompt.start].append(prompt)
    partners = {}
    for ring in rings.values():
        for prompt, others in _in_turn(ring, seed):
            other = next((o for o in others if o.subject_tokens != prompt.subject_tokens), None)
            if other is not None:
                before, after = _around(prompt)
                tokens = before + other.subject_tokens + after
                partners[prompt.prompt.id] = Partner(other.prompt.id, tokens)
    return partners
