"""Made-up runs with maps."""

from pathlib import Path
from typing import Any

import numpy as np
from records import HEADER, record, run_of

from mlxjsd.records import Grid, Record
from mlxjsd.results import Run
from mlxjsd.store.writer import Store

LAYERS = 6
MAPS = ("residual", "residual:denoising")
GRID = Grid(LAYERS, ("jsd", "prob"), maps=MAPS)


def mapped(position: int = 0, grid: Grid = GRID, **changes: Any) -> Record:
    """A prompt whose maps are random; its clean probability is 0.8, its corrupted one 0.2."""
    tokens = changes.pop("tokens", ("<s>", "The", " Eif", "fel", " Tower", " is", " in"))
    span = changes.pop("subject_span", (2, 5))
    rng = np.random.default_rng(position)
    maps = 0.69 * rng.random((len(grid.maps), len(grid.metrics), len(tokens), grid.layers))
    whole = np.zeros((len(grid.metrics), len(grid.whole)), np.float32)
    if "prob" in grid.metrics:
        at = grid.metrics.index("prob")
        whole[at, grid.whole.index("floor")] = 0.8
        whole[at, grid.whole.index("total")] = 0.2
    fields: dict[str, Any] = {
        "tokens": tokens,
        "token_ids": tuple(range(len(tokens))),
        "subject_span": span,
        "maps": maps.astype(np.float32),
        "whole": whole,
    }
    fields["jsd"] = np.full((len(grid.rows), grid.layers), 0.3)
    return record(position, grid.layers, grid, **fields | changes)


def mapped_run(count: int = 4, grid: Grid = GRID, **changes: Any) -> Run:
    """A run of such prompts, some of which have a subject of one token, or one token behind it."""
    shapes = [
        {},
        {"tokens": ("<s>", " Paris", " is", " in"), "subject_span": (1, 2)},
        {"tokens": (" New", " York", " is"), "subject_span": (0, 2)},
    ]
    records = [mapped(at, grid, **shapes[at % 3]) for at in range(count)]  # type: ignore[arg-type]
    return run_of(count, LAYERS, grid, **{"records": records, **changes})


def mapped_folder(folder: Path, run: Run | None = None) -> Path:
    """A run folder with such a run."""
    run = run or mapped_run()
    header = {**HEADER, **run.grid.to_json(), "settings": run.settings.to_json()}
    with Store(folder, {**header, "total": len(run.records)}) as store:
        store.add(run.records)
    return folder
