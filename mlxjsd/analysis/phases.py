"""Reading a heatmap of divergences: where each row is high, where it is low, and where they cross.

The rule, for a row of L values:

1. *Smooth* with a running median of three, so that no single layer makes a phase.
2. *Low* is within a tolerance of the row's base: 5 % of its range, or twice the row's own
   layer-to-layer noise where that is more. The base is the median of what lies within that
   tolerance of the lowest smoothed value, which noise alone would pull down.
3. *High* depends on the row's shape. A **bump**, with low phases on both sides of its peak,
   is high wherever it is above its base, that is, between them. Any other row is high where it
   stays within 20 % of its range from the highest smoothed value (or the noise, again).
4. A phase lasts at least two layers, and a gap of one layer does not end it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.row_names import label
from mlxjsd.rows import ATTN, LAST, SUBJ

LOW_SHARE = 0.05
HIGH_SHARE = 0.2
NOISE_FACTOR = 2.0
SHORTEST = 2
#: A row whose range is below this (nats) has no phases: nothing happens in it.
FLAT = 0.01

Ranges = tuple[tuple[int, int], ...]
"""Layer ranges, both ends included."""


@dataclass(frozen=True)
class Phases:
    """How one row reads."""

    peak: float
    """Its highest value, in nats."""
    peak_layer: int
    high: Ranges
    low: Ranges


def phases(values: np.ndarray, layers: Sequence[int] | None = None) -> Phases:
    """Read one row (L,) of a heatmap, in nats, by the rule above.

    Cells that are NaN belong to no phase. Raises ``ValueError`` for a row without a number.

    Args:
        values: of the row.
        layers: those that are measured, and follow on each other; None for all.
    """
    if layers is not None and len(layers) < len(values):
        found = phases(values[list(layers)])
        in_layers = [
            tuple((layers[a], layers[b]) for a, b in ranges) for ranges in (found.high, found.low)
        ]
        return Phases(found.peak, layers[found.peak_layer], *in_layers)
    known = np.isfinite(values)
    if not known.any():
        raise ValueError("the row holds no number")
    peak_layer = int(np.nanargmax(values))
    peak = float(values[peak_layer])
    smooth = _running_median(values)
    lowest, highest = float(np.nanmin(smooth)), float(np.nanmax(smooth))
    extent = highest - lowest
    if extent < FLAT:
        return Phases(peak, peak_layer, (), _ranges(known))
    noise = NOISE_FACTOR * _layer_noise(values)
    # The tolerance is a little wider than said, for values that are equal but for rounding.
    slack = max(LOW_SHARE * extent, noise) + 1e-9
    base = float(np.median(smooth[known & (smooth <= lowest + slack)]))
    low = _ranges(known & (smooth <= base + slack))
    top = int(np.nanargmax(smooth))
    before = [r for r in low if r[1] < top]
    after = [r for r in low if r[0] > top]
    if before and after:
        high: Ranges = ((before[-1][1] + 1, after[0][0] - 1),)
    else:
        high = _ranges(known & (smooth >= highest - max(HIGH_SHARE * extent, noise) - 1e-9))
    return Phases(peak, peak_layer, high, low)


def crossover(subj: np.ndarray, last: np.ndarray) -> int | None:
    """Return the layer from which on Last. stays above Subj., or None if there is none.

    Args:
        subj: (L,) means of the row Subj.
        last: (L,) means of the row Last.
    """
    above = last > subj
    if not above[-1]:
        return None
    below = np.flatnonzero(~above)
    return 0 if not below.size else int(below[-1]) + 1


def describe(ranges: Ranges, layers: int) -> str:
    """Write ranges as people do: "early (0-15)", "early and late (0-10, 19-31)", "none"."""
    if not ranges:
        return "none"
    numbers = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
    if ranges == ((0, layers - 1),):
        return f"all ({numbers})"
    names = list(dict.fromkeys(_third(r, layers) for r in ranges))
    return f"{' and '.join(names)} ({numbers})"


def reading(heatmap: Heatmap) -> list[str]:
    """Say what a heatmap shows: a sentence for each row of the published figure that it has.

    They speak of divergences as they were measured, so there is none for another metric or for
    effects.
    """
    if not heatmap.raw_jsd:
        return []
    layers = list(heatmap.measured_layers)
    subj, attn, last = (heatmap.row(row.key) for row in (SUBJ, ATTN, LAST))
    sentences = []
    if subj is not None:
        sentences.append(_subject(phases(subj, layers)))
    if attn is not None:
        sentences.append(_attention(phases(attn, layers) if np.isfinite(attn).any() else None))
    if last is not None:
        crossing = None if subj is None else crossover(subj[layers], last[layers])
        sentences.append(
            _last(
                phases(last, layers),
                None if crossing is None else layers[crossing],
                None if subj is None else len(last),
            )
        )
    return sentences


def _subject(found: Phases) -> str:
    if not found.high:
        return "Corrupting the subject's states changes the prediction little in any layer."
    low = f" and no longer in layers {_numbers(found.low)}." if found.low else "."
    return (
        f"The subject's states matter most in layers {_numbers(found.high)} "
        f"({found.peak:.2f} nats at the most){low}"
    )


def _attention(found: Phases | None) -> str:
    if found is None:
        return "No block attends, so there is no attention to knock out."
    if not found.high:
        return "No window of attention from the last token to the subject is needed on its own."
    return (
        f"The last token draws on the subject through attention around layers "
        f"{_numbers(found.high)}, most of all at layer {found.peak_layer} ({found.peak:.2f} nats)."
    )


def _last(found: Phases, crossing: int | None, layers: int | None) -> str:
    """Say where the last token carries the answer.

    Args:
        found: the phases of its row.
        crossing: the layer from which on it stays above Subj., if it does.
        layers: of the model; None where there is no row Subj. to compare with.
    """
    if not found.high:
        return "The last token's state carries little of the answer in any layer."
    carries = f"The last token carries it in layers {_numbers(found.high)}"
    if layers is None:
        return f"{carries}."
    if crossing is None:
        return f"{carries}, and never more than the subject does."
    share = round(100 * crossing / layers)
    return (
        f"{carries}; from layer {crossing} on ({share} % of the depth) it matters more than the "
        "subject."
    )


def reading_table(heatmap: Heatmap) -> list[tuple[str, str, str, str]]:
    """Return the rows of the table Category | Peak Phase | Peak Value | Low Phase.

    Like :func:`reading`, of divergences alone.
    """
    if not heatmap.raw_jsd:
        return []
    layers = heatmap.layers
    rows = []
    for key, values in zip(heatmap.rows, heatmap.mean, strict=True):
        if not np.isfinite(values).any():
            rows.append((label(key), "n/a", "n/a", "n/a"))
            continue
        found = phases(values, heatmap.measured_layers)
        rows.append(
            (
                label(key),
                describe(found.high, layers),
                f"{found.peak:.2f} (layer {found.peak_layer})",
                describe(found.low, layers),
            )
        )
    return rows


def _numbers(ranges: Ranges) -> str:
    return " and ".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges) or "none"


def _third(where: tuple[int, int], layers: int) -> str:
    if where[0] == 0:
        return "early"
    if where[1] == layers - 1:
        return "late"
    return "middle"


def _running_median(values: np.ndarray) -> np.ndarray:
    # Mirrored at the ends, so that a lone first or last layer is smoothed like any other.
    padded = np.pad(values, 1, mode="reflect") if len(values) > 1 else np.repeat(values, 3)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3)
    # Beside a cell without a number, of the two that there are.
    smooth = [
        np.nanmedian(w) if np.isfinite(v) else np.nan for v, w in zip(values, windows, strict=True)
    ]
    return np.array(smooth)


def _layer_noise(values: np.ndarray) -> float:
    """Estimate the noise of a row from its second differences, which a slope does not enter."""
    bends = np.abs(np.diff(values, n=2))
    bends = bends[np.isfinite(bends)]
    return float(np.median(bends)) / (0.6745 * np.sqrt(6)) if bends.size else 0.0


def _ranges(inside: np.ndarray) -> Ranges:
    """Return the runs of True, gaps of one closed and short runs dropped."""
    closed = inside.copy()
    closed[1:-1] |= inside[:-2] & inside[2:]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed.astype(int), [0]])))
    runs = [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return tuple(run for run in runs if run[1] - run[0] + 1 >= min(SHORTEST, len(inside)))
