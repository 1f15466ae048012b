"""The map of one prompt, or its effects, as a heatmap whose rows are tokens."""

from collections.abc import Sequence

import numpy as np

from mlxjsd.analysis.effects import Effect, effects
from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.records import Grid, Record
from mlxjsd.rows import FLOOR, TOTAL
from mlxjsd.text import clean

#: Stands behind each token of the subject, as in Meng et al. 2022, figure 1.
SUBJECT_MARK = "*"
#: Letters of a token's name; a longer one is cut.
_LONGEST = 18


def measured_maps(grid: Grid, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of maps that are asked for; None for all that were measured.

    Raises:
        InputError: if the run has no maps, or not these.
    """
    if not grid.maps:
        raise InputError(
            "the run has no maps of tokens and layers", hint="measure them with --map residual"
        )
    for name in names or ():
        if name not in grid.maps:
            raise InputError(
                f"the run has no map {name!r}; it has {', '.join(grid.maps)}",
                hint="name some of these with --map, or measure it",
            )
    return tuple(names or grid.maps)


def map_effects(
    cells: np.ndarray,
    name: str,
    records: Sequence[Record],
    metric: str = JSD.key,
    effect: Effect | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn cells of a map into what the exchanges change; see :mod:`mlxjsd.analysis.effects`.

    Args:
        cells: (N, rows, L) of N prompts, all rows of one map: tokens, or means over some.
        name: of the map, with its direction.
        records: the prompts, whose clean and corrupted runs count.
        metric: of the cells.
        effect: None for the numbers as they were measured.

    Returns:
        (N, rows, L) float64, and which prompts are left out for their small total effect, (N,)
        bool, whose cells are NaN.

    Raises:
        InputError: if the run does not hold what the effect needs.
    """
    if effect is None or not records:
        return cells.astype(np.float64), np.zeros(len(cells), bool)
    clean_run, corrupted = (
        np.array([record.number(row, metric) for record in records], np.float64)
        for row in (FLOOR.key, TOTAL.key)
    )
    held = TOTAL.key in records[0].grid.whole
    rows = (name,) * cells.shape[1]
    return effects(cells, rows, clean_run, corrupted if held else None, effect, metric)


def token_map(
    record: Record, name: str, metric: str = JSD.key, effect: Effect | None = None
) -> Heatmap:
    """Return a map of one prompt: a row for each token, from the first, by layer.

    Rows are named by their tokens; those of the subject have an asterisk.

    Args:
        record: one with maps.
        name: of the map, such as ``residual:denoising``.
        metric: key of one that was measured.
        effect: what the exchanges change, in place of the numbers as they were measured.

    Returns:
        (tokens, L) in the unit of the metric; NaN for layers that are not measured, and where the
        total effect is too small for a normalised one.

    Raises:
        InputError: if this was not measured.
    """
    measured_maps(record.grid, [name])
    if metric not in record.grid.metrics:
        raise InputError(
            f"the run has no numbers of the metric {metric!r}; it has "
            f"{', '.join(record.grid.metrics)}",
            hint="give one of these with --metric",
        )
    cells, left_out = map_effects(record.map(name, metric)[None], name, [record], metric, effect)
    start, end = record.subject_span
    return Heatmap(
        mean=cells[0],
        error=np.full_like(cells[0], np.nan),
        count=1,
        reliance=record.reliance,
        floor=record.floor,
        rows=tuple(str(token) for token in range(len(record.tokens))),
        metric=metric,
        only=record.grid.only,
        effect=effect,
        left_out=int(left_out.sum()),
        names=tuple(
            token_name(text) + (SUBJECT_MARK if start <= at < end else "")
            for at, text in enumerate(record.tokens)
        ),
    )


def token_name(text: str) -> str:
    """Return a token as a short name on one line: what has no letters is named by its number."""
    shown = clean(text).strip()
    if not shown:
        shown = (
            "\N{OPEN BOX}" if text.strip(" ") == "" else f"U+{ord(text.strip()[:1] or text[0]):04X}"
        )
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
