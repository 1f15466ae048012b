"""What a report holds, as JSON values: what was measured, packed, and what follows from it.

What is shown is worked out from the packed numbers, not from those that were packed. So whoever
has the report alone comes to the same averages, labels and sentences.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from mlxjsd.analysis.answers import CATEGORY_NAMES
from mlxjsd.analysis.heatmap import Heatmap, aggregate, bootstrap_interval
from mlxjsd.analysis.phases import reading
from mlxjsd.metrics import described
from mlxjsd.output.markdown import report as summary_of
from mlxjsd.output.report.maps import packed_maps, shown_maps, unpacked_maps, with_maps
from mlxjsd.output.report.packing import Packing, packed_floats, packed_levels, unpacked_levels
from mlxjsd.prompts.prompt import find_subject
from mlxjsd.records import Grid, Record
from mlxjsd.results import Run
from mlxjsd.row_names import find, label
from mlxjsd.settings import GROUPINGS

#: Version of this layout. A report of another one is not read.
FORMAT = 2
#: The most panels of one grouping; those of the most prompts are shown.
MOST_PANELS = 60
Document = dict[str, Any]


def document_of(run: Run, by: str | None = None, metric: str | None = None) -> Document:
    """Return everything that the report of a run holds.

    Args:
        run: which has measured something.
        by: the groups that are shown at first, one of :data:`mlxjsd.settings.GROUPINGS`.
        metric: the one that is shown at first; None for the first one.

    Raises:
        InputError: if it has not, or not this metric, or there are no such groups.
    """
    if metric is not None:
        run.values(metric)  # or say that there is none
    if by is not None:
        run.groups(by)
    metrics = run.grid.metrics
    packings = {metric: Packing.of(metric, run.values(metric)) for metric in metrics}
    cells = packed_cells(run, packings)
    common = _common_source(run.records)
    prompts = [_prompt(record, common) for record in run.records]
    maps = packed_maps(run, len(json.dumps([cells, prompts])))
    known, _ = unpacked_maps(maps, run.grid, [len(record.tokens) for record in run.records])
    unpacked = unpacked_cells(cells, packings, run.grid, len(run.records))
    records = [replace(r, cells=own) for r, own in zip(run.records, unpacked, strict=True)]
    packed = replace(run, records=with_maps(records, known))
    return {
        "kind": "run",
        "format": FORMAT,
        "first": {"by": by, "metric": metric},
        "header": header_of(run),
        "packing": {metric: packing.to_json() for metric, packing in packings.items()},
        "sources": common,
        "cells": cells,
        "maps": maps,
        "prompts": prompts,
        "skipped": [[one.id, one.position, one.reason] for one in run.skipped],
        "failed": [[one.id, one.position, one.reason] for one in run.failed],
        "shown": shown(packed),
    }


def packed_cells(run: Run, packings: Mapping[str, Packing]) -> dict[str, str]:
    """Return the measured layers of all cells as text, by metric."""
    measured = list(run.grid.measured_layers)
    return {
        metric: packed_levels(packing.levels(run.values(metric)[..., measured]))
        for metric, packing in packings.items()
    }


def unpacked_cells(
    written: Mapping[str, Any], packings: Mapping[str, Packing], grid: Grid, prompts: int
) -> np.ndarray:
    """Return the cells of N prompts, (N, metrics, rows, L) float32; see :func:`packed_cells`.

    Raises:
        Damage: if they are not as many.
    """
    measured = list(grid.measured_layers)
    shape = prompts, len(grid.rows), len(measured)
    levels = {metric: unpacked_levels(written.get(metric), shape) for metric in packings}
    found = grid.cells(prompts)
    for at, (metric, packing) in enumerate(packings.items()):
        found[:, at][..., measured] = packing.cells(levels[metric])
    return found


def header_of(run: Run) -> dict[str, Any]:
    """Return what identifies a run, as the header of a run file does, without where it lay."""
    model, data = dict(run.model), dict(run.data)
    for values, key in ((model, "name"), (model, "adapter"), (data, "file")):
        if values.get(key) is not None:
            values[key] = _without_folder(str(values[key]))
    return {
        "settings": run.settings.to_json(),
        "model": model,
        "data": data,
        "data_path": data["file"],
        "limit": None,
        "labelling": run.labelling.to_json(),
        "judgements": run.judgements.to_json(),
        "floor_limit": run.floor_limit,
        "versions": dict(run.versions),
        **run.grid.to_json(),
        "total": run.total,
    }


def _without_folder(name: str) -> str:
    """Return a path's last part: the folders above it are nobody else's business."""
    path = PurePath(name)
    return path.name if path.name and (path.is_absolute() or name[0] in ".~") else name


def _common_source(records: Sequence[Record]) -> dict[str, Any]:
    """Return what the sources of all records say alike, such as how wide the noise is."""
    first = records[0].source
    return {
        key: value
        for key, value in first.items()
        if all(key in record.source and record.source[key] == value for record in records)
    }


def _prompt(record: Record, common: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": record.id,
        "position": record.position,
        "text": record.text,
        "subject": record.subject,
        "relation": record.relation,
        "answers": list(record.answers),
        "token_ids": list(record.token_ids),
        "tokens": list(record.tokens),
        "span": list(record.subject_span),
        "source": {key: value for key, value in record.source.items() if key not in common},
        "prediction": record.prediction,
        "probability": record.probability,
        "entropy": record.entropy,
        "answer": record.answer,
        "flags": list(record.flags),
        "popularity": record.popularity,
        "whole": packed_floats(record.whole),
    }


def shown(run: Run) -> dict[str, Any]:
    """Work out all that is shown beside the measured numbers themselves."""
    labels = run.labels()
    verdicts = [run.verdict(record) for record in run.records]
    grouped = {by: _largest(run.groups(by)) for by in GROUPINGS if len(run.groups(by)) > 1}
    views = {"all": {"All prompts": run.records}} | {by: found[0] for by, found in grouped.items()}
    return {
        "grid": axes_of(run.grid.rows, run.layers, run.grid.only)
        | {"whole": list(run.grid.whole), "whole_labels": [label(key) for key in run.grid.whole]},
        "metrics": [metric_of(metric) for metric in run.grid.metrics],
        # Where each subject stands in its text, in characters; -1 for nowhere.
        "places": [find_subject(record.text, record.subject) for record in run.records],
        # Without its first line, the title.
        "summary": summary_of(run).partition("\n\n")[2],
        "threshold": labels.threshold,
        "floor": run.floor,
        "floor_warning": run.floor_warning,
        "categories": list(labels.categories),
        "verdicts": [[each.right, each.why, each.judge] for each in verdicts],
        "views": _views(run, views),
        "maps": shown_maps(run),
        "left_out": {by: left for by, (_, left) in grouped.items() if left},
    }


def _largest(groups: Mapping[str, list[Record]]) -> tuple[dict[str, list[Record]], int]:
    """Return the groups of the most prompts, in their order, and how many are left out."""
    if len(groups) <= MOST_PANELS:
        return dict(groups), 0
    ranked = sorted(groups, key=lambda name: -len(groups[name]))[:MOST_PANELS]
    kept = {name: found for name, found in groups.items() if name in set(ranked)}
    return kept, len(groups) - len(kept)


def _views(
    run: Run, views: Mapping[str, Mapping[str, Sequence[Record]]]
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return the panels of each metric by what they are grouped by."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {
        metric: {by: [] for by in views} for metric in run.grid.metrics
    }
    for by, groups in views.items():
        for name, records in groups.items():
            for metric, interval in _intervals(run, records).items():
                found[metric][by].append(_panel(run, name, records, metric, interval))
    return found


def _intervals(run: Run, records: Sequence[Record]) -> dict[str, np.ndarray]:
    """Return each metric's interval, (2, rows, L).

    Most of the time goes into drawing, and the draws depend on nothing but which prompts have
    numbers. So metrics that the same prompts have are resampled together.
    """
    cells = np.stack([record.cells for record in records])
    alike: defaultdict[bytes, list[int]] = defaultdict(list)
    for at in range(len(run.grid.metrics)):
        alike[np.isfinite(cells[:, at]).any(axis=(1, 2)).tobytes()].append(at)
    found: dict[str, np.ndarray] = {}
    for chosen in alike.values():
        stacked = cells[:, chosen].reshape(len(cells), -1, run.layers)
        ends = bootstrap_interval(stacked).reshape(2, len(chosen), -1, run.layers)
        found |= {run.grid.metrics[at]: ends[:, n] for n, at in enumerate(chosen)}
    return {metric: found[metric] for metric in run.grid.metrics}


def _panel(
    run: Run, name: str, records: Sequence[Record], metric: str, interval: np.ndarray
) -> dict[str, Any]:
    heatmap = aggregate(records, run.grid, metric)
    return panel_of(CATEGORY_NAMES.get(name, name), heatmap, interval) | {
        "key": name,
        "reliance": None if np.isnan(heatmap.reliance) else float(f"{heatmap.reliance:.6g}"),
    }


def panel_of(name: str, heatmap: Heatmap, interval: np.ndarray | None = None) -> dict[str, Any]:
    """Return one picture as JSON values.

    Args:
        name: its caption.
        heatmap: what it shows.
        interval: (2, rows, L) the ends of each cell's interval; None for none.
    """
    ends: dict[str, str | None] = {"low": None, "high": None}
    if interval is not None:
        ends = {end: packed_floats(each) for end, each in zip(ends, interval, strict=True)}
    return {
        "name": name,
        "n": heatmap.count,
        "mean": packed_floats(heatmap.mean),
        **ends,
        "reading": reading(heatmap),
    }


def axes_of(rows: Iterable[str], layers: int, only: Sequence[int] | None = None) -> dict[str, Any]:
    """Return the axes that all pictures of a page share, as JSON values."""
    keys = list(rows)
    return {
        "rows": keys,
        "labels": [label(key) for key in keys],
        "helps": [row.help if (row := find(key)) else "" for key in keys],
        "layers": layers,
        "only": None if only is None else list(only),
    }


def metric_of(key: str) -> dict[str, Any]:
    """Return what a page has to know of a metric, as JSON values."""
    found = described(key)
    return {
        "key": key,
        "label": found.label,
        "unit": found.unit,
        "signed": found.signed,
        # The scale of single prompts: the same for all, where there is a largest number.
        "most": found.high if np.isfinite(found.high) and not found.signed else None,
    }


@dataclass(frozen=True)
class Side:
    """One picture of a comparison."""

    name: str
    """Its caption."""
    heatmap: Heatmap
    counted: bool = True
    """Whether it says of how many prompts it is the average."""
    is_difference: bool = False


def comparison_document(title: str, sides: Sequence[Side], text: str) -> Document:
    """Return everything that the page of a comparison holds; no prompts are in it.

    Args:
        title: of the page.
        sides: pictures of the same rows and columns, and of one metric.
        text: what is said of them, as Markdown.
    """
    first = sides[0].heatmap
    panels = [
        panel_of(side.name, side.heatmap)
        | {"is_difference": side.is_difference, "reading": []}
        | ({} if side.counted else {"n": None})
        for side in sides
    ]
    return {
        "kind": "comparison",
        "format": FORMAT,
        "first": {"by": None, "metric": None},
        "title": title,
        "shown": {
            "grid": axes_of(first.rows, first.layers, first.only),
            "metrics": [metric_of(first.metric)],
            "summary": text,
            "views": {first.metric: {"all": panels}},
        },
    }
