"""Which prompts go through the model together."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence

from mlxjsd.spans import Encoded


def plan_batches(
    prompts: Sequence[Encoded], size: Callable[[Sequence[Encoded]], int]
) -> list[list[Encoded]]:
    """Group prompts of one length and one tail, so that no token is ever padding.

    Args:
        prompts: to be measured.
        size: says of prompts of one shape how many a batch may hold.

    Returns:
        Batches in an order that mixes lengths and relations, so that an average over the
        first few already resembles the whole. Prompts of one relation, which share their
        words and often their subject's place, stay together. The plan depends on the set
        of prompts and on ``size`` alone.
    """
    shapes: defaultdict[tuple[int, int], list[Encoded]] = defaultdict(list)
    for prompt in prompts:
        shapes[len(prompt.tokens), prompt.end].append(prompt)
    batches = []
    for _, same in sorted(shapes.items()):
        same.sort(key=lambda p: (p.start, p.prompt.relation or "", p.prompt.id))
        most = size(same)
        batches += [same[at : at + most] for at in range(0, len(same), most)]
    batches.sort(key=lambda batch: hashlib.sha256(batch[0].prompt.id.encode()).digest())
    return batches
