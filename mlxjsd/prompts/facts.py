"""The project's own tables of facts as prompts for any model: ``--data facts``."""

from collections import defaultdict
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

from mlxjsd.assets.tables import read_facts
from mlxjsd.prompts.prompt import Prompt, PromptFile

#: What stands for them where a file of prompts is asked for.
NAME = "facts"


def fact_prompts() -> PromptFile:
    """Return one prompt for each fact, in an order that goes through the relations in turn.

    So the first N of them, for any N, are spread over the relations as evenly as can be.
    """
    by_relation: defaultdict[str, list[Prompt]] = defaultdict(list)
    for fact in read_facts():
        relation = fact.relation
        by_relation[relation.id].append(
            Prompt(
                id=f"{relation.id}/{fact.subject}",
                text=relation.cloze.format(fact.subject),
                subject=fact.subject,
                subject_start=relation.cloze.index("{}"),
                answers=fact.objects,
                relation=relation.id,
            )
        )
    for same in by_relation.values():
        # The tables are sorted by what they are about; a few of a relation shall stand for all.
        same.sort(key=lambda prompt: sha256(prompt.id.encode()).digest())
    turns = zip_longest(*by_relation.values())
    prompts = (prompt for turn in turns for prompt in turn if prompt is not None)
    return PromptFile.of(prompts, NAME)


def names_facts(path: Path) -> bool:
    """Say whether a path is the name of the tables, and not that of a file of the user's."""
    return str(path) == NAME and not path.exists()
