"""What is worked out once all prompts are measured: how alike the states of each category are.

Which category a prompt is of depends on all the others (a threshold is a mean over the run), so
the sums wait for the end. The directions that they are of come with the measuring, and are held
until then, as many as memory has room for; the others, and those of earlier calls of the run,
cost a clean forward pass each. Several ranks share this like the rest: each leaves its sums in a
file beside its results, and the first one adds them up, and takes the sums itself of those who
are gone.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.files import write_whole
from mlxjsd.interventions.similarity import DirectionSums
from mlxjsd.prompts.encode import Encoded
from mlxjsd.rank import ALONE, Rank
from mlxjsd.results import Run
from mlxjsd.run.batch import directions_of
from mlxjsd.run.distributed.peers import POLL_SECONDS
from mlxjsd.run.out_of_memory import in_memory
from mlxjsd.run.plan import Plan
from mlxjsd.store.lock import owner_of
from mlxjsd.store.reader import read_run
from mlxjsd.store.shards import shard_name
from mlxjsd.store.writer import Store

Categories = Mapping[str, str | None]


class Directions:
    """The directions of prompts that were measured, (L, hidden) float32 each, by id."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, np.ndarray] = {}

    def add(self, found: Mapping[str, np.ndarray]) -> None:
        """Hold on to ``found``, as far as there is room."""
        room = max(0, self._most - len(self._held))
        self._held.update(islice(found.items(), room))

    def of(self, prompts: Sequence[Encoded]) -> np.ndarray | None:
        """Return those of ``prompts``, (B, L, hidden); None if one is not held."""
        found = [self._held.get(encoded.prompt.id) for encoded in prompts]
        held = [each for each in found if each is not None]
        return np.stack(held) if len(held) == len(found) else None


def cosines_of(plan: Plan, run: Run, directions: Directions) -> dict[str, Any]:
    """Return :attr:`mlxjsd.results.Run.cosines` of a run that is held in memory as a whole."""
    category = _categories(run)
    if not any(category.values()):
        return {}
    return _stored(run, _sums(plan, ALONE, category, directions))


def add_cosines(plan: Plan, store: Store, directions: Directions, rank: Rank = ALONE) -> None:
    """Measure how alike the last-token states of each category are, once all are known.

    Args:
        plan: of the run; every prompt of it has been measured, or has failed.
        store: of this process.
        directions: that this process holds.
        rank: of this process. The first one writes down the cosines, the others their sums.
    """
    folder = store.folder
    run = read_run(folder)
    category = _categories(run)
    if run.cosines.get("labelling") == run.criteria or not any(category.values()):
        return
    own = _sums(plan, rank, category, directions)
    if not rank.leads:
        arrays: dict[str, Any] = own.arrays()
        np.savez(content := BytesIO(), **arrays)
        write_whole(_part(folder, category, rank), content.getvalue())
        return
    for index in range(1, rank.size):
        other = Rank(index, rank.size)
        theirs = _awaited(folder, category, other)
        own.include(theirs or _sums(plan, other, category, directions))
    store.set_cosines(_stored(run, own))
    for path in folder.glob(".sums-*.npz"):
        path.unlink(missing_ok=True)


def _categories(run: Run) -> Categories:
    return {r.id: c for r, c in zip(run.records, run.labels().categories, strict=True)}


def _stored(run: Run, sums: DirectionSums) -> dict[str, Any]:
    return {"labelling": run.criteria, "groups": sums.cosines()}


def _sums(plan: Plan, rank: Rank, category: Categories, directions: Directions) -> DirectionSums:
    """Go through the share of one rank."""
    sums = DirectionSums()

    def add(prompts: Sequence[Encoded], found: np.ndarray) -> None:
        sums.add([category.get(e.prompt.id) for e in prompts], found)

    def measure(prompts: Sequence[Encoded]) -> None:
        add(prompts, directions_of(plan, prompts))

    for planned in plan.share(rank):
        for together in plan.units.passes_of(planned):
            labelled = [e for e in together if category.get(e.prompt.id)]
            if not labelled:
                continue
            held = directions.of(labelled)
            if held is not None:
                add(labelled, held)
            else:  # all of the pass, so that the numbers are those of its sweep to the last bit
                in_memory(measure, together)
    return sums


def _part(folder: Path, category: Categories, rank: Rank) -> Path:
    """Return where a rank leaves its sums, which hold for just these categories."""
    key = hashlib.sha256(json.dumps(sorted(category.items())).encode()).hexdigest()[:12]
    return folder / f".sums-{key}-{rank.index}-of-{rank.size}.npz"


def _awaited(folder: Path, category: Categories, rank: Rank) -> DirectionSums | None:
    """Return the sums of another rank; None if it is gone without leaving any."""
    path = _part(folder, category, rank)
    while True:
        alive = owner_of(folder / shard_name(rank.index)) is not None  # before it looks
        if path.exists():
            with np.load(path, allow_pickle=False) as arrays:
                return DirectionSums.of(arrays)
        if not alive:
            return None
        time.sleep(POLL_SECONDS)
