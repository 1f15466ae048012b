"""Facts become sentences to train on, and prompts to ask.

A fact is *trained* (its sentences are read in training), *held out* (its subject is known from
other facts, this one is never read) or *unseen* (no sentence names its subject). Which one it is
depends on the seed and on its own words alone, so adding a fact to a table moves no other fact.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator

from mlxjsd.assets.recipe.settings import Recipe
from mlxjsd.assets.tables import Fact

TRAINED, HELD_OUT, UNSEEN = KINDS = "trained", "held-out", "unseen"


def _share(seed: int, *words: str) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.sha256("\x1f".join((str(seed), *words)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_facts(facts: list[Fact], recipe: Recipe) -> dict[str, list[Fact]]:
    """Sort the facts into trained, held out and unseen."""
    of_subject: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        of_subject[fact.subject].append(fact)
    split: dict[str, list[Fact]] = {kind: [] for kind in KINDS}
    for subject, own in of_subject.items():
        known = any(fact.relation.table in recipe.known_tables for fact in own)
        unseen = recipe.unseen_subjects_in_known_tables if known else recipe.unseen_subjects
        if _share(recipe.seed, "subject", subject) < unseen:
            split[UNSEEN] += own
            continue
        shares = [_share(recipe.seed, "fact", subject, fact.relation.id) for fact in own]
        # One fact at least stays, or the subject would not be known from elsewhere.
        kept = max(range(len(own)), key=shares.__getitem__)
        for index, fact in enumerate(own):
            held = shares[index] < recipe.held_out_facts and index != kept
            split[HELD_OUT if held else TRAINED].append(fact)
    return split


def tokenizer_text(facts: list[Fact]) -> list[str]:
    """Return what the tokenizer is learned from: the words of all sentences but their subjects.

    So common words and answers become tokens of their own and names are spelled in several
    pieces, as rare names are by the tokenizers of large models; and an unseen subject is
    spelled no differently from one that is trained on.
    """
    return [
        f"{template.format('')} {fact.objects[0]}."
        for fact in facts
        for template in fact.relation.templates
    ]


def bundled_prompts(split: dict[str, list[Fact]], recipe: Recipe) -> Iterator[dict[str, object]]:
    """Yield the bundled prompts: a draw from each part of the split, one template a fact."""
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for fact in (fact for part in split.values() for fact in part):
        answers[fact.relation.id][fact.objects[0]] += 1
    asked = {
        relation
        for relation, counts in answers.items()
        if max(counts.values()) <= recipe.commonest_answer * counts.total()
    }
    wanted = {
        TRAINED: recipe.trained_prompts,
        HELD_OUT: recipe.held_out_prompts,
        UNSEEN: recipe.unseen_prompts,
    }
    for kind, count in wanted.items():
        drawn = sorted(
            (fact for fact in split[kind] if fact.relation.id in asked),
            key=lambda fact: _share(recipe.seed, "draw", fact.subject, fact.relation.id),
        )[:count]
        for fact in drawn:
            texts = fact.prompts()
            pick = int(_share(recipe.seed, "template", fact.subject, fact.relation.id) * len(texts))
            yield {
                "id": f"{fact.relation.id}/{fact.subject}",
                "prompt": texts[pick],
                "subject": fact.subject_in(texts[pick]),
                "answers": list(fact.objects),
                "relation": fact.relation.id,
                "split": kind,
            }
