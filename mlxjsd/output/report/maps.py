"""Maps in a report: packed for all prompts, or for as many as there is room for.

A map has as many numbers as there are tokens times layers, so those of a long run can be larger
than all else. A report is to stay under 6 MB; where its maps would take more than is left (or than
:data:`LEAST`, whatever is left), prompts that are evenly spread over the file carry theirs, the
page says how many these are, and what is averaged by role is the average of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from mlxjsd.analysis.roles import average_roles, role_cells, role_interval
from mlxjsd.maps import label
from mlxjsd.output.report.packing import (
    Packing,
    packed_floats,
    packed_levels,
    packing_from,
    unpacked_levels,
)
from mlxjsd.records import Grid, Record
from mlxjsd.results import Run
from mlxjsd.roles import ROLES
from mlxjsd.store.damage import Damage
from mlxjsd.store.values import anything, as_it_is, integer, listed, mapped, with_keys

#: Characters for maps, cells and what is said of the prompts: 6 MB without the page itself (0.6),
#: and what is shown of averages (0.3, or twice that).
ROOM = 4_800_000
#: Characters for maps, whatever else there is.
LEAST = 1_000_000
_checked = with_keys(
    {"prompts": listed(integer()), "packing": mapped(anything), "levels": mapped(as_it_is)},
    ("prompts", "packing", "levels"),
)


def packed_maps(run: Run, taken: int) -> dict[str, Any] | None:
    """Return a run's maps as JSON values; None if it has none.

    Args:
        run: any.
        taken: characters that its cells and what is said of its prompts take.

    Returns:
        A dictionary, of which
        ``prompts`` are the places of those that carry theirs; ``packing`` and ``levels`` are by
        metric: the maps of one prompt after another, (maps, tokens, measured layers).
    """
    records, grid, most = run.records, run.grid, max(LEAST, ROOM - taken)
    places = [at for at, record in enumerate(records) if record.maps is not None]
    if not grid.maps or not places:
        return None
    known, share = places, 1.0
    while True:
        found = _packed([records[at] for at in known], grid)
        size = sum(map(len, found["levels"].values()))
        if size <= most or len(known) == 1:
            return {"prompts": known, **found}
        share *= 0.98 * most / size
        count = max(1, int(share * len(places)))
        known = [places[at * len(places) // count] for at in range(count)]


def _packed(records: Sequence[Record], grid: Grid) -> dict[str, Any]:
    measured = list(grid.measured_layers)
    packing, levels = {}, {}
    for at, metric in enumerate(grid.metrics):
        kept = [each[:, at][..., measured] for r in records if (each := r.maps) is not None]
        rows = np.concatenate([each.reshape(-1, len(measured)) for each in kept])
        found = Packing.of(metric, rows)
        packing[metric], levels[metric] = found.to_json(), packed_levels(found.levels(rows))
    return {"packing": packing, "levels": levels}


def unpacked_maps(
    written: Any, grid: Grid, tokens: Sequence[int]
) -> tuple[dict[int, np.ndarray], dict[str, float]]:
    """Return what :func:`packed_maps` has packed.

    Args:
        written: JSON values.
        grid: of the run.
        tokens: how many each prompt has.

    Returns:
        By the places of prompts, (maps, metrics, tokens, L) float32; and the packing's steps by
        metric, in its unit.

    Raises:
        Damage: if they are none, or packed more coarsely than they have to be.
    """
    if written is None:
        return {}, {}
    values = _checked(written, "the maps")
    places, measured = list(values["prompts"]), list(grid.measured_layers)
    if not grid.maps or not places or places[-1] >= len(tokens):
        raise Damage("maps of prompts that are not there")
    if any(a >= b for a, b in pairwise(places)):
        raise Damage("maps of prompts in another order")
    sizes = [len(grid.maps) * tokens[at] for at in places]
    shape = sum(sizes), len(measured)
    rows = np.full((len(grid.metrics), shape[0], grid.layers), np.nan, np.float32)
    steps = {}
    for at, metric in enumerate(grid.metrics):
        packing = packing_from(values["packing"].get(metric), f"the packing of maps of {metric}")
        found = packing.cells(unpacked_levels(values["levels"].get(metric), shape))
        if not packing.is_finest(metric, found):
            raise Damage(f"maps of {metric} are packed more coarsely than they have to be")
        rows[at][:, measured], steps[metric] = found, packing.step
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    shaped = [part.reshape(len(grid.metrics), len(grid.maps), -1, grid.layers) for part in parts]
    return {at: part.swapaxes(0, 1) for at, part in zip(places, shaped, strict=True)}, steps


def with_maps(records: Sequence[Record], maps: Mapping[int, np.ndarray]) -> list[Record]:
    """Return records with the maps of their places, or without any."""
    return [replace(record, maps=maps.get(at)) for at, record in enumerate(records)]


def shown_maps(run: Run) -> dict[str, Any] | None:
    """Work out what is shown of a run's maps: averages by role, of each metric and map."""
    carrying = [record for record in run.records if record.maps is not None]
    if not carrying:
        return None
    return {
        "names": [[name, label(name)] for name in run.grid.maps],
        "roles": [role.label for role in ROLES.values()],
        "n": len(carrying),
        "views": {
            metric: [_panel(carrying, run.grid, name, metric) for name in run.grid.maps]
            for metric in run.grid.metrics
        },
    }


def _panel(records: Sequence[Record], grid: Grid, name: str, metric: str) -> dict[str, Any]:
    found = average_roles(records, grid, name, metric)
    counts = found.tokens if found.counts is None else found.counts
    ends = role_interval(role_cells(records, grid, name, metric))
    return {
        "mean": packed_floats(found.mean),
        "low": packed_floats(ends[0]),
        "high": packed_floats(ends[1]),
        "counts": counts.max(axis=1).tolist(),
        "tokens": found.tokens.max(axis=1).tolist(),
    }
