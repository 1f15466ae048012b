"""Averages of maps by role: what the first token of a subject does, its last one, and so on.

Maps of different prompts have different tokens, so they are averaged over those of one role
(Meng et al. 2022, figure 2): see :mod:`mlxjsd.roles`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap, resampled_means
from mlxjsd.analysis.token_map import map_effects, measured_maps
from mlxjsd.maps import label
from mlxjsd.metrics import JSD
from mlxjsd.records import Grid, Record
from mlxjsd.roles import ROLES


@dataclass(frozen=True)
class RoleMap(Heatmap):
    """Averages of one map over the tokens of each role: a :class:`Heatmap` whose rows are roles.

    ``mean`` pools the tokens of a role over all prompts, as the published averages do: a prompt
    with four further tokens counts four times there. ``error`` is the standard error of that mean
    with prompts as what was drawn, since the tokens of one prompt are not independent (linearised
    ratio estimator, Cochran 1977, section 2.11). ``counts`` are prompts.
    """

    map: str = ""
    """Its name, such as ``residual:denoising``."""
    tokens: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), int))
    """(roles, L) tokens that each cell is the average of."""

    @property
    def map_label(self) -> str:
        """What the map is called where people look."""
        return label(self.map)


@dataclass(frozen=True)
class RoleCells:
    """The tokens of each role, prompt by prompt."""

    means: np.ndarray
    """(N, roles, L) float64: each prompt's mean over its tokens of a role; NaN without any."""
    tokens: np.ndarray
    """(N, roles) int: how many these are."""
    left_out: np.ndarray
    """(N,) bool: prompts that are left out for their small total effect; their means are NaN."""

    @property
    def sums(self) -> np.ndarray:
        """(N, roles, L) sums over tokens, 0 where there is no number."""
        return np.where(self.known, self.means * self.tokens[:, :, None], 0.0)

    @property
    def weights(self) -> np.ndarray:
        """(N, roles, L) tokens that have a number."""
        return self.known * self.tokens[:, :, None]

    @property
    def known(self) -> np.ndarray:
        """(N, roles, L) bool: where there is a number."""
        return np.isfinite(self.means)


def tokens_of_roles(record: Record, once: bool = False) -> list[list[int]]:
    """Return the tokens of each role, in the order of :data:`mlxjsd.roles.ROLES`.

    Args:
        record: one prompt.
        once: count a token that has two roles, such as the only one of a subject, for the first of
            them alone, as some published averages do; else for both, as Meng et al. do.
    """
    start, end = record.subject_span
    found: list[list[int]] = []
    for role in ROLES.values():
        taken = {token for tokens in found for token in tokens} if once else set()
        found.append([t for t in role.tokens(start, end, len(record.tokens)) if t not in taken])
    return found


def role_cells(
    records: Sequence[Record],
    grid: Grid,
    name: str,
    metric: str = JSD.key,
    effect: Effect | None = None,
    once: bool = False,
) -> RoleCells:
    """Return each prompt's means over the tokens of each role.

    Args:
        records: N of one run.
        grid: of the run.
        name: of a map that was measured.
        metric: one of the grid's.
        effect: None for the numbers as they were measured.
        once: see :func:`tokens_of_roles`.

    Raises:
        InputError: if the run does not hold this map, or what the effect needs.
    """
    measured_maps(grid, [name])
    means = np.full((len(records), len(ROLES), grid.layers), np.nan)
    tokens = np.zeros(means.shape[:2], int)
    for at, record in enumerate(records):
        if record.maps is None:  # as in a report without room for all maps
            continue
        cells = record.map(name, metric)
        for role, places in enumerate(tokens_of_roles(record, once)):
            tokens[at, role] = len(places)
            if places:
                means[at, role] = cells[places].mean(axis=0, dtype=np.float64)
    # The effect of a mean is the mean of the effects: all tokens share both runs.
    shown, left_out = map_effects(means, name, records, metric, effect)
    return RoleCells(shown, tokens, left_out)


def average_roles(
    records: Sequence[Record],
    grid: Grid,
    name: str,
    metric: str = JSD.key,
    effect: Effect | None = None,
    once: bool = False,
    cells: RoleCells | None = None,
) -> RoleMap:
    """Average a map over the tokens of each role; see :class:`RoleMap` and :func:`role_cells`.

    ``cells`` are what that function returns, where they are worked out already.
    """
    cells = cells or role_cells(records, grid, name, metric, effect, once)
    sums, weights = cells.sums, cells.weights
    tokens, prompts = weights.sum(axis=0), cells.known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums.sum(axis=0) / tokens
        apart = np.square(sums - np.where(tokens > 0, mean, 0.0) * weights).sum(axis=0)
        scale = np.where(prompts > 1, prompts / (prompts - 1.0), np.nan)
        error = np.sqrt(scale * apart) / tokens
    counted = cells.known.any(axis=(1, 2))
    reliance = np.array([record.reliance for record in records])[counted]
    return RoleMap(
        mean=mean,
        error=error,
        count=int(counted.sum()),
        counts=prompts,
        reliance=float(np.mean(reliance)) if reliance.size else float("nan"),
        floor=max((record.floor for record in records), default=float("nan")),
        rows=tuple(ROLES),
        metric=metric,
        only=grid.only,
        effect=effect,
        left_out=int(cells.left_out.sum()),
        names=tuple(role.label for role in ROLES.values()),
        map=name,
        tokens=tokens,
    )


def role_interval(
    cells: RoleCells, share: float = 0.95, resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """Percentile bootstrap of the pooled means, resampling prompts with all their tokens.

    Args:
        cells: of :func:`role_cells`.
        share: of the resampled means that the interval holds.
        resamples: how many.
        seed: of the resampling.

    Returns:
        (2, roles, L) lower and upper ends, in the unit of the cells; NaN where fewer than two
        prompts have such a token.
    """
    known = cells.known
    counted = known.any(axis=(1, 2))
    ends = np.full((2, *cells.means.shape[1:]), np.nan)
    if counted.sum() < 2:
        return ends
    both = np.stack([cells.sums[counted], cells.weights[counted]], axis=1)
    sums, weights = np.moveaxis(resampled_means(both, resamples, seed), 1, 0)
    enough = known.sum(axis=0) > 1
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (sums / weights)[:, enough]  # none where no prompt with such a token was drawn
    ends[:, enough] = np.nanquantile(means, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return ends
