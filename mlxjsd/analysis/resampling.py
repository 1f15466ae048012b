"""Tests that ask of the prompts alone: flip signs, deal labels anew, draw prompts again.

No curve is assumed for the numbers. Each test treats all cells at once with the same
draws, is seeded, and goes through all possibilities where they are fewer than the draws would be.
A prompt without a number in a cell is left out of that cell (pairwise deletion).
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from math import comb, prod

import numpy as np

from mlxjsd.analysis.heatmap import resampled_means

#: Draws of a test: the smallest p-value that it can find is 1 / 10,001.
RESAMPLES = 10_000
#: Draws times prompts that are made at a time, so that a test stays small in memory.
_AT_A_TIME = 1_000_000
#: Sums that differ by less than this share are the same but for rounding.
_TIE = 1e-10


def sign_flip(differences: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Test whether paired differences are as likely above as below 0 (Fisher 1935), both sides.

    Under the null hypothesis, the sign of each prompt's difference is a coin's. The statistic is
    the size of their mean.

    Args:
        differences: (N, ...), one for each prompt; NaN where there is none.
        resamples: draws of the signs, unless all 2^(n - 1) of them, up to a turn, are fewer.
        seed: of the draws.

    Returns:
        (...) p-values; NaN where fewer than two prompts have a difference. A drawn one is (1 +
        hits) / (1 + resamples), so that it is never 0 (Phipson & Smyth 2010).
    """
    shape = differences.shape[1:]
    cells = differences.reshape(len(differences), prod(shape)).astype(np.float64)
    known = np.isfinite(cells)
    counts = known.sum(axis=0)
    few = counts <= np.log2(resamples) + 1
    p = np.full(cells.shape[1], np.nan)
    for prompts, columns in _alike(known, few & (counts > 1)):
        own = cells[np.ix_(prompts, columns)]
        rest = len(prompts) - 1
        flips = np.arange(2**rest)[:, None] >> np.arange(rest) & 1
        signs = np.hstack([np.ones((2**rest, 1)), 1.0 - 2.0 * flips])
        p[columns] = _hits(signs @ own, own).mean(axis=0)
    if not few.all():
        own = np.where(known, cells, 0.0)[:, ~few]  # what is not there flips to nothing
        hits = np.zeros(own.shape[1])
        for flipped in _drawn(len(own), None, resamples, seed):
            hits += _hits((1.0 - 2.0 * flipped) @ own, own).sum(axis=0)
        p[~few] = (1 + hits) / (1 + resamples)
    return p.reshape(shape)


def permutation(
    a: np.ndarray, b: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Test whether two groups of prompts have the same mean (Fisher 1935, Pitman 1937), both sides.

    Under the null hypothesis, which prompt is in which group is a matter of chance. The statistic
    is the size of the difference of the means.

    Args:
        a: (N, ...) of the prompts of one group; NaN where there is no number.
        b: (M, ...) of the other one's.
        resamples: draws of the groups, unless there are fewer ways to divide the prompts.
        seed: of the draws.

    Returns:
        (...) p-values as of :func:`sign_flip`; NaN where a group has no number.
    """
    cells = np.concatenate([a, b]).astype(np.float64)
    shape, size_a = cells.shape[1:], len(a)
    cells = cells.reshape(len(cells), prod(shape))
    known = np.isfinite(cells)
    both = np.logical_and(known[:size_a].any(axis=0), known[size_a:].any(axis=0))
    p = np.full(cells.shape[1], np.nan)
    for prompts, columns in _alike(known, both):
        own, first = cells[np.ix_(prompts, columns)], int((prompts < size_a).sum())
        # Around their mean, so that rounding does not depend on how far from 0 they are.
        own = own - own.mean(axis=0)
        bound = _TIE * np.abs(own).sum(axis=0)
        found = np.abs(own[:first].sum(axis=0)) - bound
        # The means of both groups are apart by this sum, times what no draw changes.
        if (ways := comb(len(prompts), first)) <= resamples:
            chosen = np.array(list(combinations(range(len(prompts)), first)))
            labels = np.zeros((ways, len(prompts)))
            labels[np.arange(ways)[:, None], chosen] = 1.0
            p[columns] = (np.abs(labels @ own) >= found).mean(axis=0)
            continue
        hits = np.zeros(own.shape[1])
        for dealt in _drawn(len(own), first, resamples, seed):
            hits += (np.abs(dealt @ own) >= found).sum(axis=0)
        p[columns] = (1 + hits) / (1 + resamples)
    return p.reshape(shape)


def adjusted(p: np.ndarray) -> np.ndarray:
    """Adjust p-values of many cells (Benjamini & Hochberg 1995): the q-values, in the same shape.

    Of the cells with q < 0.05, no more than one in twenty is expected to be a false discovery.
    Cells that are NaN are none of them, and stay NaN.
    """
    from scipy.stats import false_discovery_control  # takes a second to import

    q, known = np.full(p.shape, np.nan), np.isfinite(p)
    if known.any():
        q[known] = false_discovery_control(p[known], method="bh")
    return q


def peak_interval(
    cells: np.ndarray, share: float = 0.95, resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """Bootstrap interval of the layer where each row's mean is farthest from 0.

    Args:
        cells: (N, rows, L); NaN where there is no number.
        share: of the resampled peaks that the interval holds.
        resamples: draws of the prompts; the means are those of
            :func:`mlxjsd.analysis.heatmap.bootstrap_interval`.
        seed: of the draws.

    Returns:
        (2, rows) first and last layer, whole numbers; NaN for fewer than two prompts and for a row
        without a number.
    """
    means = np.abs(resampled_means(cells, resamples, seed))
    ends = np.full((2, means.shape[1]), np.nan)
    for row in range(means.shape[1]):
        own = means[:, row]
        own = own[np.isfinite(own).any(axis=1)]
        if len(own):
            peaks = np.nanargmax(own, axis=1)
            ends[0, row] = np.quantile(peaks, (1 - share) / 2, method="lower")
            ends[1, row] = np.quantile(peaks, (1 + share) / 2, method="higher")
    return ends


def _hits(sums: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Say which (R, C) sums are as far from 0 as that of (n, C) differences."""
    bound = np.abs(own.sum(axis=0)) - _TIE * np.abs(own).sum(axis=0)
    hits: np.ndarray = np.abs(sums) >= bound
    return hits


def _alike(known: np.ndarray, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the prompts that some of the wanted cells have a number of, and these cells.

    Args:
        known: (N, C) bool.
        wanted: (C,) bool.
    """
    columns = np.flatnonzero(wanted)
    patterns: dict[bytes, list[int]] = {}
    for column, pattern in zip(columns, np.packbits(known[:, columns], axis=0).T, strict=True):
        patterns.setdefault(pattern.tobytes(), []).append(int(column))
    for alike in patterns.values():
        yield np.flatnonzero(known[:, alike[0]]), np.array(alike)


def _drawn(count: int, first: int | None, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Yield draws of a test, (size, count) of 0 and 1: signs that flip, or a group's prompts."""
    for bits in _bits(count, first, resamples, seed):
        yield np.unpackbits(bits, axis=1, count=count).astype(np.float64)


@lru_cache(maxsize=6)
def _bits(count: int, first: int | None, resamples: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return the draws of a test, a bit for each prompt.

    Making these takes most of the time, and they are the same for all metrics of the same prompts:
    as many are kept as four categories have pairs, some 1.25 kB each for a prompt.
    """
    rng, found = np.random.default_rng(seed), []
    for size in _sizes(resamples, count):
        drawn = rng.integers(0, 2, (size, count), dtype=np.int8) if first is None else _dealt(
            rng, size, count, first
        )  # fmt: skip
        found.append(np.packbits(drawn != 0, axis=1))
    return tuple(found)


def _dealt(rng: np.random.Generator, size: int, count: int, first: int) -> np.ndarray:
    """Divide ``count`` prompts at random, ``size`` times: 1 for those of the smaller group.

    Their sums are around 0, so that which of both groups is summed makes no difference.
    """
    smaller = min(first, count - first)
    if smaller**2 > 4 * count:
        dealt = np.tile(np.arange(count) < smaller, (size, 1))
        return rng.permuted(dealt, axis=1).astype(np.float64)
    # A few of many: drawn with replacement, and drawn anew where one came twice.
    chosen = np.empty((size, smaller), np.int64)
    left = np.arange(size)
    while left.size:
        chosen[left] = np.sort(rng.integers(0, count, (left.size, smaller)), axis=1)
        left = left[(np.diff(chosen[left], axis=1) == 0).any(axis=1)]
    labels = np.zeros((size, count))
    labels[np.arange(size)[:, None], chosen] = 1.0
    return labels


def _sizes(resamples: int, count: int) -> Iterator[int]:
    most = max(1, _AT_A_TIME // count)
    for at in range(0, resamples, most):
        yield min(most, resamples - at)
