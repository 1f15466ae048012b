import numpy as np
import pytest
from records import run_of
from scipy.stats import spearmanr

from mlxjsd.analysis.compare import Panel, compare, published, rank_correlation
from mlxjsd.errors import InputError
from mlxjsd.output.figure import plot_comparison
from mlxjsd.output.markdown import compared, panel_of


def test_rank_correlation_equals_scipy_ties_included() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.integers(0, 6, (2, 30)).astype(float)
        assert rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)
        nearly = x + rng.normal(0, 1e-13, x.shape)  # as interpolation leaves equal numbers
        assert rank_correlation(nearly, y) == pytest.approx(spearmanr(x, y).statistic)
    assert np.isnan(rank_correlation(np.ones(4), np.arange(4.0)))


def test_layers_without_a_number_have_no_rank() -> None:
    x = np.array([0.1, np.nan, 0.3, 0.2, 0.5])
    y = np.array([0.4, 0.9, 0.2, np.nan, 0.1])
    known = [0, 2, 4]
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x[known], y[known]).statistic)
    assert np.isnan(rank_correlation(np.full(5, np.nan), y))


def test_a_figure_agrees_with_itself() -> None:
    figure = published("llama-3-8b-fa")
    result = compare(figure, figure)
    for row in result.rows:
        assert row.correlation == pytest.approx(1)
        assert row.difference == 0
        assert row.phases_agree
    assert not np.nan_to_num(result.difference).any()


def test_cells_at_the_lowest_tick_of_a_published_scale_are_left_out() -> None:
    figure = published("llama-3-8b-fa")
    ours = np.full((3, 32), 0.1)
    ours[:, ::2] = 0.15
    result = compare(Panel("ours", ours), figure)
    by_hand = figure.mean > 0.2
    assert [row.cells for row in result.rows] == by_hand.sum(axis=1).tolist() == [22, 8, 21]
    np.testing.assert_array_equal(np.isfinite(result.difference), by_hand)
    for at, row in enumerate(result.rows):
        known = by_hand[at]
        gap = np.abs(ours[at, known] - figure.mean[at, known])
        assert row.difference == pytest.approx(gap.mean())
        right = spearmanr(ours[at, known], figure.mean[at, known]).statistic
        assert row.correlation == pytest.approx(right)
    # Whatever lies below the tick elsewhere, the comparison is the same.
    other = ours.copy()
    other[~by_hand] = 0.0
    again = compare(Panel("ours", other), figure)
    for one, two in zip(result.rows, again.rows, strict=True):
        assert (one.correlation, one.difference) == (two.correlation, two.difference)
    # Between a known layer and one that is not, nothing is known.
    stretched = compare(Panel("deep", np.zeros((3, 64))), figure)
    assert all(
        row.cells < 2 * known for row, known in zip(stretched.rows, (22, 8, 21), strict=True)
    )


def test_turned_around_it_does_not() -> None:
    figure = published("llama-3-8b-fa")
    turned = Panel("turned", figure.mean[:, ::-1])
    rows = {row.row: row for row in compare(figure, turned).rows}
    assert rows["subj"].correlation < -0.7
    assert not rows["subj"].phases_agree
    assert not rows["last"].phases_agree


def test_depths_are_compared_by_their_share() -> None:
    figure = published("llama-3-8b-fa")
    half = Panel("half", figure.mean.reshape(3, 16, 2).mean(axis=2))
    result = compare(figure, half)
    assert result.relative
    assert result.b.mean.shape == (3, 32)
    assert all(row.correlation > 0.85 for row in result.rows)
    assert max(row.difference for row in result.rows) < 0.02


def test_unknown_figures_and_categories_are_refused() -> None:
    with pytest.raises(InputError, match=r"there is .*llama-3-8b-fa"):
        published("../relations")
    with pytest.raises(InputError, match="no prompt of category AH"):
        panel_of(run_of(1), "AH")


def test_a_comparison_is_told_and_drawn() -> None:
    result = compare(panel_of(run_of(6, 32)), published("llama-3-8b-fa"))
    said = compared(result)
    for part in ("tiny, n = 6", "arXiv 2510.09033", "| Subj. |", "Rank correlation"):
        assert part in said
    upper, middle, lower, *_ = plot_comparison(result).axes
    np.testing.assert_allclose(
        np.asarray(lower.collections[0].get_array()).reshape(3, 32), result.difference
    )
    low, high = lower.collections[0].get_clim()
    assert low == -high, "the difference is drawn around zero"
    assert upper.collections[0].get_clim() == middle.collections[0].get_clim()
