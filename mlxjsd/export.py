"""A run as a file for other programs: CSV, JSON or NPZ."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.heatmap import heatmap_of
from mlxjsd.interventions import ROWS
from mlxjsd.records import Record, Run


def export_run(run: Run, path: Path) -> None:
    """Write ``run`` to ``path``; its ending, .csv, .json or .npz, says how.

    Raises:
        InputError: for another ending, or a folder that is not there.
    """
    writers = {".csv": to_csv, ".json": to_json, ".npz": to_npz}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"an export ends in {', '.join(writers)}, not {path.name!r}")
    content = writer(run)
    write_whole(path, lambda partial: partial.write_bytes(content))


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file, then give it the name ``path``.

    Raises:
        InputError: if that is not possible; a file that was there is left as it was.
    """
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        write(partial)
        partial.replace(path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        partial.unlink(missing_ok=True)


def to_csv(run: Run) -> bytes:
    """Return the heatmap, one line a cell: row, layer, mean, standard error, n (nats)."""
    heatmap = heatmap_of(run)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "layer", "mean_jsd", "standard_error", "n"])
    for name, mean, error in zip(ROWS, heatmap.mean, heatmap.error, strict=True):
        for layer in range(run.layers):
            cells = [_number(mean[layer]), _number(error[layer])]
            writer.writerow(
                [name, layer, *("" if c is None else f"{c:.8g}" for c in cells), heatmap.count]
            )
    return out.getvalue().encode()


def to_json(run: Run) -> bytes:
    """Return everything that a run holds."""
    heatmap = heatmap_of(run)
    document = {
        "settings": run.settings.to_json(),
        "model": run.model,
        "data": run.data,
        "versions": run.versions,
        "layers": run.layers,
        "rows": list(ROWS),
        "prompts": [_prompt(record) for record in run.records],
        "skipped": [{"id": s.id, "reason": s.reason} for s in run.skipped],
        "mean": {
            name: [_number(v) for v in values]
            for name, values in zip(ROWS, heatmap.mean, strict=True)
        },
        "n": heatmap.count,
        "floor": _number(heatmap.floor),
    }
    return (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode()


def to_npz(run: Run) -> bytes:
    """Return ``jsd`` as float32 (N, 3, L) in nats, and ``ids``; no pickled objects."""
    out = io.BytesIO()
    np.savez_compressed(
        out,
        jsd=run.jsd(),
        ids=np.array([record.id for record in run.records], dtype=np.str_),
        reliance=np.array([record.reliance for record in run.records], dtype=np.float32),
        floor=np.array([record.floor for record in run.records], dtype=np.float32),
    )
    return out.getvalue()


def _prompt(record: Record) -> dict[str, Any]:
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
        "jsd": {
            name: [float(v) for v in values] for name, values in zip(ROWS, record.jsd, strict=True)
        },
        "reliance": record.reliance,
        "floor": record.floor,
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
