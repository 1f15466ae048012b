"""Measuring some prompts of a finished run again, on another machine, to see whether they agree.

Nothing but the run is needed: its records say which tokens were read and what came of the data file
for each of them (:mod:`mlxjsd.interventions.corruption.stored`). With the data file at hand, what
depends on it is worked out anew as well.

How near is near enough is said in :mod:`mlxjsd.interventions.invariants`: the rounding of two
machines, which their noise floors measure. A floor that the run claims counts as far as its data
type allows, so that nobody can widen it. A packed number stands for all that are packed alike.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.interventions.corruption import Corruption
from mlxjsd.interventions.corruption.stored import DEVIATION, LEVELS, NOT_STORED, Sources
from mlxjsd.interventions.invariants import NEAR, allowed_of_roots, epsilon, null_limit
from mlxjsd.maps import label as map_label
from mlxjsd.metrics import JSD, PROB, TOP1, described
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.encode import Unusable
from mlxjsd.prompts.prompt import Prompt, PromptFile
from mlxjsd.records import Record
from mlxjsd.results import Run
from mlxjsd.row_names import label
from mlxjsd.rows import FLOOR
from mlxjsd.run.batch import measure_what_fits
from mlxjsd.run.plan import Plan, encode_all, plan_run

#: Up to this noise floor (nats), greedy answers are the same on two machines but for rare ties.
QUIET = 1e-6
#: Of further metrics, which are no distances: what float32 may cost, relative to numbers over 1.
_FURTHER = 1e-3
#: Places of a text that are tried for its subject.
_PLACES = 100


@dataclass(frozen=True)
class Verified:
    """What came of measuring one prompt again."""

    id: str
    numbers: int
    """That were compared."""
    largest: float
    """nats, the largest difference of two divergences, the packing left out; NaN for none."""
    floor: float
    """nats, the noise floor that counted."""
    objections: tuple[str, ...]
    """Sentences on what does not agree."""
    notes: tuple[str, ...] = ()
    """Sentences on what differs, and may."""

    @property
    def agrees(self) -> bool:
        """Whether all that was compared does."""
        return not self.objections


def drawn(records: Sequence[Record], count: int | None, seed: int) -> list[Record]:
    """Draw some records, the same ones for the same seed; None for all."""

    def chance(record: Record) -> bytes:
        return hashlib.sha256(f"{seed}\0verify\0{record.id}".encode()).digest()

    chosen = sorted(records, key=chance)[:count]
    return sorted(chosen, key=lambda record: record.position)


def refuse_another_model(model: LoadedModel, run: Run) -> None:
    """Raise ``InputError`` if a run was not measured on this model, as its files' hash says."""
    here, there = model.identity, run.model
    if here.sha256 == there.get("sha256") and here.bits == there.get("bits"):
        return
    said = str(there.get("sha256"))[:12]
    raise InputError(
        f"another model: this is {here.name} ({here.sha256[:12]}), and the numbers are of "
        f"{there['name']} ({said})",
        hint="name the one that was measured with --model",
    )


def verify(
    model: LoadedModel,
    run: Run,
    records: Sequence[Record],
    steps: Mapping[str, float] | None = None,
    data: PromptFile | None = None,
    map_steps: Mapping[str, float] | None = None,
) -> Iterator[Verified]:
    """Measure records of a run again, with their maps if they have any, and compare.

    Args:
        model: the one that was measured.
        run: that the records are of.
        records: of the run, at least one.
        steps: between two packed cells, by metric; None where nothing is packed.
        data: the file that the prompts are from, if it is here.
        map_steps: as ``steps``, of maps.

    Raises:
        InputError: if it is another model or another data file, or if the run does not say how it
            was corrupted and no data file does.
    """
    refuse_another_model(model, run)
    sources: Sources = {record.id: record.source for record in records}
    objections: dict[str, list[str]] = {record.id: [] for record in records}
    known: dict[str, Prompt] = {}
    if data is not None:
        known, sources = _from_data(model, run, records, data, objections)
    if any(one.get("kind") == "noise" and DEVIATION not in one for one in sources.values()):
        raise InputError(
            f"{NOT_STORED}, since an older version measured it", hint="give its file with --data"
        )
    asked: list[Prompt] = []
    for record in records:
        prompt = _as_read(model, run, record, known.get(record.id))
        if prompt is not None:
            asked.append(prompt)
            continue
        objections[record.id].append("this model's tokenizer reads its text as other tokens")
        yield _failed(record, objections)
    if not asked:
        return
    plan = _plan(model, run, asked, sources)
    by_id = {record.id: record for record in records}
    for skipped in plan.skipped:
        objections[skipped.id].append(f"it cannot be measured: {skipped.reason}")
        yield _failed(by_id[skipped.id], objections)
    for batch in plan.batches:
        outcome = measure_what_fits(plan, batch, first=False)
        for failed in outcome.failed:
            objections[failed.id].append(f"it cannot be measured here: {failed.reason}")
            yield _failed(by_id[failed.id], objections)
        for again in outcome.records:
            there, before = by_id[again.id], objections[again.id]
            packed = steps or {}, map_steps or {}
            yield _compared(there, again, packed, model.identity.dtype, before)


def _plan(model: LoadedModel, run: Run, prompts: Sequence[Prompt], sources: Sources) -> Plan:
    # Prompts that ask the same are two records of an older version's run.
    return plan_run(
        model,
        PromptFile.of(prompts),
        run.settings,
        labelling=run.labelling,
        once=False,
        sources=sources,
    )


def _prompt_of(record: Record, start: int | None) -> Prompt:
    return Prompt(
        record.id, record.text, record.subject, start, record.answers, record.relation,
        record.popularity,
    )  # fmt: skip


def _as_read(model: LoadedModel, run: Run, record: Record, prompt: Prompt | None) -> Prompt | None:
    """Return a record's prompt; None if the model reads it in another way than the run says.

    A record says which tokens are the subject's, not where it stands in the text, so each place
    where it stands is tried, unless the data file says it.
    """
    text, subject, at = record.text, record.subject, -1
    starts: list[int | None] = [None]
    while subject and (at := text.find(subject, at + 1)) >= 0 and len(starts) < _PLACES:
        starts.append(at)
    wanted = record.token_ids, record.subject_span
    for asked in [prompt] if prompt else [_prompt_of(record, start) for start in starts]:
        try:
            found = model.encoder.encode(asked, run.settings.prompt_template, run.settings.chat)
        except Unusable:
            continue
        if (found.tokens, (found.start, found.end)) == wanted:
            return asked
    return None


def _from_data(
    model: LoadedModel,
    run: Run,
    records: Sequence[Record],
    data: PromptFile,
    objections: Mapping[str, list[str]],
) -> tuple[dict[str, Prompt], Sources]:
    """Return the records' prompts and sources as the data file has them; object to others."""
    if data.sha256 != run.data.get("sha256"):
        raise InputError(
            f"{data.path} is another file than the one that was measured, {run.data.get('file')}",
            hint="give that one with --data, or leave --data out",
        )
    usable = [prompt for _, prompt in encode_all(model, data, run.settings)[0]]
    corruption = Corruption(run.settings, usable, model)
    prompts = {prompt.id: prompt for prompt in data.prompts}
    encoded = {prompt.prompt.id: prompt for prompt in usable}
    sources: dict[str, Mapping[str, Any]] = {}
    for record in records:
        sources[record.id] = record.source
        prompt, found = prompts.get(record.id), encoded.get(record.id)
        if prompt is None or found is None or corruption.reason_against(found):
            objections[record.id].append("the data file has no such prompt that can be measured")
            continue
        sources[record.id] = corruption.source(found)
        if not _same_source(record.source, sources[record.id]):
            objections[record.id].append("by the data file it is corrupted in another way")
        if _prompt_of(record, prompt.subject_start) != replace(prompt, counterfactual=None):
            objections[record.id].append("the data file asks it in another way")
    return {key: prompts[key] for key in encoded if key in prompts}, sources


def _same_source(there: Any, here: Any) -> bool:
    """Compare what two runs say of a corruption, but for what older versions left out."""
    if isinstance(there, dict) and isinstance(here, dict):
        known = {key: here[key] for key in here if key in there or key not in (DEVIATION, LEVELS)}
        return there.keys() == known.keys() and all(
            _same_source(there[key], value) for key, value in known.items()
        )
    if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        return all(_same_source(a, b) for a, b in zip(there, here, strict=True))
    if isinstance(here, float) and isinstance(there, int | float):
        return bool(np.isclose(there, here, rtol=1e-4, atol=0))
    return bool(there == here)


def _failed(record: Record, objections: Mapping[str, list[str]]) -> Verified:
    return Verified(record.id, 0, float("nan"), float("nan"), tuple(objections[record.id]))


def _compared(
    there: Record,
    here: Record,
    steps: tuple[Mapping[str, float], Mapping[str, float]],
    dtype: str,
    before: Sequence[str],
) -> Verified:
    """Compare two records of one prompt: what a run says, and what was measured now.

    ``steps`` are those of packed cells and of packed maps, by metric.
    """
    limit = null_limit(dtype)
    floor = float(np.nanmax([here.floor, min(there.floor, limit)]))
    objections = list(before)
    notes: list[str] = []
    numbers, largest = 0, 0.0
    for metric in there.grid.metrics:
        if metric not in here.grid.metrics:
            continue
        of_cells, of_maps = (each.get(metric, 0.0) / 2 for each in steps)
        pairs = _pairs(there, here, metric, of_cells), _map_pairs(there, here, metric, of_maps)
        for name, a, b, half in chain(*pairs):
            # Of all numbers that are packed alike, the nearest one.
            nearest = np.clip(b, a - half, a + half)
            differ = np.isnan(a) != np.isnan(b)
            gap = np.where(differ, np.inf, np.nan_to_num(np.abs(nearest - b)))
            wrong = differ | (_too_far(metric, nearest, b, dtype, floor) & ~np.isnan(b))
            numbers += len(gap)
            if metric == JSD.key:
                largest = max(largest, float(gap.max(initial=0.0)))
            if metric == TOP1.key and wrong.sum() <= 1:
                continue  # two tokens may be as probable
            if wrong.any():
                objections.append(_said(name, metric, a, b, int(np.argmax(wrong * (gap + 1)))))
    limit_of_words = max(floor, here.floor)
    for what, was, now in (
        ("prediction", there.prediction, here.prediction),
        ("answer", there.answer, here.answer),
    ):
        if was != now and was is not None and now is not None:
            said = f"the {what} is {now!r} here, not {was!r}"
            (objections if limit_of_words <= QUIET else notes).append(said)
    allowed = _of_probabilities(dtype, floor)
    if abs(there.probability - here.probability) > allowed:
        objections.append(
            f"the prediction's probability is {here.probability:.4f} here, "
            f"not {there.probability:.4f}"
        )
    if there.floor > limit:
        notes.append(f"it claims a noise floor of {there.floor:.1e} nats, over {limit:.0e}")
    return Verified(there.id, numbers, largest, floor, tuple(objections), tuple(notes))


def _pairs(
    there: Record, here: Record, metric: str, half: float
) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Yield what both have of one metric: a row's name, its numbers, half a packing's step."""
    for row in there.grid.rows:
        if row in here.grid.rows:
            a, b = (r.of(metric)[r.grid.rows.index(row)] for r in (there, here))
            yield label(row), a.astype(np.float64), b.astype(np.float64), half
    for row in there.grid.whole:
        if row in here.grid.whole and row != FLOOR.key:  # noise is another one each time
            one, other = (np.array([r.number(row, metric)]) for r in (there, here))
            yield label(row), one, other, 0.0


def _map_pairs(
    there: Record, here: Record, metric: str, half: float
) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Yield what both have of one metric's maps, token by token; see :func:`_pairs`."""
    if there.maps is None or here.maps is None:
        return
    for name in there.grid.maps:
        if name not in here.grid.maps:
            continue
        pairs = zip(there.tokens, there.map(name, metric), here.map(name, metric), strict=True)
        for at, (token, a, b) in enumerate(pairs):
            said = f"{map_label(name)} at token {at} ({token!r})"
            yield said, a.astype(np.float64), b.astype(np.float64), half


def _too_far(metric: str, a: np.ndarray, b: np.ndarray, dtype: str, floor: float) -> np.ndarray:
    """Return which numbers of one metric are no two measurements of one thing."""
    gap = np.abs(a - b)
    if metric == JSD.key:
        roots = np.abs(np.sqrt(np.maximum(a, 0)) - np.sqrt(np.maximum(b, 0)))
        found: np.ndarray = (gap > NEAR) & (roots > allowed_of_roots(dtype, floor))
    elif metric in (PROB.key, TOP1.key):
        found = gap > _of_probabilities(dtype, floor)
    else:
        relative = _FURTHER + 2 * allowed_of_roots(dtype, floor)
        found = gap > relative * np.maximum(1.0, np.abs(b))
    return found


def _of_probabilities(dtype: str, floor: float) -> float:
    """Return by how much a probability may differ: the total variation is at most the root of
    twice the divergence (Pinsker)."""
    return float(np.sqrt(2) * allowed_of_roots(dtype, floor) + 4 * epsilon(dtype) + NEAR)


def _said(name: str, metric: str, a: np.ndarray, b: np.ndarray, at: int) -> str:
    unit = described(metric).unit
    where = f"{name} at layer {at}" if len(a) > 1 else name
    here, there = (
        "no number" if np.isnan(each[at]) else f"{each[at]:.5f} {unit}".rstrip() for each in (b, a)
    )
    return f"{metric}: {where} is {here} here, not {there}"
