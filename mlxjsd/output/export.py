"""A run as a file for other programs: CSV, JSON or NPZ.

The usual numbers stand where they always do; those of further metrics and rows stand beside them
by name, so that a reader of the usual ones need not know of any other.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap, aggregate, bootstrap_interval
from mlxjsd.analysis.significance import against_controls
from mlxjsd.errors import InputError
from mlxjsd.files import write_whole
from mlxjsd.metrics import JSD
from mlxjsd.output.map_values import map_arrays, maps_json
from mlxjsd.output.significance import (
    CONTROL_COLUMNS,
    by_row,
    control_cells,
    has_controls,
    number,
    significance_json,
)
from mlxjsd.output.writers import EXPORTS, MAPS_CSV, MAPS_PARQUET, TIDY_CSV
from mlxjsd.results import Record, Run
from mlxjsd.rows import FLOOR, RELIANCE
from mlxjsd.store.recovery.salvage import Salvaged

#: Files of averages, which can be of effects.
_OF_AVERAGES = (".csv", ".json")
#: How maps are written into a file of an ending.
_MAPS = {kind: found.ending for found in (MAPS_CSV, MAPS_PARQUET)
         for kind in (found.ending, Path(found.ending).suffix)}  # fmt: skip


def export_run(
    run: Run,
    path: Path | str,
    effect: Effect | None = None,
    tidy: bool = False,
    maps: bool = False,
) -> None:
    """Write ``run`` to ``path``, whose ending says how; see :mod:`mlxjsd.output.writers`.

    Args:
        run: finished or not.
        path: of the file.
        effect: what averages are of: in CSV in place of the numbers as they were measured, in JSON
            beside them.
        tidy: write every prompt's cells into a .csv, a line each, in place of averages.
        maps: write every prompt's maps into a .csv or .parquet, a line for each token and layer.

    Raises:
        InputError: for another ending, or a folder that is not there; for an effect or maps that
            the run does not hold, or a file that holds no averages.
    """
    path = Path(path)
    ending = EXPORTS.ending_of(path)
    if maps:
        if tidy or effect is not None:
            raise InputError(
                "a table of maps holds every prompt's maps as measured, and nothing else",
                hint="leave --maps out, or --tidy and --effect",
            )
        wanted = _MAPS.get(ending or "")
        if wanted is None:
            raise InputError(
                f"--maps is for .csv and .parquet, not {path.name!r}",
                hint="name such a file with -o; .json and .npz hold the maps without being asked",
            )
        EXPORTS.write(run, path, wanted)
        return
    if tidy and ending not in (".csv", TIDY_CSV.ending, ".parquet"):
        raise InputError(
            f"--tidy is for .csv and .parquet, not {path.name!r}",
            hint="name such a file with -o",
        )
    if effect is None:
        EXPORTS.write(run, path, TIDY_CSV.ending if tidy and ending == ".csv" else None)
        return
    if tidy:
        raise InputError(
            "effects are averages, and tidy tables hold every prompt's cells as measured",
            hint="leave one of --tidy and --effect out",
        )
    if ending not in _OF_AVERAGES:
        raise InputError(
            f"effects are averages, which are written as {' or '.join(_OF_AVERAGES)}, "
            f"not {path.name!r}",
            hint="name such a file with -o, or leave --effect out",
        )
    write_whole(path, to_csv(run, effect) if ending == ".csv" else to_json(run, effect))


def export_salvaged(salvaged: Salvaged, path: Path | str) -> None:
    """Write what is left of a damaged run to ``path``, as JSON that also says what was lost.

    Raises:
        InputError: for another ending, or a folder that is not there.
    """
    path = Path(path)
    if path.suffix.lower() != ".json":
        raise InputError(
            f"--salvage writes a .json file, which says what was lost, not {path.name!r}",
            hint="name one with --output",
        )
    document = {"salvage": salvaged.to_json(), **_document(salvaged.run)}
    content = _json(document)
    write_whole(path, content)


def to_csv(run: Run, effect: Effect | None = None) -> bytes:
    """Return the heatmap of all prompts and of each category, one line a cell.

    The numbers are in the metric's unit. A run that measured JSD alone has the column
    ``mean_jsd``; any other has ``metric`` and ``mean``, and so has one of effects, with the kind
    of ``effect`` and how many prompts are ``left_out``. Where rows have controls, further columns
    at the end hold the sign-flip test of each cell against its control.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    several = len(run.grid.metrics) > 1 or effect is not None
    controls = has_controls(run)
    columns = ["row", "layer", "mean" if several else "mean_jsd", "standard_error"]
    columns = ["category", *(["metric"] if several else []), *columns, "ci95_low", "ci95_high", "n"]
    if effect is not None:
        columns += ["effect", "left_out"]
    writer.writerow([*columns, *(CONTROL_COLUMNS if controls else ())])
    for category, records in {"all": run.records, **run.groups("category")}.items():
        for metric in run.grid.metrics:
            names = [category, metric] if several else [category]
            averages = _averages(run, records, metric, effect)
            tested = None
            if controls and records:
                tested = against_controls(run.cells(metric, effect, records), run.grid.rows)
            for line in _cell_lines(*averages):
                if controls:
                    line += control_cells(tested, line[0], line[1])
                writer.writerow([*map(text_cell, names), text_cell(line[0]), *line[1:]])
    return out.getvalue().encode()


def _averages(
    run: Run, records: Sequence[Record], metric: str = JSD.key, effect: Effect | None = None
) -> tuple[Heatmap, np.ndarray]:
    """Return the averages of some records of a run, and (2, rows, L) ends of their interval."""
    heatmap = aggregate(records, run.grid, metric, effect)
    if not records:
        return heatmap, np.stack([heatmap.mean, heatmap.mean])
    return heatmap, bootstrap_interval(run.cells(metric, effect, records))


def _cell_lines(heatmap: Heatmap, interval: np.ndarray) -> Iterator[list[Any]]:
    """Yield, for each cell: row, layer, mean, error, interval, n and what is said of the effect."""
    values = np.stack([heatmap.mean, heatmap.error, *interval])
    counts, effect = heatmap.cell_counts(), heatmap.effect
    told = [] if effect is None else [effect.kind, heatmap.left_out]
    for at, row in enumerate(heatmap.rows):
        for layer in heatmap.measured_layers:
            cells = [number(value) for value in values[:, at, layer]]
            texts = ["" if cell is None else f"{cell:.8g}" for cell in cells]
            yield [row, layer, *texts, int(counts[at, layer]), *told]


def text_cell(text: str) -> str:
    """Return text for a cell of a table, which no spreadsheet takes for a formula.

    What begins with one of = + - @, a tab or a line's end gets an apostrophe in front, which
    spreadsheets read as "this is text". Numbers are never touched.
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def to_json(run: Run, effect: Effect | None = None) -> bytes:
    """Return everything that a run holds.

    Of each prompt, ``jsd`` holds the cells by row, in nats, and ``cells`` those of further metrics;
    ``numbers`` holds the rows that reach through the whole model, by metric. In the same way
    ``mean`` and ``ci95`` are of JSD, and ``averages`` holds those of further metrics. null stands
    where an edit does not apply. ``significance`` holds peaks with their intervals, each row
    against its control, and categories against each other. With an ``effect``, ``effects`` holds
    the averages of that, and what is sure of them.

    Where maps were measured, each prompt has ``tokens``, their ``roles`` (null in front of the
    subject) and ``maps``: by map and metric, a list of layers for each token, null for layers that
    were not measured.
    """
    document = _document(run)
    document["significance"] = significance_json(run, run.grid.metrics, None)
    if effect is not None:
        document["effects"] = _effects(run, effect)
    return _json(document)


def _effects(run: Run, effect: Effect) -> dict[str, Any]:
    found = {}
    for metric in run.grid.metrics:
        heatmap, interval = _averages(run, run.records, metric, effect)
        found[metric] = {
            **_averages_as_json(heatmap, interval),
            "n": heatmap.count,
            "left_out": heatmap.left_out,
            "least_total": effect.least(metric) if effect.normalised else None,
        }
    significance = significance_json(run, run.grid.metrics, effect)
    return {"kind": effect.kind, "metrics": found, "significance": significance}


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _document(run: Run) -> dict[str, Any]:
    heatmap, interval = _averages(run, run.records)
    labels = run.labels()
    return {
        "settings": run.settings.to_json(),
        "model": run.model,
        "data": run.data,
        "versions": run.versions,
        **run.grid.to_json(),
        "prompts": [
            _prompt(record, category) | _judged(run, record)
            for record, category in zip(run.records, labels.categories, strict=True)
        ],
        "skipped": [{"id": s.id, "reason": s.reason} for s in run.skipped],
        "failed": [{"id": f.id, "reason": f.reason} for f in run.failed],
        **_averages_as_json(heatmap, interval),
        "averages": {
            metric: _averages_as_json(*_averages(run, run.records, metric))
            for metric in _further(run.grid.metrics)
        },
        "labelling": {**run.labelling.to_json(), "threshold": labels.threshold},
        "n": heatmap.count,
        "floor": number(heatmap.floor),
        "floor_limit": run.floor_limit,
        "judged": run.judged,
    }


def to_npz(run: Run) -> bytes:
    """Return one array for each metric, named by its key, and what tells them apart.

    No pickled objects. ``jsd`` and every other metric are float32 (N, rows, L), ``numbers`` is
    float32 (N, metrics, whole), ``norms`` float32 (N, L); ``rows``, ``metrics`` and ``whole``
    name their axes. ``ids``, ``reliance``, ``floor``, ``categories`` and ``judges`` (who says
    that an answer is right or wrong) are (N,).

    Where maps were measured, ``maps`` is float32 (N, maps, metrics, T, L), NaN behind the last of a
    prompt's tokens; ``map_names`` names its second axis, ``tokens`` (N, T) are the tokens' texts,
    and ``subject_spans`` (N, 2) the tokens of each subject, from the first to before the second.
    """
    out, records = io.BytesIO(), run.records
    names = {"rows": run.grid.rows, "metrics": run.grid.metrics, "whole": run.grid.whole}
    arrays: dict[str, Any] = {metric: run.values(metric) for metric in run.grid.metrics} | {
        "ids": np.array([record.id for record in records], dtype=np.str_),
        "reliance": run.numbers(RELIANCE.key),
        "floor": run.numbers(FLOOR.key),
        "categories": np.array([name or "" for name in run.labels().categories], dtype=np.str_),
        "judges": np.array([run.verdict(record).judge for record in records], dtype=np.str_),
        "norms": np.array([r.norms for r in records], np.float32).reshape(-1, run.layers),
        "numbers": np.concatenate([run.grid.numbers(0), *(r.whole[None] for r in records)]),
    }
    arrays |= {name: np.array(keys, dtype=np.str_) for name, keys in names.items()}
    if run.grid.maps:
        arrays |= map_arrays(run)
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def _further(metrics: Sequence[str]) -> list[str]:
    """Return the metrics beside JSD, whose numbers stand where they did before there were any."""
    return [metric for metric in metrics if metric != JSD.key]


def _averages_as_json(heatmap: Heatmap, interval: np.ndarray) -> dict[str, Any]:
    low, high = (by_row(heatmap.rows, ends) for ends in interval)
    found = {"mean": by_row(heatmap.rows, heatmap.mean), "ci95": {"low": low, "high": high}}
    counts = heatmap.cell_counts()
    if (counts == heatmap.count).all():
        return found
    # Some rows apply to some prompts alone.
    return {**found, "cell_n": dict(zip(heatmap.rows, counts.tolist(), strict=True))}


def _prompt(record: Record, category: str | None) -> dict[str, Any]:
    grid = record.grid
    return {
        "id": record.id,
        "text": record.text,
        "subject": record.subject,
        "relation": record.relation,
        "answers": list(record.answers),
        "token_ids": list(record.token_ids),
        "subject_span": list(record.subject_span),
        "source": record.source,
        "prediction": record.prediction,
        "probability": record.probability,
        "entropy": record.entropy,
        "jsd": by_row(grid.rows, record.jsd),
        "reliance": number(record.reliance),
        "floor": number(record.floor),
        "answer": record.answer,
        "flags": list(record.flags),
        "popularity": record.popularity,
        "category": category,
        "norms": [number(norm) for norm in record.norms],
        "cells": {
            metric: by_row(grid.rows, record.of(metric)) for metric in _further(grid.metrics)
        },
        "numbers": {
            metric: {row: number(record.number(row, metric)) for row in grid.whole}
            for metric in grid.metrics
        },
        **maps_json(record),
    }


def _judged(run: Run, record: Record) -> dict[str, Any]:
    """Return the verdict on an answer and its reason; ``judge`` is who says so."""
    verdict = run.verdict(record)
    return {"right": verdict.right, "why": verdict.why, "judge": verdict.judge}
