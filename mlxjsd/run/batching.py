"""Which prompts go through the model together, and which are answered together."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise, zip_longest
from typing import TypeVar

from mlxjsd.prompts.encode import Encoded

Item = TypeVar("Item")


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


@dataclass(frozen=True)
class Units:
    """The prompts of a run, in the order in which they are measured."""

    passes: list[list[Encoded]]
    """Prompts that go through the model together: of one length and one tail."""
    batches: list[list[Encoded]]
    """Prompts that are answered, and committed, together: those of one or more passes."""
    number: dict[str, int]
    """The unit of work that each prompt is in, by id. Units are what several ranks share."""

    def passes_of(self, batch: Sequence[Encoded]) -> list[list[Encoded]]:
        """Split a batch, or a part of one, into what goes through the model together."""
        at = self._pass_of
        return [list(same) for _, same in groupby(batch, key=lambda e: at[e.prompt.id])]

    @cached_property
    def _pass_of(self) -> dict[str, int]:
        return {e.prompt.id: n for n, together in enumerate(self.passes) for e in together}


def plan_units(
    prompts: Sequence[Encoded],
    most: int,
    size: Callable[[Sequence[Encoded]], int],
    answered: int,
    tokens: int,
) -> Units:
    """Group prompts of one length and one tail, so that no token is ever padding.

    Args:
        prompts: to be measured.
        most: prompts of one shape that belong together, in one pass or several.
        size: says of prompts of one shape how many a pass may hold.
        answered: prompts of a unit, of any shapes.
        tokens: of a batch of several passes, whose keys and values are all held.

    Returns:
        Units are in an order that mixes lengths and relations, so that an average over the first
        few already resembles the whole. Prompts of one relation, which share their words and
        often their subject's place, stay together. Which units there are depends on the set of
        prompts, on ``most`` and on ``answered`` alone; passes depend on ``size`` as well, and
        batches on ``tokens``.
    """
    shapes: defaultdict[tuple[int, int], list[Encoded]] = defaultdict(list)
    for prompt in prompts:
        shapes[len(prompt.tokens), prompt.end].append(prompt)
    alike: list[list[list[Encoded]]] = []
    for _, same in sorted(shapes.items()):
        same.sort(key=lambda p: (p.start, p.prompt.relation or "", p.prompt.id))
        fitting = size(same)
        pieces = [same[at : at + most] for at in range(0, len(same), most)]
        alike += [_parted(piece, -(-len(piece) // fitting)) for piece in pieces]
    alike.sort(key=lambda piece: hashlib.sha256(piece[0][0].prompt.id.encode()).digest())
    units = _packed(alike, answered, lambda piece: sum(map(len, piece)))
    batches: list[list[Encoded]] = []
    number: dict[str, int] = {}
    for n, unit in enumerate(units):
        passes = [together for piece in unit for together in piece]
        for group in _packed(passes, tokens, lambda part: sum(len(e.tokens) for e in part)):
            batches.append([encoded for together in group for encoded in together])
        number |= {encoded.prompt.id: n for together in passes for encoded in together}
    return Units([part for piece in alike for part in piece], batches, number)


def _packed(items: Iterable[Item], most: int, size: Callable[[Item], int]) -> list[list[Item]]:
    """Put items that follow one another together, up to ``most``, or one that is larger alone."""
    packed: list[list[Item]] = []
    full = most
    for item in items:
        if full + size(item) > most:
            packed.append([])
            full = 0
        packed[-1].append(item)
        full += size(item)
    return packed


def _parted(unit: list[Encoded], count: int) -> list[list[Encoded]]:
    """Return ``unit`` in ``count`` parts whose sizes differ by one at the most."""
    bounds = [len(unit) * n // count for n in range(count + 1)]
    return [unit[low:high] for low, high in pairwise(bounds)]
