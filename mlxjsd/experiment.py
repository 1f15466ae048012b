"""The run: prompts in, events out.

A generator at the core; the command line, the terminal app and the tests are thin consumers
of one stream of events.
"""

import platform
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlxjsd.anatomy import ONE_PASS
from mlxjsd.batching import plan_batches
from mlxjsd.budget import Budget, Footprint, bound_reuse
from mlxjsd.corruption import Corruption
from mlxjsd.cost import Shape
from mlxjsd.errors import InputError, MeasurementError
from mlxjsd.events import BatchDone, Event, Finished, Started, Stopped
from mlxjsd.generation import generate_answers
from mlxjsd.grouping import labelling_of
from mlxjsd.interventions import Batch, Measurement
from mlxjsd.knowledge import label
from mlxjsd.labelling import Labelling
from mlxjsd.model import LoadedModel
from mlxjsd.prompts import PromptFile
from mlxjsd.proofs import cheap_proofs, clean_logits
from mlxjsd.records import Record, Run, Skipped
from mlxjsd.reference import reference_batch
from mlxjsd.settings import Settings
from mlxjsd.similarity import DirectionSums, last_token_directions
from mlxjsd.spans import Encoded, Unusable
from mlxjsd.store import Store, read_run
from mlxjsd.sweep import sweep_batch

#: The most prompts for each pass, unless told otherwise: more are hardly any faster.
BATCH_SIZE = 16


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

    @property
    def total(self) -> int:
        """Prompts to be measured."""
        return len(self.positions)

    def header(self) -> dict[str, Any]:
        """Return what identifies the run, as JSON values."""
        return {
            "settings": self.settings.to_json(),
            "model": self.model.identity.to_json(),
            "data": self.data.identity(),
            # As it was given, so that the run can be taken up again.
            "data_path": str(self.data.path),
            "limit": self.limit,
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

    Raises:
        InputError: if no prompt is usable, or a number makes no sense.
    """
    settings = settings or Settings()
    if limit is not None and limit < 1:
        raise InputError(f"the limit must be at least 1, not {limit}")
    if batch_size is not None and batch_size < 1:
        raise InputError(f"the batch size must be at least 1, not {batch_size}")
    usable, skipped = encode_all(model, data, settings)
    if not usable:
        raise InputError(_no_prompt(data, skipped))
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
        raise InputError(_no_prompt(data, skipped))
    batches = plan_batches(wanted, _sizes(model, settings, batch_size, memory))
    skipped.sort(key=lambda s: s.position)
    return Plan(
        model,
        data,
        settings,
        limit,
        corruption,
        positions,
        batches,
        tuple(skipped),
        labelling or Labelling(),
    )


def _sizes(
    model: LoadedModel, settings: Settings, batch_size: int | None, memory: float | None
) -> Callable[[Sequence[Encoded]], int]:
    """Say how many prompts of one shape go together: what was asked for, or what fits."""
    if batch_size is not None:
        if memory is not None:
            raise InputError("give --batch-size or --memory, not both")
        return lambda same: batch_size
    footprint, budget = Footprint.of(model), Budget.of(memory)
    return lambda same: budget.prompts(footprint, Shape.of(same, settings), BATCH_SIZE)


def measurement_of(model: LoadedModel, batch: Batch, window: int) -> Measurement:
    """Measure a batch by the model's path."""
    by_path = sweep_batch if model.identity.path == ONE_PASS else reference_batch
    return by_path(model.blocks, batch, window)


def measure_batch(plan: Plan, batch: Sequence[Encoded]) -> list[Record]:
    """Measure one batch of a plan, or a part of one."""
    return _measured(plan, batch, plan.corruption.batch(batch))


def _measured(plan: Plan, batch: Sequence[Encoded], made: Batch) -> list[Record]:
    numbers = measurement_of(plan.model, made, plan.settings.window)
    answers = _answers(plan, batch, numbers.prediction)
    return [
        _record(plan, encoded, numbers, row, answers.get(encoded.prompt.id))
        for row, encoded in enumerate(batch)
    ]


def measure_first_batch(plan: Plan, batch: Sequence[Encoded]) -> list[Record]:
    """Measure a batch whose numbers have to prove themselves, for a few more forward passes.

    Raises:
        MeasurementError: if they do not.
    """
    blocks, made = plan.model.blocks, plan.corruption.batch(batch)
    before = clean_logits(blocks, made)
    records = _measured(plan, batch, made)
    jsd, floor = np.stack([r.jsd for r in records]), np.array([r.floor for r in records])
    for proof in cheap_proofs(blocks, made, jsd, floor, before, plan.model.identity.dtype):
        if not proof.passed:
            raise MeasurementError(
                f"these numbers cannot be right: it must hold that {proof.name}, but the "
                f"difference is {proof.measured} (allowed: {proof.allowed}); try `mlxjsd check`"
            )
    return records


def _answers(plan: Plan, batch: Sequence[Encoded], first: np.ndarray) -> dict[str, str]:
    """Let the model answer the prompts of ``batch`` whose answers are known, by prompt id."""
    asked = [(e, int(t)) for e, t in zip(batch, first, strict=True) if e.prompt.answers]
    if plan.labelling.max_tokens is None or not asked:
        return {}
    prompts, tokens = zip(*asked, strict=True)
    written = generate_answers(plan.model, prompts, tokens, plan.labelling.max_tokens)
    return {e.prompt.id: answer for e, answer in zip(prompts, written, strict=True)}


def measure(plan: Plan) -> Run:
    """Measure a whole plan in memory; the result is like one that was read from a folder."""
    records = [
        record
        for index, batch in enumerate(plan.batches)
        for record in (measure_batch if index else measure_first_batch)(plan, batch)
    ]
    records.sort(key=lambda record: record.position)
    header = plan.header()
    del header["settings"], header["limit"], header["data_path"]
    return Run(settings=plan.settings, records=records, skipped=plan.skipped, **header)


def run_experiment(
    plan: Plan, folder: Path, should_stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, None]:
    """Measure a plan into ``folder``, going on where an earlier call stopped.

    Args:
        plan: what to measure.
        folder: of the run; see :class:`mlxjsd.store.Store`.
        should_stop: asked between batches.

    Yields:
        ``Started``, a ``BatchDone`` after each batch is on disk, then ``Finished`` or
        ``Stopped``.

    Raises:
        InputError: if the folder belongs to something else.
        MeasurementError: if the first batch of this call does not prove itself.
    """
    with Store(folder, plan.header()) as store:
        store.set_skipped(plan.skipped)
        measured, first = store.done(), True
        done, total, layers = len(measured), plan.total, plan.model.identity.layers
        yield Started(folder, layers, total, done, plan.skipped, plan.model.notes)
        bound_reuse(Footprint.of(plan.model), _largest(plan))
        for planned in plan.batches:
            batch = [prompt for prompt in planned if prompt.prompt.id not in measured]
            if not batch:
                continue
            if should_stop():
                yield Stopped(done, total)
                return
            began = time.perf_counter()
            records = (measure_first_batch if first else measure_batch)(plan, batch)
            first = False
            store.add(records)
            done += len(records)
            seconds = time.perf_counter() - began
            yield BatchDone(tuple(records), done, total, seconds, mx.get_peak_memory())
        _add_cosines(plan, store)
        yield Finished(total)


def _largest(plan: Plan) -> Shape:
    """Return the shape of the plan's batch with the most tokens."""
    shapes = [Shape.of(batch, plan.settings) for batch in plan.batches]
    return max(shapes, key=lambda shape: shape.size * shape.length)


def _add_cosines(plan: Plan, store: Store) -> None:
    """Measure how alike the last-token states of each category are, once all are known."""
    run = read_run(store.folder)
    labelling = labelling_of(run)
    if run.cosines.get("labelling") == labelling:
        return
    labels = label(run.records, **labelling)
    category = {r.id: c for r, c in zip(run.records, labels.categories, strict=True)}
    if not labels.present():
        return
    sums = DirectionSums()
    for batch in plan.batches:
        tokens = np.array([encoded.tokens for encoded in batch], dtype=np.int32)
        directions = last_token_directions(plan.model.blocks, tokens)
        sums.add([category.get(encoded.prompt.id) for encoded in batch], directions)
    store.set_cosines({"labelling": labelling, "groups": sums.cosines()})


def versions() -> dict[str, str]:
    """Return the versions of what computes the numbers, and the machine's kind."""
    packages = {name: version(name) for name in ("mlxjsd", "mlx", "mlx-lm", "numpy")}
    device = str(mx.device_info().get("device_name", mx.default_device()))
    return {**packages, "python": platform.python_version(), "device": device}


def _no_prompt(data: PromptFile, skipped: Sequence[Skipped]) -> str:
    if not skipped:
        return f"no prompt of {data.path} is left to measure"
    first = min(skipped, key=lambda s: s.position)
    return (
        f"no prompt of {data.path} can be measured; the first one, {first.id!r}, "
        f"because {first.reason}"
    )


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
