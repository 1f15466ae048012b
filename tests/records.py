"""Made-up records and headers, for tests of what comes after the measuring."""

from dataclasses import fields
from typing import Any

import numpy as np

from mlxjsd.records import Grid, Record, Skipped
from mlxjsd.results import Run
from mlxjsd.settings import Labelling, Settings

LAYERS = 8
GRID = Grid(LAYERS)
#: Places of the usual rows.
SUBJ, ATTN, LAST = range(3)
HEADER: dict[str, Any] = {
    "settings": Settings().to_json(),
    "model": {"name": "tiny", "family": "llama", "sha256": "aa"},
    "data": {"file": "prompts.jsonl", "sha256": "bb", "prompts": 4},
    "data_path": "prompts.jsonl",
    "limit": None,
    "labelling": {"max_tokens": 10, "match": "contains", "reliance_threshold": None},
    "versions": {"mlx": "0"},
    **GRID.to_json(),
    "total": 4,
}


def record(position: int, layers: int = LAYERS, grid: Grid | None = None, **changes: Any) -> Record:
    """A record whose numbers depend on its position alone.

    ``jsd`` (rows, L), ``reliance`` and ``floor`` may be given in place of all cells.
    """
    rng, grid = np.random.default_rng(position), grid or Grid(layers)
    jsd = rng.random((len(grid.rows), layers), dtype=np.float32) * np.float32(0.69)
    numbers = {"reliance": rng.random() * 0.69, "floor": 1e-9 * position}
    jsd = changes.pop("jsd", jsd)
    numbers |= {name: changes.pop(name) for name in tuple(numbers) if name in changes}
    cells = [np.asarray(jsd, np.float32) * (at + 1) for at in range(len(grid.metrics))]
    whole = [[numbers.get(key, 0.0) * (at + 1) for key in grid.whole] for at in range(len(cells))]
    fields: dict[str, Any] = {
        "id": f"p{position}",
        "position": position,
        "text": f"The capital of country {position} is",
        "subject": f"country {position}",
        "relation": "capital",
        "answers": ("Paris", "Lutetia"),
        "token_ids": (0, 5, 6, 7, 8),
        "tokens": ("<s>", "The capital of", " country", f" {position}", " is"),
        "subject_span": (2, 4),
        "source": {"kind": "noise"},
        "prediction": " Par" if position % 2 else " Lon",
        "probability": 0.5,
        "entropy": 1.25,
        "grid": grid,
        "cells": np.stack(cells),
        "whole": np.array(whole, np.float32),
        "norms": rng.random(layers, dtype=np.float32) + 1,
        "answer": "in Paris" if position % 3 == 0 else "London",
    }
    return Record(**{**fields, **changes})


def run_of(count: int = 4, layers: int = LAYERS, grid: Grid | None = None, **changes: Any) -> Run:
    """A finished run of made-up records."""
    grid = grid or Grid(layers)
    fields: dict[str, Any] = {
        "settings": Settings(rows=grid.rows, metrics=grid.metrics),
        "model": HEADER["model"],
        "data": HEADER["data"],
        "versions": HEADER["versions"],
        "grid": grid,
        "total": count,
        "records": [record(i, layers, grid) for i in range(count)],
        "labelling": Labelling(),
        "skipped": [Skipped("s", 9, "the subject is not in the text")],
    }
    return Run(**{**fields, **changes})


def plain(record: Record) -> dict[str, Any]:
    """A record that can be compared bit for bit."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return {
        name: (value.shape, value.dtype, value.tobytes())
        if isinstance(value, np.ndarray)
        else value
        for name, value in values.items()
    }


def same(one: Run, other: Run) -> bool:
    """Whether two runs hold the same, bit for bit."""

    def held(run: Run) -> dict[str, Any]:
        values = {field.name: getattr(run, field.name) for field in fields(run)}
        return {**values, "records": [plain(record) for record in run.records]}

    return held(one) == held(other)
