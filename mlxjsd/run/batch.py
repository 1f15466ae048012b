"""One batch: finite numbers, answers, and prompts that cannot be measured."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import mlx.core as mx
import numpy as np

from mlxjsd.errors import MeasurementError
from mlxjsd.interventions.invariants import check_measurement, clean_logits, null_limit
from mlxjsd.interventions.maps import sweep_maps
from mlxjsd.interventions.nonfinite import finite_prompts, where_it_breaks
from mlxjsd.interventions.reference import reference_batch, reference_maps
from mlxjsd.interventions.similarity import last_token_directions
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.anatomy import ONE_PASS
from mlxjsd.model.generate import CleanRun, generate_answers
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.model.tensor_group import DIRECTIONS, MEASURE, MEASURE_FIRST
from mlxjsd.prompts.encode import Encoded
from mlxjsd.records import Record, Skipped
from mlxjsd.run.out_of_memory import in_memory
from mlxjsd.run.plan import Plan
from mlxjsd.settings import Settings


def measurement_of(
    model: LoadedModel,
    batch: Batch,
    settings: Settings,
    kept: list[tuple[mx.array, ...]] | None = None,
) -> Measurement:
    """Measure a batch by the model's path; see :func:`mlxjsd.interventions.sweep.sweep_batch`."""
    one_pass = model.identity.path == ONE_PASS
    if one_pass:
        found = sweep_batch(model.blocks, batch, settings, kept)
    else:
        found = reference_batch(model.blocks, batch, settings)
    if not settings.maps:
        return found
    measure = sweep_maps if one_pass else reference_maps
    return replace(found, maps=measure(model.blocks, batch, settings))


@dataclass(frozen=True)
class Outcome:
    """What came of a batch: every prompt of it is in one of the two."""

    records: list[Record]
    failed: list[Skipped]
    directions: dict[str, np.ndarray] = field(default_factory=dict)
    """Of the prompts that were answered, by id: see
    :attr:`mlxjsd.interventions.spec.Measurement.directions`, (L, hidden) each."""

    @classmethod
    def join(cls, parts: "Iterable[Outcome]") -> "Outcome":
        """Put several together."""
        joined = cls([], [])
        for part in parts:
            joined.records.extend(part.records)
            joined.failed.extend(part.failed)
            joined.directions.update(part.directions)
        return joined


def measure_batch(plan: Plan, batch: Sequence[Encoded]) -> Outcome:
    """Measure one batch of a plan, or a part of one."""
    return _by_all(plan, MEASURE, batch, lambda: _measured(plan, batch, check=False))


def _by_all(
    plan: Plan, kind: int, batch: Sequence[Encoded], compute: Callable[[], Outcome]
) -> Outcome:
    """Measure a batch; of a model that ranks hold together, on all of them, with equal results."""
    group = plan.model.group
    if group is None:
        return compute()
    positions = [plan.positions[encoded.prompt.id] for encoded in batch]
    tokens = sum(len(encoded.tokens) for encoded in batch)
    outcome: Outcome = group.compute_on_all(kind, positions, tokens, compute, "measuring a batch")
    words = [[r.id, r.prediction, r.answer] for r in outcome.records]
    words += [[f.id, f.reason] for f in outcome.failed]
    numbers = np.array([[*r.cells.ravel(), *r.whole.ravel()] for r in outcome.records])
    with group.collective("comparing the results"):
        same, spread = group.all_equal(words), group.largest_difference(numbers)
    allowed = null_limit(plan.model.identity.dtype)
    if not same or not spread <= allowed:
        said = f"differ by {spread:.1e} nats (allowed: {allowed:.0e})" if same else "differ"
        raise MeasurementError(
            f"these numbers cannot be right: the results of the ranks {said}",
            hint="try without --tensor-parallel",
        )
    return outcome


def measure_first_batch(plan: Plan, batch: Sequence[Encoded]) -> Outcome:
    """Measure a batch and check its numbers, for a few more forward passes.

    Raises:
        MeasurementError: if an invariant does not hold.
    """
    return _by_all(plan, MEASURE_FIRST, batch, lambda: _measured(plan, batch, check=True))


def _measured(plan: Plan, batch: Sequence[Encoded], check: bool) -> Outcome:
    passes: list[_Pass] = []
    waiting = plan.units.passes_of(batch)
    while waiting:
        together = waiting.pop(0)
        if waiting:
            plan.corruption.prepare(waiting[0])
        passes.append(_pass(plan, together, check))
        check = check and not passes[-1].finite.any()  # only numbers can be checked
    answers = _answers(plan, passes)
    return Outcome.join(_outcome(plan, each, answers) for each in passes)


@dataclass(frozen=True)
class _Pass:
    """What one pass gave."""

    prompts: Sequence[Encoded]
    numbers: Measurement
    finite: np.ndarray
    """Of which prompts the numbers are numbers, (B,) bool."""
    kept: list[tuple[mx.array, ...]]
    """See :attr:`mlxjsd.model.generate.CleanRun.kept`."""

    def asked(self) -> list[int]:
        """Return the rows of the prompts that are to be answered."""
        return [n for n, e in enumerate(self.prompts) if self.finite[n] and e.prompt.answers]


def _pass(plan: Plan, together: Sequence[Encoded], check: bool) -> _Pass:
    blocks, made = plan.model.blocks, plan.corruption.batch(together)
    before = clean_logits(blocks, made) if check else None
    kept: list[tuple[mx.array, ...]] = []
    answered = plan.labelling.max_tokens is not None
    numbers = measurement_of(plan.model, made, plan.settings, kept if answered else None)
    finite = finite_prompts(numbers, blocks, plan.settings, made)
    if before is not None and finite.any():
        dtype = plan.model.identity.dtype
        for invariant in check_measurement(blocks, made, numbers, before, dtype, finite):
            if not invariant.passed:
                raise MeasurementError(
                    f"these numbers cannot be right: it must hold that {invariant.name}, but the "
                    f"difference is {invariant.measured} (allowed: {invariant.allowed})",
                    hint="try `mlxjsd check`",
                )
    return _Pass(together, numbers, finite, kept)


def _outcome(plan: Plan, found: _Pass, answers: Mapping[str, str]) -> Outcome:
    outcome = Outcome([], [])
    for row, encoded in enumerate(found.prompts):
        if found.finite[row]:
            answer = answers.get(encoded.prompt.id)
            outcome.records.append(_record(plan, encoded, found.numbers, row, answer))
            if answer is not None:
                outcome.directions[encoded.prompt.id] = found.numbers.directions[row].copy()
        else:
            alone = plan.corruption.batch([encoded])
            reason = where_it_breaks(plan.model.blocks, alone, plan.settings)
            outcome.failed.append(failed_prompt(plan, encoded, reason))
    return outcome


def failed_prompt(plan: Plan, encoded: Encoded, reason: str) -> Skipped:
    """Return the entry of a prompt that was tried, and could not be measured."""
    return Skipped(encoded.prompt.id, plan.positions[encoded.prompt.id], reason)


def measure_what_fits(plan: Plan, batch: Sequence[Encoded], first: bool) -> Outcome:
    """Measure one batch in as many parts as memory asks for.

    Args:
        plan: of the run.
        batch: of it, or a part of one.
        first: whether its numbers are checked.
    """
    measure = measure_first_batch if first else measure_batch
    parts, too_large = in_memory(lambda part: measure(plan, part), batch)
    failed = [failed_prompt(plan, encoded, reason) for encoded, reason in too_large]
    return Outcome.join([*parts, Outcome([], failed)])


def _answers(plan: Plan, passes: Sequence[_Pass]) -> dict[str, str]:
    """Let the model answer the prompts whose answers are known; return them by prompt id."""
    if plan.labelling.max_tokens is None:
        return {}
    runs = []
    for each in passes:
        if rows := each.asked():
            prompts, chosen = [each.prompts[row] for row in rows], mx.array(rows)
            kept = [tuple(part[chosen] for part in block) for block in each.kept]
            runs.append(CleanRun(prompts, each.numbers.prediction[rows].tolist(), kept))
    if not runs:
        return {}
    written = generate_answers(plan.model, runs, plan.labelling.max_tokens)
    asked = (encoded for run in runs for encoded in run.prompts)
    return {e.prompt.id: answer for e, answer in zip(asked, written, strict=True)}


def directions_of(plan: Plan, batch: Sequence[Encoded]) -> np.ndarray:
    """Return the directions of a batch's last tokens, (B, L, hidden) float32."""
    tokens = np.array([encoded.tokens for encoded in batch], dtype=np.int32)

    def compute() -> np.ndarray:
        first = min(encoded.start for encoded in batch)
        return last_token_directions(plan.model.blocks, tokens, first)

    if plan.model.group is None:
        return compute()
    positions = [plan.positions[encoded.prompt.id] for encoded in batch]
    what = "a clean pass"
    found: np.ndarray = plan.model.group.compute_on_all(
        DIRECTIONS, positions, tokens.size, compute, what
    )
    return found


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
        grid=numbers.grid,
        cells=numbers.cells[row],
        whole=numbers.whole[row],
        norms=numbers.norms[row],
        answer=answer,
        flags=encoded.flags,
        popularity=prompt.popularity,
        maps=None if numbers.maps is None else numbers.maps[row],
    )
