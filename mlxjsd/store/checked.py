"""What a row of a run file may say; see :mod:`mlxjsd.store.header`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlxjsd.errors import MeasurementError
from mlxjsd.metrics import described
from mlxjsd.records import Grid, Record, Skipped
from mlxjsd.store.damage import Damage
from mlxjsd.store.header import MOST_PROMPTS, ROUNDING
from mlxjsd.store.values import (
    anything,
    integer,
    listed,
    mapped,
    named,
    optional,
    parsed,
    real,
    text,
    with_keys,
)

_token = integer(0, 2**31 - 1)
_position = integer(0, MOST_PROMPTS)
_source = with_keys({"kind": text, "token_ids": listed(_token)}, ("kind",))


def record_from(values: Mapping[str, Any], grid: Grid, tolerance: float) -> Record:
    """Return the record that a row holds, by the names of its columns.

    Args:
        values: as SQLite gives them back.
        grid: which numbers there are.
        tolerance: by how much rounding may take one of them out of its range.

    Raises:
        Damage: if a value cannot be; the message names the row.
    """
    given = values.get("id")
    try:
        return _record(values, grid, tolerance)
    except Damage as error:
        raise Damage(f"the row of {str(given)[:80]!r}: {error}") from None


def _record(values: Mapping[str, Any], grid: Grid, tolerance: float) -> Record:
    tokens = listed(text)(parsed(values["tokens"], "tokens"), "tokens")
    ids = listed(_token)(parsed(values["token_ids"], "token ids"), "token ids")
    end = integer(1, len(tokens))(values["span_end"], "the subject's end")
    start = integer(0, end - 1)(values["span_start"], "the subject's start")
    if len(tokens) != len(ids):
        raise Damage("other tokens than their ids")
    axes = len(grid.metrics), len(grid.rows), grid.layers
    record = Record(
        id=named(values["id"], "id"),
        position=_position(values["position"], "position"),
        text=text(values["text"], "text"),
        subject=text(values["subject"], "subject"),
        relation=optional(text)(values["relation"], "relation"),
        answers=listed(text)(parsed(values["answers"], "answers"), "answers"),
        token_ids=ids,
        tokens=tokens,
        subject_span=(start, end),
        source=_source_of(values["source"]),
        prediction=text(values["prediction"], "prediction"),
        probability=real(-ROUNDING, 1 + ROUNDING)(values["probability"], "probability"),
        entropy=real(-ROUNDING, 100)(values["entropy"], "entropy"),
        grid=grid,
        cells=_numbers(values["cells"], axes, "cells"),
        whole=_numbers(values["whole"], (axes[0], len(grid.whole)), "whole"),
        norms=_numbers(values["norms"], (grid.layers,), "norms"),
        answer=optional(text)(values["answer"], "answer"),
        flags=listed(text, 100)(parsed(values["flags"], "flags"), "flags"),
        popularity=optional(real())(values["popularity"], "popularity"),
        maps=_maps(values["maps"], grid, len(tokens)),
    )
    _check_numbers(record, tolerance)
    return record


def _source_of(written: Any) -> dict[str, Any]:
    found = parsed(written, "source")
    _source(found, "source")
    return mapped(anything)(found, "source")


def _numbers(value: Any, shape: Sequence[int], name: str) -> np.ndarray:
    if not isinstance(value, bytes) or len(value) != 4 * int(np.prod(shape)):
        raise Damage(f"{name} are not as many numbers as the header says")
    return np.frombuffer(value, "<f4").reshape(shape)


def _maps(value: Any, grid: Grid, tokens: int) -> np.ndarray | None:
    shape = len(grid.maps), len(grid.metrics), tokens, grid.layers
    found = _numbers(value, shape, "maps")
    return found if grid.maps else None


def _check_numbers(record: Record, tolerance: float) -> None:
    grid = record.grid
    for at, key in enumerate(grid.metrics):
        metric = described(key)
        maps = () if record.maps is None else (record.maps[:, at],)
        for numbers in (record.cells[at], record.whole[at], *maps):
            known = numbers[~np.isnan(numbers)]
            low, high = metric.low - tolerance, metric.high + tolerance
            if not (np.isfinite(known).all() and ((low <= known) & (known <= high)).all()):
                raise Damage(f"{key} that cannot be")
    if not record.floor >= 0:
        raise Damage("a noise floor that cannot be")
    if grid.only is not None:
        for numbers in (record.cells, *(() if record.maps is None else (record.maps,))):
            if not np.isnan(np.delete(numbers, grid.only, axis=-1)).all():
                raise Damage("numbers of layers that were not measured")
    if not (np.isfinite(record.norms).all() and (record.norms >= 0).all()):
        raise Damage("norms that cannot be")


def skipped_from(row: Sequence[Any]) -> Skipped:
    """Return the prompt without numbers that a row of ``skipped`` or ``failed`` holds.

    Raises:
        Damage: if a value cannot be.
    """
    key, position, reason = row
    return Skipped(named(key, "id"), _position(position, "position"), text(reason, "reason"))


def refuse_impossible(error: Damage) -> MeasurementError:
    """Return the error for a record that may not be written, since nobody could read it."""
    return MeasurementError(f"these numbers cannot be right: {error}", hint="try `mlxjsd check`")
