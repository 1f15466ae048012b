"""A run as a file for other programs: CSV, JSON or NPZ."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.answers import label
from mlxjsd.analysis.groups import group, labelling_of
from mlxjsd.analysis.heatmap import aggregate, bootstrap_interval, heatmap_of
from mlxjsd.errors import InputError
from mlxjsd.files import write_whole
from mlxjsd.results import Record, Run
from mlxjsd.rows import ROWS
from mlxjsd.store.recovery.salvage import Salvaged


def export_run(run: Run, path: Path) -> None:
    """Write ``run`` to ``path``; its ending, .csv, .json or .npz, says how.

    Raises:
        InputError: for another ending, or a folder that is not there.
    """
    writers = {".csv": to_csv, ".json": to_json, ".npz": to_npz}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        endings = ", ".join(writers)
        raise InputError(
            f"an export ends in {endings}, not {path.name!r}", hint="name such a file with -o"
        )
    content = writer(run)
    write_whole(path, lambda partial: partial.write_bytes(content))


def export_salvaged(salvaged: Salvaged, path: Path) -> None:
    """Write what is left of a damaged run to ``path``, as JSON that also says what was lost.

    Raises:
        InputError: for another ending, or a folder that is not there.
    """
    if path.suffix.lower() != ".json":
        raise InputError(
            f"--salvage writes a .json file, which says what was lost, not {path.name!r}",
            hint="name one with --output",
        )
    document = {"salvage": salvaged.to_json(), **_document(salvaged.run)}
    content = _json(document)
    write_whole(path, lambda partial: partial.write_bytes(content))


def to_csv(run: Run) -> bytes:
    """Return the heatmap of all prompts and of each category, one line a cell, in nats."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["category", "row", "layer", "mean_jsd", "standard_error", "ci95_low", "ci95_high", "n"]
    )
    categories = group(run.records, "category", **labelling_of(run))
    for category, records in {"all": run.records, **categories}.items():
        _write_cells(writer, category, records, run.layers)
    return out.getvalue().encode()


def _write_cells(writer: Any, category: str, records: Sequence[Record], layers: int) -> None:
    heatmap = aggregate(records, layers)
    if records:
        low, high = bootstrap_interval(np.stack([record.jsd for record in records]))
    else:
        low = high = heatmap.mean
    for row, name in enumerate(ROWS):
        for layer in range(layers):
            values = (heatmap.mean, heatmap.error, low, high)
            cells = [_number(array[row, layer]) for array in values]
            texts = ["" if cell is None else f"{cell:.8g}" for cell in cells]
            writer.writerow([text_cell(category), name, layer, *texts, heatmap.count])


def text_cell(text: str) -> str:
    """Return text for a cell of a table, which no spreadsheet takes for a formula.

    What begins with one of = + - @, a tab or a line's end gets an apostrophe in front, which
    spreadsheets read as "this is text". Numbers are never touched.
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def to_json(run: Run) -> bytes:
    """Return everything that a run holds."""
    return _json(_document(run))


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _document(run: Run) -> dict[str, Any]:
    heatmap = heatmap_of(run)
    low, high = bootstrap_interval(run.jsd())
    labels = label(run.records, **labelling_of(run))
    return {
        "settings": run.settings.to_json(),
        "model": run.model,
        "data": run.data,
        "versions": run.versions,
        "layers": run.layers,
        "rows": list(ROWS),
        "prompts": [
            _prompt(record, category)
            for record, category in zip(run.records, labels.categories, strict=True)
        ],
        "skipped": [{"id": s.id, "reason": s.reason} for s in run.skipped],
        "failed": [{"id": f.id, "reason": f.reason} for f in run.failed],
        "mean": _by_row(heatmap.mean),
        "ci95": {"low": _by_row(low), "high": _by_row(high)},
        "labelling": {**run.labelling, "threshold": labels.threshold},
        "n": heatmap.count,
        "floor": _number(heatmap.floor),
        "floor_limit": run.floor_limit,
    }


def to_npz(run: Run) -> bytes:
    """Return ``jsd`` as float32 (N, 3, L) in nats, and ``ids``; no pickled objects."""
    labels = label(run.records, **labelling_of(run))
    out = io.BytesIO()
    np.savez_compressed(
        out,
        jsd=run.jsd(),
        ids=np.array([record.id for record in run.records], dtype=np.str_),
        reliance=np.array([record.reliance for record in run.records], dtype=np.float32),
        floor=np.array([record.floor for record in run.records], dtype=np.float32),
        categories=np.array([category or "" for category in labels.categories], dtype=np.str_),
    )
    return out.getvalue()


def _by_row(values: np.ndarray) -> dict[str, list[float | None]]:
    return {name: [_number(v) for v in row] for name, row in zip(ROWS, values, strict=True)}


def _prompt(record: Record, category: str | None) -> dict[str, Any]:
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
        "jsd": _by_row(record.jsd),
        "reliance": _number(record.reliance),
        "floor": record.floor,
        "answer": record.answer,
        "flags": list(record.flags),
        "popularity": record.popularity,
        "category": category,
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
