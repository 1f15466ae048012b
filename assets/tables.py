"""The tables of facts: which there are, what they assert, and how a sentence says it."""

import csv
import json
from dataclasses import dataclass

from mlxjsd.assets import FACTS, RELATIONS


@dataclass(frozen=True)
class Relation:
    """One column of one table, and the sentences that assert it."""

    id: str
    table: str
    column: str
    cloze: str
    """What any model can be asked, with the subject at its gap."""
    templates: tuple[str, ...]
    """What the bundled model is trained on and asked: little follows the subject."""


@dataclass(frozen=True)
class Fact:
    """A subject, a relation and the accepted objects, the usual one first."""

    subject: str
    relation: Relation
    objects: tuple[str, ...]

    def prompts(self) -> list[str]:
        """Return one cloze prompt for each template; the object follows it."""
        return [sentence_case(t.format(self.subject)) for t in self.relation.templates]

    def sentences(self) -> list[str]:
        """Return the sentences that assert this fact."""
        return [f"{prompt} {self.objects[0]}." for prompt in self.prompts()]

    def subject_in(self, prompt: str) -> str:
        """Return the subject as it stands in one of :meth:`prompts`."""
        capital = sentence_case(self.subject)
        return capital if prompt.startswith(capital) else self.subject


def sentence_case(text: str) -> str:
    """Return text with a capital letter in front."""
    return text[0].upper() + text[1:]


def read_relations() -> list[Relation]:
    """Read ``relations.json``."""
    rows = json.loads(RELATIONS.read_text(encoding="utf-8"))
    return [
        Relation(r["id"], r["table"], r["column"], r["cloze"], tuple(r["templates"])) for r in rows
    ]


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
