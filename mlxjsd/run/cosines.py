"""The pass over a run's prompts once all are measured: how alike the states of each category are.

Which category a prompt is of depends on all the others (a threshold is a mean over the run), so
this cannot go along with the measuring. It costs a clean forward pass for each prompt, a tenth of
the whole, and so is shared by several ranks like the rest: each leaves its sums in a file beside
its results, and the first one adds them up, and takes the sums itself of those who are gone.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
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


def cosines_of(plan: Plan, run: Run) -> dict[str, Any]:
    """Return :attr:`mlxjsd.results.Run.cosines` of a run that is held in memory as a whole."""
    category = _categories(run)
    if not any(category.values()):
        return {}
    return _stored(run, _sums(plan, ALONE, category))


def add_cosines(plan: Plan, store: Store, rank: Rank = ALONE) -> None:
    """Measure how alike the last-token states of each category are, once all are known.

    Args:
        plan: of the run; every prompt of it has been measured, or has failed.
        store: of this process.
        rank: of this process. The first one writes down the cosines, the others their sums.
    """
    folder = store.folder
    run = read_run(folder)
    category = _categories(run)
    if run.cosines.get("labelling") == run.labelling.criteria or not any(category.values()):
        return
    own = _sums(plan, rank, category)
    if not rank.leads:
        path = _part(folder, category, rank)
        arrays: dict[str, Any] = own.arrays()
        write_whole(path, lambda partial: np.savez(partial, **arrays))
        return
    for index in range(1, rank.size):
        other = Rank(index, rank.size)
        own.include(_awaited(folder, category, other) or _sums(plan, other, category))
    store.set_cosines(_stored(run, own))
    for path in folder.glob(".sums-*.npz"):
        path.unlink(missing_ok=True)


def _categories(run: Run) -> Categories:
    return {r.id: c for r, c in zip(run.records, run.labels().categories, strict=True)}


def _stored(run: Run, sums: DirectionSums) -> dict[str, Any]:
    return {"labelling": run.labelling.criteria, "groups": sums.cosines()}


def _sums(plan: Plan, rank: Rank, category: Categories) -> DirectionSums:
    """Go through the share of one rank."""
    sums = DirectionSums()

    def add(batch: Sequence[Encoded]) -> None:
        sums.add([category[e.prompt.id] for e in batch], directions_of(plan, batch))

    for planned in plan.share(rank):
        labelled = [e for e in planned if category.get(e.prompt.id)]
        for together in plan.units.passes_of(labelled):
            in_memory(add, together)
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
