"""A run's maps in exports that hold everything: as JSON values, and as arrays."""

from typing import Any

import numpy as np

from mlxjsd.output.significance import numbers
from mlxjsd.results import Record, Run
from mlxjsd.roles import role_of


def maps_json(record: Record) -> dict[str, Any]:
    """Return a prompt's maps as JSON values; see :func:`mlxjsd.output.export.to_json`."""
    if record.maps is None:
        return {}
    grid, count = record.grid, len(record.tokens)
    roles = [role_of(token, *record.subject_span, count) or None for token in range(count)]
    maps = {
        name: {metric: numbers(record.map(name, metric)) for metric in grid.metrics}
        for name in grid.maps
    }
    return {"tokens": list(record.tokens), "roles": roles, "maps": maps}


def map_arrays(run: Run) -> dict[str, np.ndarray]:
    """Return a run's maps as arrays; see :func:`mlxjsd.output.export.to_npz`."""
    grid, most = run.grid, max((len(record.tokens) for record in run.records), default=0)
    shape = len(run.records), len(grid.maps), len(grid.metrics), most, grid.layers
    maps = np.full(shape, np.nan, np.float32)
    for at, record in enumerate(run.records):
        if record.maps is not None:
            maps[at, :, :, : len(record.tokens)] = record.maps
    texts = [[*record.tokens, *[""] * (most - len(record.tokens))] for record in run.records]
    return {
        "maps": maps,
        "map_names": np.array(grid.maps, dtype=np.str_),
        "tokens": np.array(texts, dtype=np.str_).reshape(-1, most),
        "subject_spans": np.array([r.subject_span for r in run.records], np.int32).reshape(-1, 2),
    }
