"""Averages over prompts, their intervals, and the scale they are drawn on."""

import numpy as np
import pytest
from records import LAYERS, record, run_of

from mlxjsd.analysis.heatmap import (
    Heatmap,
    aggregate,
    average,
    bootstrap_interval,
    floor_warning,
    scale_of,
)
from mlxjsd.metrics import METRICS, Metric

SIGNED = Metric("lift", "Logit Lift", "logits")


def test_a_heatmap_is_the_mean_over_prompts() -> None:
    run = run_of(5)
    heatmap = run.heatmap()
    stacked = np.stack([r.jsd for r in run.records]).astype(np.float64)
    np.testing.assert_allclose(heatmap.mean, stacked.mean(axis=0))
    np.testing.assert_allclose(heatmap.error, stacked.std(axis=0, ddof=1) / np.sqrt(5))
    assert heatmap.count == 5
    assert heatmap.floor == max(r.floor for r in run.records)
    for peak, values in zip(heatmap.peaks(), stacked.mean(axis=0), strict=True):
        assert (peak.value, peak.layer) == (values.max(), values.argmax())


def test_the_interval_is_that_of_the_mean_and_repeatable() -> None:
    jsd = np.random.default_rng(0).normal(0.3, 0.1, (400, 3, 2))
    low, high = bootstrap_interval(jsd)
    expected = 1.96 * jsd.std(axis=0, ddof=1) / np.sqrt(400)
    np.testing.assert_allclose(high - low, 2 * expected, rtol=0.15)
    np.testing.assert_allclose((high + low) / 2, jsd.mean(axis=0), atol=0.002)
    np.testing.assert_array_equal(bootstrap_interval(jsd), bootstrap_interval(jsd))
    assert np.isnan(bootstrap_interval(jsd[:1])).all()


def test_one_prompt_has_no_error_and_none_has_no_mean() -> None:
    assert np.isnan(aggregate([record(0)], LAYERS).error).all()
    empty = aggregate([], LAYERS)
    assert np.isnan(empty.mean).all()
    assert empty.mean.shape == (3, LAYERS)
    assert empty.peaks() == []


def some(mean: list[float], metric: str = "jsd") -> Heatmap:
    values = np.array([mean])
    return Heatmap(values, np.full_like(values, np.nan), 1, rows=("subj",), metric=metric)


def test_a_row_peaks_where_it_is_farthest_from_0() -> None:
    (peak,) = some([0.1, np.nan, -0.4, 0.3], "lift").peaks()
    assert (peak.row, peak.value, peak.layer) == ("subj", -0.4, 2)


def test_a_scale_begins_at_0_or_goes_as_far_to_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "lift", SIGNED)
    assert scale_of([some([0.1, np.nan]), some([0.4, 0.2])]) == (0.0, 0.4)
    assert scale_of([some([0.1, -0.4], "lift"), some([0.2, 0.3], "lift")]) == (-0.4, 0.4)
    assert scale_of([some([np.nan, np.nan])]) == (0.0, 1.0)
    assert scale_of([some([1e-8, 0.0])]) == (0.0, 1e-3)


def test_a_row_that_does_not_apply_to_a_prompt_is_averaged_over_the_others() -> None:
    cells = np.random.default_rng(0).random((400, 2, 3)).astype(np.float32)
    lacking = cells.copy()
    lacking[::4, 1] = np.nan
    has = np.arange(400) % 4 > 0
    found = average(lacking, np.zeros(400), np.zeros(400), ("subj", "attn-control"))
    assert found.count == 400
    assert found.counts.tolist() == [[400] * 3, [300] * 3]
    np.testing.assert_allclose(found.mean[0], cells[:, 0].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.mean[1], cells[has, 1].mean(axis=0), rtol=1e-6)
    expected = cells[has, 1].std(axis=0, ddof=1) / np.sqrt(300)
    np.testing.assert_allclose(found.error[1], expected, rtol=1e-5)
    low, high = bootstrap_interval(lacking)
    np.testing.assert_allclose(high[1] - low[1], 2 * 1.96 * expected, rtol=0.15)
    np.testing.assert_allclose((high + low)[1] / 2, found.mean[1], atol=0.004)
    # One prompt alone says nothing of how far the mean may be off.
    lacking[1:, 1] = np.nan
    lacking[0, 1] = 0.5
    assert np.isnan(bootstrap_interval(lacking)[:, 1]).all()
    assert np.isnan(average(lacking, np.zeros(400), np.zeros(400)).error[1]).all()


def test_prompts_without_a_number_are_not_counted() -> None:
    cells = np.random.default_rng(0).random((6, 2, 4)).astype(np.float32)
    cells[:, 1, 3] = np.nan  # an edit that does not apply is one in every prompt
    with_gaps = cells.copy()
    with_gaps[[1, 4]] = np.nan
    kept, reliance = [0, 2, 3, 5], np.arange(6.0)
    found = average(with_gaps, reliance, reliance, ("subj", "attn"))
    wanted = average(cells[kept], reliance[kept], reliance[kept], ("subj", "attn"))
    assert found.count == wanted.count == 4
    for name in ("mean", "error", "reliance", "floor"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    np.testing.assert_array_equal(bootstrap_interval(with_gaps), bootstrap_interval(cells[kept]))
    nothing = average(np.full_like(cells, np.nan), reliance, reliance, ("subj", "attn"))
    assert nothing.count == 6, "the prompts are there, and the edit applies to none"


def test_the_warning_of_the_floor_says_where_to_look() -> None:
    assert floor_warning(1e-7, 1e-6) == ""
    assert "see `mlxjsd check`" in floor_warning(1e-3, 1e-6)
