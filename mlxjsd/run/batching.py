"""Which prompts go through the model together."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise, zip_longest

from mlxjsd.prompts.encode import Encoded


def draw(
    prompts: Sequence[tuple[int, Encoded]], count: int, seed: int
) -> list[tuple[int, Encoded]]:
    """Draw ``count`` of the prompts, as many of each relation as can be.

    Args:
        prompts: each with its place in the data.
        count: all are taken if there are no more.
        seed: of the draw, which depends on nothing else but the ids and relations.

    Returns:
        Those that were drawn, in the order of ``prompts``.
    """

    def chance(*words: str) -> bytes:
        return hashlib.sha256("\x1f".join((str(seed), "sample", *words)).encode()).digest()

    relations: defaultdict[str, list[tuple[int, Encoded]]] = defaultdict(list)
    for entry in prompts:
        relations[entry[1].prompt.relation or ""].append(entry)
    for same in relations.values():
        same.sort(key=lambda entry: chance(entry[1].prompt.id))
    turns = zip_longest(*(relations[name] for name in sorted(relations, key=chance)))
    drawn = [entry for turn in turns for entry in turn if entry is not None][:count]
    return sorted(drawn, key=lambda entry: entry[0])


def plan_units(
    prompts: Sequence[Encoded], most: int, size: Callable[[Sequence[Encoded]], int]
) -> list[list[list[Encoded]]]:
    """Group prompts of one length and one tail, so that no token is ever padding.

    Args:
        prompts: to be measured.
        most: prompts of a unit.
        size: says of prompts of one shape how many a batch may hold.

    Returns:
        Units, each of one batch or, where a batch may not hold so many, of several that are as
        large as each other. They are in an order that mixes lengths and relations, so that an
        average over the first few already resembles the whole. Prompts of one relation, which
        share their words and often their subject's place, stay together. Which units there are
        depends on the set of prompts and on ``most`` alone, and the batches on ``size`` as well.
    """
    shapes: defaultdict[tuple[int, int], list[Encoded]] = defaultdict(list)
    for prompt in prompts:
        shapes[len(prompt.tokens), prompt.end].append(prompt)
    units = []
    for _, same in sorted(shapes.items()):
        same.sort(key=lambda p: (p.start, p.prompt.relation or "", p.prompt.id))
        fitting = size(same)
        together = [same[at : at + most] for at in range(0, len(same), most)]
        units += [_parted(unit, -(-len(unit) // fitting)) for unit in together]
    units.sort(key=lambda unit: hashlib.sha256(unit[0][0].prompt.id.encode()).digest())
    return units


def _parted(unit: list[Encoded], count: int) -> list[list[Encoded]]:
    """Return ``unit`` in ``count`` parts whose sizes differ by one at the most."""
    bounds = [len(unit) * n // count for n in range(count + 1)]
    return [unit[low:high] for low, high in pairwise(bounds)]
