"""The run: batches in, events out.

A generator at the core; the command line, the terminal app and the tests are thin consumers
of one stream of events.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import mlx.core as mx

from mlxjsd.errors import MeasurementError
from mlxjsd.interventions.cost import Shape
from mlxjsd.interventions.invariants import null_limit
from mlxjsd.prompts.encode import Encoded
from mlxjsd.rank import ALONE, Rank
from mlxjsd.records import Skipped
from mlxjsd.results import Run
from mlxjsd.run.batch import Outcome, failed_prompt, measure_what_fits
from mlxjsd.run.cosines import Directions, add_cosines, cosines_of
from mlxjsd.run.distributed.peers import (
    LAUNCH_KEY,
    Tally,
    Timeouts,
    await_others,
    check_same_launch,
    launch_id,
)
from mlxjsd.run.estimate import map_notes
from mlxjsd.run.events import BatchDone, Event, Finished, ShareDone, Started, Stopped
from mlxjsd.run.limits import limits
from mlxjsd.run.plan import Plan, versions
from mlxjsd.run.watching import Progress, watched
from mlxjsd.store.reader import read_run
from mlxjsd.store.shards import shard_name
from mlxjsd.store.writer import Store

#: Processes that have to die in a batch before it is halved: one may have been killed by chance.
DEATHS = 3
#: A run in which a larger share of the prompts cannot be measured is stopped, ...
MOST_FAILED = 0.1
#: ... judged by no fewer than these, or all: batches are of a kind, and failures with them.
ENOUGH_TO_JUDGE = 64


def measure(plan: Plan, progress: Progress = None) -> Run:
    """Measure a whole plan in memory; the run has all that one in a folder has.

    Args:
        plan: what to measure.
        progress: called after each batch, with its records and how far the run is; True shows a
            bar, False none, and None one in a notebook.

    Raises:
        MeasurementError: if the first batch does not keep to an invariant, or too many prompts
            fail.
    """
    outcome, first, directions = Outcome([], []), True, Directions(plan.directions_held)
    watching = watched(progress, plan.total)
    with limits(_largest_pass(plan)), plan.corruption, watching as watch:
        for batch in plan.batches:
            began = time.perf_counter()
            found = measure_what_fits(plan, batch, first)
            first = first and not found.records  # only numbers can be checked
            outcome.records.extend(found.records)
            outcome.failed.extend(found.failed)
            directions.add(found.directions)
            done = len(outcome.records) + len(outcome.failed)
            _refuse_if_too_many_failed(done, outcome.failed, plan.total, "in no folder")
            watch(_batch_done(found, done, plan.total, began))
        run = Run(
            settings=plan.settings,
            model=plan.model.identity.to_json(),
            data=plan.data.identity(),
            versions=versions(),
            grid=plan.grid,
            total=plan.total,
            records=sorted(outcome.records, key=lambda record: record.position),
            skipped=list(plan.skipped),
            failed=sorted(outcome.failed, key=lambda failed: failed.position),
            labelling=plan.labelling,
            floor_limit=null_limit(plan.model.identity.dtype),
        )
        return replace(run, cosines=cosines_of(plan, run, directions))


def _batch_done(found: Outcome, done: int, total: int, began: float) -> BatchDone:
    seconds = time.perf_counter() - began
    records, failed = tuple(found.records), tuple(found.failed)
    return BatchDone(records, done, total, seconds, mx.get_peak_memory(), failed)


def run_experiment(
    plan: Plan,
    folder: Path | str,
    should_stop: Callable[[], bool] = lambda: False,
    retry_failed: bool = False,
    rank: Rank = ALONE,
    progress: Progress = None,
) -> Generator[Event, None, None]:
    """Measure a plan into ``folder``, going on where earlier calls stopped.

    Args:
        plan: what to measure.
        folder: of the run; see :class:`mlxjsd.store.writer.Store`.
        should_stop: asked between batches.
        retry_failed: try the prompts again that failed in earlier calls.
        rank: of this process, where several measure the plan together. What any of them has
            tried, now or earlier, is not measured again.
        progress: called after each batch; True shows a bar, False none, and None one in a notebook.

    Yields:
        ``Started``, a ``BatchDone`` after each batch is on disk, then ``Finished`` or
        ``Stopped``. Several ranks go on with ``Waiting`` until the others are done as well, and
        with ``PeersLost`` if they never will be; all but the first end with ``ShareDone``.

    Raises:
        InputError: if the folder belongs to something else, or another process writes to it.
        MeasurementError: if the first batch of this call does not keep to an invariant, or too
            many prompts fail.
        MachineError: if a batch cannot be written.
    """
    events = _events(plan, Path(folder), should_stop, retry_failed, rank)
    with watched(progress, plan.total) as watch, closing(events):
        for event in events:
            watch(event)
            yield event


def _events(
    plan: Plan, folder: Path, should_stop: Callable[[], bool], retry_failed: bool, rank: Rank
) -> Generator[Event, None, None]:
    """Measure a plan; see :func:`run_experiment`."""
    ours = launch_id(rank, plan.fingerprint)
    with (
        Store(folder, {**plan.header(), LAUNCH_KEY: ours}, shard_name(rank.index)) as store,
        limits(_largest_pass(plan)),
        plan.corruption,
    ):
        store.set_launch(ours)
        check_same_launch(store.path, ours)
        store.set_skipped(plan.skipped)
        if retry_failed:
            store.forget_failed()
        there = read_run(folder)  # and whatever other ranks wrote
        tried = {record.id for record in there.records}
        tried |= set() if retry_failed else {failed.id for failed in there.failed}
        done, total, layers = len(tried), plan.total, plan.model.identity.layers
        limit, first, share = null_limit(plan.model.identity.dtype), True, 0
        directions = Directions(plan.directions_held)
        left = ([p for p in b if p.prompt.id not in tried] for b in plan.share(rank))
        batches, tally = [batch for batch in left if batch], Tally(folder, rank, there)
        passes = [together for batch in batches for together in plan.units.passes_of(batch)]
        notes = (*plan.model.notes, *map_notes(plan, passes))
        yield Started(folder, layers, total, done, plan.skipped, notes, limit)
        for batch, following in zip_longest(batches, batches[1:]):
            if following:
                plan.corruption.prepare(plan.units.passes_of(following)[0])
            for part, trust in _parts(store, batch):
                if should_stop():
                    yield Stopped(done, total)
                    return
                began = time.perf_counter()
                outcome = measure_what_fits(plan, part, first) if trust else _deadly(plan, part)
                first = first and not outcome.records  # only numbers can be checked
                store.add(outcome.records, outcome.failed)
                directions.add(outcome.directions)
                share += len(part)
                tally.add(len(outcome.records), len(outcome.failed))
                done = tally.done
                yield _batch_done(outcome, done, total, began)
                _stop_if_too_many_failed(folder, tally, total)
        tally.recount()
        _stop_if_too_many_failed(folder, tally, total)
        wanted, timeouts = set(plan.positions), Timeouts() if rank.leads else Timeouts(start=0)
        waiting = await_others(folder, rank, wanted, should_stop, timeouts)
        whole = rank == ALONE or (yield from waiting)
        if whole:
            add_cosines(plan, store, directions, rank)
        if not rank.leads:
            yield ShareDone(share)
        elif whole:
            yield Finished(total)


def _largest_pass(plan: Plan) -> int:
    """Return the bytes that a pass over the plan's batch with the most tokens takes."""
    shapes = [Shape.of(batch, plan.settings) for batch in plan.passes]
    largest = max(shapes, key=lambda shape: shape.size * shape.length)
    return plan.footprint.pass_bytes(largest)


def _parts(store: Store, batch: list[Encoded]) -> Iterator[tuple[list[Encoded], bool]]:
    """Yield a batch, in parts if whole processes have died of it, and whether to measure each.

    Some failures are no errors that could be caught: the memory of a GPU's command buffer, the
    system's killer of large processes. So a batch of which DEATHS processes in a row have died is
    halved, and halved again, until one prompt is found that no process survives.
    """
    waiting = [batch]
    while waiting:
        part = waiting.pop(0)
        name = f"{len(part)} prompts from {part[0].prompt.id}"
        deaths = store.begin(name)
        if deaths < (DEATHS if len(part) == len(batch) else 1):
            yield part, True
        elif len(part) == 1:
            yield part, False
        else:
            half = len(part) // 2
            waiting[:0] = [part[:half], part[half:]]


def _deadly(plan: Plan, part: Sequence[Encoded]) -> Outcome:
    reason = "the process ended whenever this prompt was measured, as when memory runs out"
    return Outcome([], [failed_prompt(plan, encoded, reason) for encoded in part])


def _stop_if_too_many_failed(folder: Path, tally: Tally, total: int) -> None:
    if _too_many(tally.done, tally.failed, total):
        _refuse_if_too_many_failed(tally.done, read_run(folder).failed, total, f"in {folder}")


def _refuse_if_too_many_failed(
    done: int, failed: Sequence[Skipped], total: int, where: str
) -> None:
    """Stop a run in which more than MOST_FAILED of the prompts, once there are some, fail."""
    if _too_many(done, len(failed), total):
        last = failed[-1]
        raise MeasurementError(
            f"{len(failed)} of {done} prompts could not be measured, more than {MOST_FAILED:.0%}; "
            f"the last one, {last.id!r}, because {last.reason}",
            hint="try `mlxjsd check`, a model with fewer bits or one of another dtype; what was "
            f"measured is {where}",
        )


def _too_many(done: int, failed: int, total: int) -> bool:
    return done >= min(ENOUGH_TO_JUDGE, total) and failed > MOST_FAILED * done
