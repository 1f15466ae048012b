"""Sentences about names that nobody bears, so that the model learns what a name does not tell.

Most names in a large corpus are read once or twice: too seldom to be learned, and often enough
to learn that such a name tells little, so that the answer has to be guessed from the relation.
The tables hold too few names for that. Halves of two of them are put together instead, with an
object that is drawn from those of the relation; each sentence is read once.
"""

import random
from collections import defaultdict

from mlxjsd.assets.recipe.corpus import TRAINED, Fact
from mlxjsd.assets.recipe.settings import Recipe


def stranger_sentences(split: dict[str, list[Fact]], recipe: Recipe) -> list[str]:
    """Return as many different sentences as ``recipe`` asks for; no subject of the facts is named.

    Args:
        split: from :func:`mlxjsd.assets.recipe.corpus.split_facts`.
        recipe: whose seed decides the draw.
    """
    rng = random.Random(f"{recipe.seed}/strangers")
    names: defaultdict[str, list[str]] = defaultdict(list)
    objects: defaultdict[str, list[str]] = defaultdict(list)
    for part in split.values():
        for fact in part:
            names[fact.relation.table].append(fact.subject)
    for fact in split[TRAINED]:
        objects[fact.relation.id].append(fact.objects[0])
    borne = {name for table in names.values() for name in table}
    wanted = int(recipe.strangers * recipe.steps * recipe.batch_size)
    sentences: dict[str, None] = {}
    while len(sentences) < wanted:
        relation = rng.choice(split[TRAINED]).relation
        one, other = rng.choice(names[relation.table]), rng.choice(names[relation.table])
        name = _halves(one)[0] + _halves(other)[1]
        if name not in borne:
            stranger = Fact(name, relation, (rng.choice(objects[relation.id]),))
            sentences[rng.choice(stranger.sentences())] = None
    return list(sentences)


def _halves(name: str) -> tuple[str, str]:
    """Part a name between two words, or a single word in the middle."""
    words = name.split(" ")
    at = len(" ".join(words[: (len(words) + 1) // 2])) if len(words) > 1 else len(name) // 2
    return name[:at], name[at:]
