"""Another prompt's subject in place of the prompt's own (Zhang & Nanda 2024)."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlxjsd.interventions.corruption.protocol import Embed
from mlxjsd.prompts.encode import Encoded
from mlxjsd.settings import Settings

NO_PARTNER = "no other subject of this relation has as many tokens"


class Swap:
    """Puts in the subject tokens of another prompt of the same relation, as many of them."""

    def __init__(self, settings: Settings, prompts: Sequence[Encoded], embed: Embed) -> None:
        self.partners = choose_partners(prompts, settings.seed)

    def reason_against(self, prompt: Encoded) -> str | None:
        """Return why a prompt has no partner, or None."""
        return None if prompt.prompt.id in self.partners else NO_PARTNER

    def source(self, prompt: Encoded) -> dict[str, Any]:
        """Return what the subject's states are replaced from, as JSON values."""
        partner = self.partners[prompt.prompt.id]
        tokens = list(self.tokens(prompt))
        return {"kind": "swap", "id": partner.prompt.id, "token_ids": tokens}

    def tokens(self, prompt: Encoded) -> tuple[int, ...]:
        """Return the whole corrupted prompt."""
        partner = self.partners[prompt.prompt.id]
        return prompt.tokens[: prompt.start] + partner.subject_tokens + prompt.tokens[prompt.end :]

    def change(self, prompt: Encoded, sample: int) -> np.ndarray | None:
        """Return None: no embedding is changed."""
        return None


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
