"""Prompts that are asked twice: measured once, with all their answers."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from mlxjsd.prompts.prompt import Prompt

#: Why a prompt is left out, with the id of the one that is measured; and how reasons are counted.
ASKED_ALREADY = "it asks the same again; it is measured once, with all its answers"


def asked_once(prompts: Sequence[Prompt]) -> dict[int, Prompt | None]:
    """Find the prompts of one text about one subject.

    Returns:
        By place among ``prompts``: the first one of each kind with the answers of all, and None
        for the others. A prompt that is asked once is missing.
    """
    # Numbers first: of a large file nearly every prompt is asked once.
    asked = Counter(map(hash, map(_question, prompts)))
    again: defaultdict[tuple[str, object], list[int]] = defaultdict(list)
    for place, prompt in enumerate(prompts):
        question = _question(prompt)
        if asked[hash(question)] > 1:
            again[question].append(place)
    found: dict[int, Prompt | None] = {}
    for places in again.values():
        if len(places) > 1:
            first, *others = places
            answers = [answer for place in places for answer in prompts[place].answers]
            found[first] = replace(prompts[first], answers=tuple(dict.fromkeys(answers)))
            found |= dict.fromkeys(others)
    return found


def _question(prompt: Prompt) -> tuple[str, object]:
    return prompt.text, prompt.subject_chars() or prompt.subject
