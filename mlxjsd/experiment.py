"""The run: prompts in, events out.

A generator at the core; the command line, the terminal app and the tests are thin consumers
of one stream of events.
"""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlxjsd import messages
from mlxjsd.anatomy import ONE_PASS
from mlxjsd.batching import plan_units
from mlxjsd.budget import Budget, Footprint, bound_reuse
from mlxjsd.corruption import Corruption
from mlxjsd.cost import Shape
from mlxjsd.errors import InputError, MeasurementError
from mlxjsd.events import BatchDone, Event, Finished, ShareDone, Started, Stopped
from mlxjsd.finite import sound_rows, where_it_breaks
from mlxjsd.generation import generate_answers
from mlxjsd.interventions import Batch, Measurement
from mlxjsd.labelling import Labelling
from mlxjsd.memory import in_memory
from mlxjsd.model import LoadedModel
from mlxjsd.peers import Patience, await_others, refuse_strangers, world
from mlxjsd.prompts import PromptFile
from mlxjsd.proofs import cheap_proofs, clean_logits, null_limit
from mlxjsd.ranks import ALONE, Rank
from mlxjsd.records import Record, Run, Skipped
from mlxjsd.reference import reference_batch
from mlxjsd.settings import Settings
from mlxjsd.shards import shard_name
from mlxjsd.similarity import last_token_directions
from mlxjsd.spans import Encoded, Unusable
from mlxjsd.store import Store, read_run, read_tried
from mlxjsd.sweep import sweep_batch
from mlxjsd.team import DIRECTIONS, MEASURE, MEASURE_FIRST

#: The most prompts for each pass, unless told otherwise: more are hardly any faster.
BATCH_SIZE = 16
#: Under this name, how many prompts are dealt out together is kept among the batch sizes.
_ANY_SHAPE = "any shape"
#: Processes that have to die in a batch before it is halved: one may have been killed by chance.
DEATHS = 3
#: A run in which a larger share of the prompts cannot be measured is stopped, ...
MOST_FAILED = 0.1
#: ... judged by no fewer than these, or all: batches are of a kind, and failures with them.
ENOUGH_TO_JUDGE = 64


@dataclass(frozen=True)
class Plan:
    """What a run will do: which prompts, corrupted how, in which batches."""

    model: LoadedModel
    data: PromptFile
    settings: Settings
    limit: int | None
    corruption: Corruption
    positions: dict[str, int]
    """Places in the data file of the prompts to be measured, by id."""
    batches: list[list[Encoded]]
    skipped: tuple[Skipped, ...]
    labelling: Labelling
    batch_sizes: dict[str, int]
    """Prompts that go together at the most, by their shape."""
    units: dict[str, int]
    """The unit of work that each prompt is in, by id: a batch, or several where memory is short.
    Units are what several ranks share; they do not depend on any machine's memory."""

    @property
    def total(self) -> int:
        """Prompts to be measured."""
        return len(self.positions)

    def share(self, rank: Rank) -> list[list[Encoded]]:
        """Return the batches that are for one of several ranks to measure."""
        return [batch for batch in self.batches if rank.owns(self.units[batch[0].prompt.id])]

    @property
    def fingerprint(self) -> str:
        """Say in a few characters how the prompts are dealt out."""
        return hashlib.sha256(json.dumps(sorted(self.units.items())).encode()).hexdigest()[:16]

    def header(self) -> dict[str, Any]:
        """Return what identifies the run, as JSON values."""
        return {
            "settings": self.settings.to_json(),
            "model": self.model.identity.to_json(),
            "data": self.data.identity(),
            # As it was given, so that the run can be taken up again.
            "data_path": str(self.data.path),
            "limit": self.limit,
            # Going on with the same batches gives the same numbers to the last bit.
            "batch_sizes": self.batch_sizes,
            "floor_limit": null_limit(self.model.identity.dtype),
            "labelling": asdict(self.labelling),
            "versions": versions(),
            "layers": self.model.identity.layers,
            "total": self.total,
        }


def encode_all(
    model: LoadedModel, data: PromptFile, settings: Settings
) -> tuple[list[tuple[int, Encoded]], list[Skipped]]:
    """Encode every prompt of a file; return (position, prompt) of the usable ones and the rest."""
    template, chat = settings.prompt_template, settings.chat
    usable, skipped = [], []
    for position, prompt in enumerate(data.prompts):
        try:
            usable.append((position, model.encoder.encode(prompt, template, chat)))
        except Unusable as reason:
            skipped.append(Skipped(prompt.id, position, str(reason)))
    return usable, skipped


def plan_run(
    model: LoadedModel,
    data: PromptFile,
    settings: Settings | None = None,
    limit: int | None = None,
    batch_size: int | None = None,
    labelling: Labelling | None = None,
    memory: float | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Plan:
    """Decide what to measure.

    Args:
        model: to be measured.
        data: all prompts of the file; the noise is scaled by all of them, limit or not.
        settings: what is measured.
        limit: measure only the first so many prompts of the file.
        batch_size: the most prompts for each pass; changes no number.
        labelling: how answers are generated and sorted.
        memory: GB that the run may take, weights included; None for what the machine recommends.
            Decides how many prompts go through the model together, where the batch size does not.
        sizes: the plan's ``batch_sizes`` when the run began, which go before both.

    Raises:
        InputError: if no prompt is usable, or a number makes no sense.
    """
    settings = settings or Settings()
    if limit is not None and limit < 1:
        raise InputError(messages.LIMIT(limit=limit))
    if batch_size is not None and batch_size < 1:
        raise InputError(messages.BATCH_SIZE(size=batch_size))
    usable, skipped = encode_all(model, data, settings)
    if not usable:
        raise _no_prompt(data, skipped)
    corruption = Corruption(settings, [prompt for _, prompt in usable], model.embed)
    positions, wanted = {}, []
    for position, prompt in usable:
        if reason := corruption.reason_against(prompt):
            skipped.append(Skipped(prompt.prompt.id, position, reason))
        elif limit is None or position < limit:
            positions[prompt.prompt.id] = position
            wanted.append(prompt)
    skipped = [s for s in skipped if limit is None or s.position < limit]
    if not wanted:
        raise _no_prompt(data, skipped)
    before, size_for = dict(sizes or {}), _sizes(model, settings, batch_size, memory)
    unit = before.get(_ANY_SHAPE) or batch_size or BATCH_SIZE
    chosen = {_ANY_SHAPE: unit}

    def size(same: Sequence[Encoded]) -> int:
        name = f"{len(same[0].tokens)} tokens, {same[0].end} to the subject's end"
        chosen[name] = before.get(name) or size_for(same)
        return chosen[name]

    dealt = plan_units(wanted, unit, size)
    skipped.sort(key=lambda s: s.position)
    return Plan(
        model,
        data,
        settings,
        limit,
        corruption,
        positions,
        [batch for batches in dealt for batch in batches],
        tuple(skipped),
        labelling or Labelling(),
        chosen,
        {e.prompt.id: n for n, batches in enumerate(dealt) for batch in batches for e in batch},
    )


def _sizes(
    model: LoadedModel, settings: Settings, batch_size: int | None, memory: float | None
) -> Callable[[Sequence[Encoded]], int]:
    """Say how many prompts of one shape go together: what was asked for, or what fits."""
    if batch_size is not None:
        if memory is not None:
            raise InputError(messages.BATCH_SIZE_OR_MEMORY())
        return lambda same: batch_size
    footprint, budget = Footprint.of(model), Budget.of(memory)
    return lambda same: budget.prompts(footprint, Shape.of(same, settings), BATCH_SIZE)


def measurement_of(model: LoadedModel, batch: Batch, window: int) -> Measurement:
    """Measure a batch by the model's path."""
    by_path = sweep_batch if model.identity.path == ONE_PASS else reference_batch
    return by_path(model.blocks, batch, window)


@dataclass(frozen=True)
class Outcome:
    """What came of a batch: every prompt of it is in one of the two."""

    records: list[Record]
    failed: list[Skipped]

    @classmethod
    def join(cls, parts: "Iterable[Outcome]") -> "Outcome":
        """Put several together."""
        found = list(parts)
        return cls([r for o in found for r in o.records], [f for o in found for f in o.failed])


def measure_batch(plan: Plan, batch: Sequence[Encoded]) -> Outcome:
    """Measure one batch of a plan, or a part of one."""
    return _by_all(plan, MEASURE, batch, lambda: _measured(plan, batch))


def _by_all(
    plan: Plan, kind: int, batch: Sequence[Encoded], compute: Callable[[], Outcome]
) -> Outcome:
    """Measure a batch; of a model that ranks hold together, on all of them, with equal results."""
    team = plan.model.team
    if team is None:
        return compute()
    positions = [plan.positions[encoded.prompt.id] for encoded in batch]
    tokens = sum(len(encoded.tokens) for encoded in batch)
    outcome: Outcome = team.together(kind, positions, tokens, compute, "measuring a batch")
    words = [[r.id, r.prediction, r.answer] for r in outcome.records]
    words += [[f.id, f.reason] for f in outcome.failed]
    numbers = np.array([[*r.jsd.ravel(), r.reliance, r.floor] for r in outcome.records])
    with team.meeting("comparing the results"):
        same, spread = team.same(words), team.spread(numbers)
    allowed = null_limit(plan.model.identity.dtype)
    if not same or not spread <= allowed:
        said = f"differ by {spread:.1e} nats (allowed: {allowed:.0e})" if same else "differ"
        raise MeasurementError(messages.RANKS_DISAGREE(said=said))
    return outcome


def _measured(plan: Plan, batch: Sequence[Encoded]) -> Outcome:
    made = plan.corruption.batch(batch)
    numbers = measurement_of(plan.model, made, plan.settings.window)
    return _outcome(plan, batch, numbers, _sound(plan, numbers))


def measure_first_batch(plan: Plan, batch: Sequence[Encoded]) -> Outcome:
    """Measure a batch whose numbers have to prove themselves, for a few more forward passes.

    Raises:
        MeasurementError: if they do not.
    """
    return _by_all(plan, MEASURE_FIRST, batch, lambda: _measured_first(plan, batch))


def _measured_first(plan: Plan, batch: Sequence[Encoded]) -> Outcome:
    blocks, made = plan.model.blocks, plan.corruption.batch(batch)
    before = clean_logits(blocks, made)
    numbers = measurement_of(plan.model, made, plan.settings.window)
    sound, dtype = _sound(plan, numbers), plan.model.identity.dtype
    if sound.any():
        found = (numbers.jsd, numbers.floor, before)
        for proof in cheap_proofs(blocks, made, *found, dtype, sound):
            if not proof.passed:
                sentence = messages.NUMBERS_CANNOT_BE_RIGHT(
                    proof=proof.name, measured=proof.measured, allowed=proof.allowed
                )
                raise MeasurementError(sentence)
    return _outcome(plan, batch, numbers, sound)


def _sound(plan: Plan, numbers: Measurement) -> np.ndarray:
    return sound_rows(numbers, plan.model.blocks.anatomy, plan.settings.window)


def _outcome(
    plan: Plan, batch: Sequence[Encoded], numbers: Measurement, sound: np.ndarray
) -> Outcome:
    good = [encoded for encoded, is_sound in zip(batch, sound, strict=True) if is_sound]
    answers = _answers(plan, good, numbers.prediction[sound])
    records, failed = [], []
    for row, encoded in enumerate(batch):
        if sound[row]:
            records.append(_record(plan, encoded, numbers, row, answers.get(encoded.prompt.id)))
        else:
            alone = plan.corruption.batch([encoded])
            reason = where_it_breaks(plan.model.blocks, alone, plan.settings.window)
            failed.append(_failed(plan, encoded, reason))
    return Outcome(records, failed)


def _failed(plan: Plan, encoded: Encoded, reason: str) -> Skipped:
    return Skipped(encoded.prompt.id, plan.positions[encoded.prompt.id], reason)


def measure_what_fits(plan: Plan, batch: Sequence[Encoded], first: bool) -> Outcome:
    """Measure one batch in as many parts as memory asks for.

    Args:
        plan: of the run.
        batch: of it, or a part of one.
        first: whether its numbers have to prove themselves.
    """
    measure = measure_first_batch if first else measure_batch
    parts, too_large = in_memory(lambda part: measure(plan, part), batch)
    failed = [_failed(plan, encoded, reason) for encoded, reason in too_large]
    return Outcome.join([*parts, Outcome([], failed)])


def _answers(plan: Plan, batch: Sequence[Encoded], first: np.ndarray) -> dict[str, str]:
    """Let the model answer the prompts of ``batch`` whose answers are known, by prompt id."""
    asked = [(e, int(t)) for e, t in zip(batch, first, strict=True) if e.prompt.answers]
    if plan.labelling.max_tokens is None or not asked:
        return {}
    prompts, tokens = zip(*asked, strict=True)
    written = generate_answers(plan.model, prompts, tokens, plan.labelling.max_tokens)
    if plan.model.team is not None:
        plan.model.team.settle()
    return {e.prompt.id: answer for e, answer in zip(prompts, written, strict=True)}


def measure(plan: Plan) -> Run:
    """Measure a whole plan in memory; the result is like one that was read from a folder."""
    outcome = Outcome.join(
        measure_what_fits(plan, batch, first=not index) for index, batch in enumerate(plan.batches)
    )
    header = plan.header()
    for name in _NOT_OF_A_RUN:
        del header[name]
    return Run(
        settings=plan.settings,
        records=sorted(outcome.records, key=lambda record: record.position),
        skipped=plan.skipped,
        failed=sorted(outcome.failed, key=lambda failed: failed.position),
        **header,
    )


#: What a run's header holds for those who take the run up again.
_NOT_OF_A_RUN = ("settings", "limit", "data_path", "batch_sizes")


def run_experiment(
    plan: Plan,
    folder: Path,
    should_stop: Callable[[], bool] = lambda: False,
    retry_failed: bool = False,
    rank: Rank = ALONE,
) -> Generator[Event, None, None]:
    """Measure a plan into ``folder``, going on where earlier calls stopped.

    Args:
        plan: what to measure.
        folder: of the run; see :class:`mlxjsd.store.Store`.
        should_stop: asked between batches.
        retry_failed: try the prompts again that failed in earlier calls.
        rank: of this process, where several measure the plan together. What any of them has
            tried, now or earlier, is not measured again.

    Yields:
        ``Started``, a ``BatchDone`` after each batch is on disk, then ``Finished`` or
        ``Stopped``. Several ranks go on with ``Waiting`` until the others are done as well, and
        with ``PeersLost`` if they never will be; all but the first end with ``ShareDone``.

    Raises:
        InputError: if the folder belongs to something else, or another process writes to it.
        MeasurementError: if the first batch of this call does not prove itself, or too many
            prompts fail.
        MachineError: if a batch cannot be written.
    """
    ours = world(rank, plan.fingerprint)
    with Store(folder, {**plan.header(), "world": ours}, shard_name(rank.index)) as store:
        store.set_world(ours)
        refuse_strangers(store.path, ours)
        store.set_skipped(plan.skipped)
        if retry_failed:
            store.forget_failed()
        there = read_run(folder)  # and whatever other ranks wrote
        tried = {record.id for record in there.records}
        tried |= set() if retry_failed else {failed.id for failed in there.failed}
        done, total, layers = len(tried), plan.total, plan.model.identity.layers
        limit, first, share = null_limit(plan.model.identity.dtype), True, 0
        yield Started(folder, layers, total, done, plan.skipped, plan.model.notes, limit)
        bound_reuse(Footprint.of(plan.model), _largest(plan))
        for planned in plan.share(rank):
            batch = [prompt for prompt in planned if prompt.prompt.id not in tried]
            for part, trust in _parts(store, batch):
                if should_stop():
                    yield Stopped(done, total)
                    return
                began = time.perf_counter()
                outcome = measure_what_fits(plan, part, first) if trust else _deadly(plan, part)
                first = first and not outcome.records  # only numbers can prove themselves
                store.add(outcome.records, outcome.failed)
                share += len(part)
                measured, broken = map(len, read_tried(folder))  # of all ranks
                done = measured + broken
                seconds = time.perf_counter() - began
                found, failed = tuple(outcome.records), tuple(outcome.failed)
                yield BatchDone(found, done, total, seconds, mx.get_peak_memory(), failed)
                _refuse_if_too_many_failed(folder, measured, broken, total)
        measured, broken = map(len, read_tried(folder))
        _refuse_if_too_many_failed(folder, measured, broken, total)
        wanted, patience = set(plan.positions), Patience() if rank.leads else Patience(grace=0)
        waiting = await_others(folder, rank, wanted, should_stop, patience)
        whole = rank == ALONE or (yield from waiting)
        if whole:
            from mlxjsd.cosines import add_cosines  # which needs this file

            add_cosines(plan, store, rank)
        if not rank.leads:
            yield ShareDone(share)
        elif whole:
            yield Finished(total)


def _largest(plan: Plan) -> Shape:
    """Return the shape of the plan's batch with the most tokens."""
    shapes = [Shape.of(batch, plan.settings) for batch in plan.batches]
    return max(shapes, key=lambda shape: shape.size * shape.length)


def _parts(store: Store, batch: list[Encoded]) -> Iterator[tuple[list[Encoded], bool]]:
    """Yield a batch, in parts if whole processes have died of it, and whether to measure each.

    Some failures are no errors that could be caught: the memory of a GPU's command buffer, the
    system's killer of large processes. So a batch of which DEATHS processes in a row have died is
    halved, and halved again, until one prompt is found that no process survives.
    """
    waiting = [batch] if batch else []
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
    return Outcome([], [_failed(plan, encoded, reason) for encoded in part])


def _refuse_if_too_many_failed(folder: Path, measured: int, failed: int, total: int) -> None:
    """Stop a run in which more than MOST_FAILED of the prompts, once there are some, fail."""
    done = measured + failed
    if done >= min(ENOUGH_TO_JUDGE, total) and failed > MOST_FAILED * done:
        last = read_run(folder).failed[-1]
        sentence = messages.TOO_MANY_FAILED(
            failed=failed,
            tried=done,
            share=MOST_FAILED,
            id=last.id,
            why=last.reason,
            folder=folder,
        )
        raise MeasurementError(sentence)


def directions_of(plan: Plan, batch: Sequence[Encoded]) -> np.ndarray:
    """Return the directions of a batch's last tokens, (B, L, hidden) float32."""
    tokens = np.array([encoded.tokens for encoded in batch], dtype=np.int32)

    def compute() -> np.ndarray:
        return last_token_directions(plan.model.blocks, tokens)

    if plan.model.team is None:
        return compute()
    positions = [plan.positions[encoded.prompt.id] for encoded in batch]
    what = "a clean pass"
    found: np.ndarray = plan.model.team.together(DIRECTIONS, positions, tokens.size, compute, what)
    return found


def versions() -> dict[str, str]:
    """Return the versions of what computes the numbers, and the machine's kind."""
    packages = {name: version(name) for name in ("mlxjsd", "mlx", "mlx-lm", "numpy")}
    device = str(mx.device_info().get("device_name", mx.default_device()))
    return {**packages, "python": platform.python_version(), "device": device}


def _no_prompt(data: PromptFile, skipped: Sequence[Skipped]) -> InputError:
    if not skipped:
        return InputError(messages.NO_PROMPT_LEFT(path=data.path))
    first = min(skipped, key=lambda s: s.position)
    sentence = messages.NO_PROMPT_USABLE(path=data.path, id=first.id, why=first.reason)
    return InputError(sentence)


def _record(
    plan: Plan, encoded: Encoded, numbers: Measurement, row: int, answer: str | None
) -> Record:
    prompt, decode = encoded.prompt, plan.model.encoder.decode
    return Record(
        id=prompt.id,
        position=plan.positions[prompt.id],
        text=prompt.text,
        subject=prompt.subject,
        relation=prompt.relation,
        answers=prompt.answers,
        token_ids=encoded.tokens,
        tokens=tuple(decode([token]) for token in encoded.tokens),
        subject_span=(encoded.start, encoded.end),
        source=plan.corruption.source(encoded),
        prediction=decode([int(numbers.prediction[row])]),
        probability=float(numbers.probability[row]),
        entropy=float(numbers.entropy[row]),
        jsd=numbers.jsd[row],
        reliance=float(numbers.reliance[row]),
        floor=float(numbers.floor[row]),
        norms=numbers.norms[row],
        answer=answer,
        flags=encoded.flags,
        popularity=prompt.popularity,
    )
