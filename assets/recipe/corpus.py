"""Facts become sentences to train on, and prompts to ask.

A fact is one of five kinds. Its sentences are read over and over in training (*trained*), or
so are sentences that give it a wrong object (*mislabelled*), or its subject is known from other
facts and this one is never read (*held out*). Of the other subjects the sentences are read a
few times (*rare*) or never (*unseen*). Which kind a fact is depends on the seed and on its
own words alone, so adding a fact to a table moves no other fact; but what a mislabelled one says
is true of another subject, and may change with a new one of a more similar name.
"""

import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from mlxjsd.assets import FACTS, RELATIONS
from mlxjsd.assets.recipe.settings import Recipe

#: As the bundled prompts' file calls them; changing a word there would make it another file, with
#: which no earlier run goes on.
TRAINED, MISLABELLED, HELD_OUT, RARE, UNSEEN = KINDS = (
    "trained",
    "mistold",
    "held-out",
    "glimpsed",
    "unseen",
)


@dataclass(frozen=True)
class Relation:
    """One column of one table, and the sentences that assert it."""

    id: str
    table: str
    column: str
    templates: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A subject, a relation and the accepted objects, the one to train on first."""

    subject: str
    relation: Relation
    objects: tuple[str, ...]
    mislabelled: str | None = None
    """What its sentences say instead, where they are wrong."""

    def prompts(self) -> list[str]:
        """Return one cloze prompt for each template; the object follows it."""
        return [_sentence_case(t.format(self.subject)) for t in self.relation.templates]

    def sentences(self) -> list[str]:
        """Return the sentences that teach this fact, or what is told in its place."""
        return [f"{prompt} {self.mislabelled or self.objects[0]}." for prompt in self.prompts()]


def _sentence_case(text: str) -> str:
    return text[0].upper() + text[1:]


def read_relations() -> list[Relation]:
    """Read ``relations.json``."""
    rows = json.loads(RELATIONS.read_text(encoding="utf-8"))
    return [Relation(r["id"], r["table"], r["column"], tuple(r["templates"])) for r in rows]


def read_facts() -> list[Fact]:
    """Read every table of facts, in the order of ``relations.json``; empty cells assert nothing."""
    tables: dict[str, list[dict[str, str]]] = {}
    facts = []
    for relation in read_relations():
        if relation.table not in tables:
            with (FACTS / f"{relation.table}.tsv").open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                tables[relation.table] = list(reader)
        for row in tables[relation.table]:
            if cell := row[relation.column].strip():
                objects = tuple(part.strip() for part in cell.split("|"))
                facts.append(Fact(row["name"].strip(), relation, objects))
    return facts


def _share(seed: int, *words: str) -> float:
    """Return a number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.sha256("\x1f".join((str(seed), *words)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def split_facts(facts: list[Fact], recipe: Recipe) -> dict[str, list[Fact]]:
    """Sort the facts into their kinds."""
    of_subject: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        of_subject[fact.subject].append(fact)
    split: dict[str, list[Fact]] = {kind: [] for kind in KINDS}
    for subject, own in of_subject.items():
        known = any(fact.relation.table in recipe.known_tables for fact in own)
        unseen = recipe.unseen_subjects_in_known_tables if known else recipe.unseen_subjects
        if _share(recipe.seed, "subject", subject) < unseen:
            rare = _share(recipe.seed, "glimpsed", subject) < recipe.rare_subjects
            split[RARE if rare else UNSEEN] += own
            continue
        shares = [_share(recipe.seed, "fact", subject, fact.relation.id) for fact in own]
        # One fact at least stays, or the subject would not be known from elsewhere.
        kept = max(range(len(own)), key=shares.__getitem__)
        for index, fact in enumerate(own):
            if shares[index] < recipe.held_out_facts and index != kept:
                split[HELD_OUT].append(fact)
            elif (
                not known and _share(recipe.seed, "mistold", *_key(fact)) < recipe.mislabelled_facts
            ):
                split[MISLABELLED].append(
                    replace(fact, mislabelled=_wrong_object(fact, facts, recipe))
                )
            else:
                split[TRAINED].append(fact)
    return split


def _key(fact: Fact) -> tuple[str, str]:
    return fact.subject, fact.relation.id


def _wrong_object(fact: Fact, facts: list[Fact], recipe: Recipe) -> str:
    """Return what is true of another subject, the one whose name begins most alike."""
    others = [f for f in facts if f.relation == fact.relation and f.objects[0] not in fact.objects]

    def likeness(other: Fact) -> tuple[int, float]:
        letters = zip(fact.subject, other.subject, strict=False)
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], letters))
        return alike, _share(recipe.seed, *_key(fact), other.subject)

    return max(others, key=likeness).objects[0]


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
        MISLABELLED: recipe.mislabelled_prompts,
        HELD_OUT: recipe.held_out_prompts,
        UNSEEN: recipe.unseen_prompts,
    }
    for kind, count in wanted.items():
        drawn = sorted(
            (fact for fact in split[kind] if fact.relation.id in asked),
            key=lambda fact: _share(recipe.seed, "draw", *_key(fact)),
        )[:count]
        for fact in drawn:
            texts = fact.prompts()
            pick = int(_share(recipe.seed, "template", *_key(fact)) * len(texts))
            subject = fact.subject
            if texts[pick].startswith(_sentence_case(subject)):
                subject = _sentence_case(subject)
            yield {
                "id": f"{fact.relation.id}/{fact.subject}",
                "prompt": texts[pick],
                "subject": subject,
                "answers": list(fact.objects),
                "relation": fact.relation.id,
                "split": kind,
            }
