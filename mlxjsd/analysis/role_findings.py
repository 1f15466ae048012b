"""What averages of maps by role say, in words: where the early site is, and where the late one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.analysis.effects import CHANGE, Effect
from mlxjsd.analysis.roles import RoleMap, average_roles, role_cells, role_interval
from mlxjsd.analysis.significance import spans
from mlxjsd.metrics import JSD
from mlxjsd.records import Grid, Record
from mlxjsd.row_names import is_denoising
from mlxjsd.rows import TOTAL

_FIRST_AFTER, _LAST = "first-after", "last"


@dataclass(frozen=True)
class Site:
    """Where one role's effect is largest."""

    role: str
    """Its name where people look."""
    layer: int
    value: float
    """The average there, in the unit of the map."""
    interval: tuple[float, float]
    """Of 95 %, over prompts; NaN for fewer than two."""
    half: np.ndarray
    """(L,) bool: layers in which it is at least half as large, and of the same sign."""
    prompts: int
    tokens: int


def site_of(found: RoleMap, ends: np.ndarray, role: str) -> Site | None:
    """Return where a role's average is farthest from 0; None if no prompt has such a token.

    Args:
        found: effects of a map; see :mod:`mlxjsd.analysis.effects`.
        ends: (2, roles, L) of :func:`mlxjsd.analysis.roles.role_interval`.
        role: its key.
    """
    row = found.rows.index(role)
    values = found.mean[row]
    if not np.isfinite(values).any():
        return None
    layer = int(np.nanargmax(np.abs(values)))
    peak = float(values[layer])
    with np.errstate(invalid="ignore"):
        half = values * np.sign(peak) >= abs(peak) / 2
    low, high = (float(end) for end in ends[:, row, layer])
    counts = int(found.cell_counts()[row, layer]), int(found.tokens[row, layer])
    return Site(found.labels[row], layer, peak, (low, high), half, *counts)


def role_sentences(
    records: Sequence[Record],
    grid: Grid,
    metric: str = JSD.key,
    effect: Effect | None = None,
) -> list[str]:
    """Say, for each map, which tokens in front of the last one matter and where the last one does.

    Args:
        records: of one run, or of one group of it.
        grid: of the run; nothing is said of one without maps.
        metric: one of the grid's.
        effect: None for the change, whose zero is no effect in either direction.

    Returns:
        A sentence or two for each map whose effects the run holds.
    """
    shown = effect or Effect(CHANGE)
    said = []
    for name in grid.maps:
        needs_total = shown.normalised or is_denoising(name)
        if records and (TOTAL.key in grid.whole or not needs_total):
            said += _of_map(records, grid, name, metric, shown)
    return said


def _of_map(
    records: Sequence[Record], grid: Grid, name: str, metric: str, effect: Effect
) -> list[str]:
    found = average_roles(records, grid, name, metric, effect)
    ends = role_interval(role_cells(records, grid, name, metric, effect))
    late = site_of(found, ends, _LAST)
    if late is None:
        return []
    places = [site for role in _in_front(found) if (site := site_of(found, ends, role))]
    early = max(places, key=lambda site: abs(site.value), default=None)
    unit = found.described.unit
    what = f"{found.map_label}, {found.described.label}"
    layers = found.measured_layers
    said = f"{what}: "
    if early is not None:
        low, high = early.interval
        before = "early site" if early.layer < late.layer else "largest in front of the last token"
        said += f"{before} at the {_named(early, unit, layers)}"
        if low <= 0 <= high:
            said += ", which is not sure to be other than 0"
        said += "; "
    after = "late site" if early is not None and early.layer < late.layer else "largest"
    return [f"{said}{after} at the {_named(late, unit, layers)}."]


def _in_front(found: RoleMap) -> list[str]:
    """Return the roles of tokens in front of the last one."""
    roles = [role for role in found.rows if role != _LAST]
    first_after, last = (found.mean[found.rows.index(role)] for role in (_FIRST_AFTER, _LAST))
    if np.array_equal(first_after, last, equal_nan=True):  # there is one token behind the subject
        roles.remove(_FIRST_AFTER)
    return roles


def _named(site: Site, unit: str, layers: Sequence[int]) -> str:
    low, high = site.interval
    within = f", 95 % interval {low:+.3f} to {high:+.3f}" if np.isfinite(low) else ""
    many = f", {site.tokens} tokens" if site.tokens != site.prompts else ""
    value = f"{site.value:+.3f} {unit}".rstrip()
    return (
        f"{site.role[0].lower()}{site.role[1:]}, most at layer {site.layer} ({value}{within}, "
        f"n = {site.prompts}{many}), at least half of it in {spans(site.half, layers)}"
    )
