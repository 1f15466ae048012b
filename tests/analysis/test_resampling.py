"""The tests over prompts, against SciPy, against counting by hand, and against chance itself."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mlxjsd.analysis import resampling
from mlxjsd.analysis.resampling import adjusted, peak_interval, permutation, sign_flip


def rng_of(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def by_scipy(a: np.ndarray, b: np.ndarray, kind: str, resamples: float = np.inf) -> float:
    """p of |difference of means|, by SciPy's own enumeration or draws."""

    def statistic(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.abs(np.mean(x, axis=axis) - np.mean(y, axis=axis))

    # Differences of about the same size are the same: SciPy counts with a tolerance too.
    found = stats.permutation_test(
        (a, b),
        statistic,
        permutation_type=kind,
        vectorized=True,
        n_resamples=resamples,
        alternative="greater",
        random_state=1,
    )
    return float(found.pvalue)


def test_flips_of_few_prompts_are_counted_by_hand() -> None:
    # 1 + 2 + 3 = 6 is reached by +++ and --- alone: 2 of 8 ways.
    assert sign_flip(np.array([1.0, 2.0, 3.0])) == 0.25
    # 3 - 1 + 1 = 3, and of the 8 sums +-3 +-1 +-1 all but the two of size 1 ...
    sums = [abs(3 * a + b + c) for a, b, c in product((1, -1), repeat=3)]
    assert sign_flip(np.array([3.0, -1.0, 1.0])) == sum(s >= 3 for s in sums) / 8 == 0.75
    assert sign_flip(np.array([0.0, 0.0])) == 1
    assert np.isnan(sign_flip(np.array([0.4, np.nan]))), "one prompt says nothing"
    assert np.isnan(sign_flip(np.array([np.nan, np.nan])))


def test_divisions_of_few_prompts_are_counted_by_hand() -> None:
    # {1, 2} against {5, 6}: of the 6 divisions, it and its mirror are the farthest apart.
    assert permutation(np.array([1.0, 2.0]), np.array([5.0, 6.0])) == pytest.approx(2 / 6)
    # {0} against {1, 2, 4}, mean 7/3: the others are 4/3, 1/3 and -3, so that 4 alone is farther.
    assert permutation(np.array([0.0]), np.array([1.0, 2.0, 4.0])) == pytest.approx(2 / 4)
    assert np.isnan(permutation(np.array([np.nan]), np.array([1.0, 2.0])))


@pytest.mark.parametrize("count", [3, 8, 14])
def test_flips_equal_scipys_of_every_possibility(count: int) -> None:
    a, b = rng_of().normal(0.3, 1, (2, count, 2, 2)).astype(np.float32)
    found = sign_flip(a - b)
    for cell in np.ndindex(2, 2):
        # In float32, SciPy would take sums for equal that differ in the sixth digit.
        differences = (a - b)[(slice(None), *cell)].astype(np.float64)
        wanted = by_scipy(differences, np.zeros(count), "samples")
        assert found[cell] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(2, 3), (3, 9), (7, 6)])
def test_divisions_equal_scipys_of_every_possibility(first: int, second: int) -> None:
    a, b = rng_of(1).normal(0, 1, (first, 3)), rng_of(2).normal(0.7, 1, (second, 3))
    found = permutation(a, b)
    wanted = [by_scipy(a[:, cell], b[:, cell], "independent") for cell in range(3)]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


#: Two estimates of 10,000 draws each differ by no more than four of their standard errors.
NEAR = 4 * np.sqrt(2 * 0.25 / 10_000)


@pytest.mark.parametrize(("first", "second"), [(40, 60), (5, 80), (80, 5)])
def test_drawn_divisions_agree_with_scipys(first: int, second: int) -> None:
    """Also a few against many, which are drawn in another way."""
    rng = np.random.default_rng(first)
    a, b = rng.exponential(1, first), rng.exponential(1.2, second)
    wanted = by_scipy(a, b, "independent", 9999)
    assert permutation(a, b) == pytest.approx(wanted, abs=NEAR)


def test_nobody_is_dealt_twice() -> None:
    # One prompt is unlike the others: as far apart as they are, both groups are where the smaller
    # one has it. That is one draw in five; if a prompt could come twice, 0.182 of them.
    a, b = np.zeros(20), np.zeros(80)
    a[7] = 1
    assert permutation(a, b) == pytest.approx(0.2, abs=0.012)


def test_draws_are_made_once_for_all_metrics_of_the_same_prompts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    deal = resampling._dealt

    def counted(*given: Any) -> np.ndarray:
        made.append(given[1])
        return deal(*given)

    monkeypatch.setattr(resampling, "_dealt", counted)
    resampling._bits.cache_clear()
    cells = rng_of().random((40, 2))
    first = permutation(cells[:15], cells[15:], 2000)
    assert sum(made) == 2000
    assert np.array_equal(permutation(cells[:15], cells[15:], 2000), first)
    assert sum(made) == 2000
    resampling._bits.cache_clear()
    assert np.array_equal(permutation(cells[:15], cells[15:], 2000), first), "as if made anew"


def test_drawn_flips_agree_with_scipys() -> None:
    paired = rng_of().normal(0.2, 1, 40)
    wanted = by_scipy(paired, np.zeros(40), "samples", 9999)
    assert sign_flip(paired) == pytest.approx(wanted, abs=NEAR)


def test_the_same_cells_give_the_same_number_whatever_stands_beside_them() -> None:
    cells = rng_of().normal(0, 1, (30, 4))
    np.testing.assert_allclose(sign_flip(cells)[2], sign_flip(cells[:, 2]), atol=1e-12)
    groups = cells[:11], cells[11:]
    alone = permutation(*(group[:, 2] for group in groups))
    np.testing.assert_allclose(permutation(*groups)[2], alone, atol=1e-12)
    assert (sign_flip(cells) != sign_flip(cells, seed=1)).any()


def test_a_prompt_without_a_number_is_left_out_of_that_cell() -> None:
    cells = rng_of().normal(0.2, 1, (30, 3))
    cells[::3, 1] = np.nan
    cells[4:, 2] = np.nan
    kept = np.isfinite(cells[:, 1])
    found = sign_flip(cells)
    # What is left is drawn with other signs: the same within what two draws differ by.
    assert found[1] == pytest.approx(sign_flip(cells[kept, 1]), abs=0.03)
    assert found[2] == sign_flip(cells[:4, 2])
    first, second = cells[:10], cells[10:]
    found = permutation(first, second)
    assert found[1] == permutation(first[kept[:10], 1], second[kept[10:], 1])
    assert np.isnan(found[2])


@pytest.mark.parametrize("test", ["flips", "divisions"])
@pytest.mark.parametrize("count", [9, 30])
def test_under_the_null_p_is_uniform(test: str, count: int) -> None:
    """1,200 experiments in which nothing is the matter, and skewed noise."""
    noise = np.random.default_rng(count).exponential(1, (2, count, 1200))
    if test == "flips":
        p = sign_flip(noise[0] - noise[1], 2000)
    else:
        p = permutation(*noise, resamples=2000)
    for level in (0.01, 0.05, 0.2, 0.5):
        slack = 4 * np.sqrt(level * (1 - level) / len(p))
        assert level - slack - 0.004 < np.mean(p <= level) < level + slack


def test_a_planted_effect_is_found_and_nothing_else() -> None:
    cells = np.random.default_rng(3).normal(0, 0.2, (60, 3, 32))
    cells[:, 1, 10:15] += 0.15
    q = adjusted(sign_flip(cells))
    assert (q[1, 10:15] < 0.05).all()
    assert (q < 0.05).sum() <= 6
    q = adjusted(permutation(cells[:, 1], -cells[:, 1]))
    assert (q[10:15] < 0.05).all()


def test_q_values_are_benjamini_and_hochbergs() -> None:
    # Their own rule, by hand: p (n / rank), from the largest down, never more than the one before.
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    wanted = [0.04, np.nan, 0.04 * 4 / 3, 0.04 * 4 / 3, 0.5]
    np.testing.assert_allclose(adjusted(p), wanted)
    np.testing.assert_allclose(adjusted(p.reshape(1, 5)), [wanted])
    assert np.isnan(adjusted(np.full(3, np.nan))).all()


def test_the_interval_of_a_peak() -> None:
    rng, count = np.random.default_rng(0), 80
    cells = rng.normal(0, 0.01, (count, 4, 12))
    cells[:, 0, 5] += 1
    cells[:, 1, [3, 8]] -= [1, 1]  # two as far below 0: either may be the peak
    cells[:, 1, [3, 8]] += rng.normal(0, 0.3, (count, 2))
    cells[:, 2] = np.nan
    cells[1:, 3] = np.nan
    low, high = peak_interval(cells)
    assert (low[0], high[0]) == (5, 5)
    assert (low[1], high[1]) == (3, 8)
    assert np.isnan([low[2:], high[2:]]).all()
    assert np.isnan(peak_interval(cells[:1])).all()
    assert peak_interval(cells[:0]).shape == (2, 4)


def test_the_interval_of_a_peak_holds_what_resampling_by_hand_finds() -> None:
    cells = np.random.default_rng(5).normal(0, 1, (25, 1, 9)) + np.hanning(9)
    rng = np.random.default_rng(11)
    peaks = [int(np.abs(cells[rng.integers(0, 25, 25), 0].mean(0)).argmax()) for _ in range(2000)]
    wanted = np.quantile(peaks, [0.025, 0.975])
    np.testing.assert_allclose(peak_interval(cells)[:, 0], wanted, atol=1)
