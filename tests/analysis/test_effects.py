"""Effects, against numbers that were worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from controlled import GRID, LAYERS, UNCHANGED, UNPAIRED, controlled
from records import run_of

from mlxjsd.analysis.effects import Effect, effects, shown_metric
from mlxjsd.errors import InputError
from mlxjsd.metrics import METRICS
from mlxjsd.records import Grid
from mlxjsd.rows import ALWAYS

CHANGE, NORMALISED = Effect("change"), Effect("normalised")
ROWS = ("subj", "attn:w9", "subj:denoising")
#: Three prompts, rows as above, one layer: q.
CELLS = np.array([[[2.0], [5.0], [1.0]], [[0.5], [1.0], [0.25]], [[3.0], [np.nan], [3.0]]])
CLEAN = np.array([6.0, 1.0, 3.25])
CORRUPTED = np.array([-2.0, 0.5, 3.0])


def test_changes_by_hand() -> None:
    found, left_out = effects(CELLS, ROWS, CLEAN, CORRUPTED, CHANGE, "logit_diff")
    # q - p of noising rows; q - k of those that restore.
    wanted = [[-4, -1, 3], [-0.5, 0, -0.25], [-0.25, np.nan, 0]]
    np.testing.assert_allclose(found[..., 0], wanted)
    assert not left_out.any()


def test_shares_of_the_total_effect_by_hand() -> None:
    found, left_out = effects(CELLS, ROWS, CLEAN, CORRUPTED, NORMALISED, "logit_diff")
    # By 6 + 2 = 8 and by 1 - 0.5 = 0.5, the smallest that counts; 3.25 - 3 is too little.
    wanted = [[-4 / 8, -1 / 8, 3 / 8], [-1, 0, -0.5], [np.nan] * 3]
    np.testing.assert_allclose(found[..., 0], wanted)
    assert left_out.tolist() == [False, False, True]
    less = Effect("normalised", 0.2)
    found, left_out = effects(CELLS, ROWS, CLEAN, CORRUPTED, less, "logit_diff")
    np.testing.assert_allclose(found[2, :, 0], [-1, np.nan, 0])
    assert not left_out.any()


def test_a_divergence_is_taken_away_and_restored_with_the_same_signs() -> None:
    # p diverges by 0 from itself and k by 0.4; an edit at 0.3 takes three quarters away, and one
    # that leaves 0.1 of the corrupted run's divergence restores three quarters.
    cells = np.array([[[0.3], [0.1]]])
    found, _ = effects(cells, ROWS[::2], np.zeros(1), np.array([0.4]), NORMALISED)
    np.testing.assert_allclose(found[0, :, 0], [-0.75, 0.75])


def test_a_stored_number_of_the_least_size_counts() -> None:
    total = np.float32([0.35, 0.3])
    _, left_out = effects(CELLS[:1], ROWS, total[:1], total[1:], NORMALISED)
    assert float(total[0]) - float(total[1]) < 0.05
    assert not left_out.any()


def test_prompts_without_a_total_are_no_prompts_that_are_left_out() -> None:
    run = controlled(12)
    heatmap = run.heatmap(metric="logit_diff", effect=NORMALISED)
    assert (heatmap.count, heatmap.left_out) == (10, 1)
    cells = run.cells("logit_diff", NORMALISED)
    assert np.isnan(cells[[UNPAIRED, UNCHANGED]]).all()
    kept = [n for n in range(12) if n not in (UNPAIRED, UNCHANGED)]
    raw = run.values("logit_diff")[kept].astype(np.float64)
    np.testing.assert_allclose(heatmap.row("subj"), ((raw[:, 0] - 4) / 6).mean(0), rtol=1e-6)
    np.testing.assert_allclose(heatmap.row("subj:denoising"), ((raw[:, 5] + 2) / 6).mean(0))
    assert heatmap.row("subj").round(1) == pytest.approx(-0.5)
    assert heatmap.row("subj:denoising").round(2) == pytest.approx(0.25, abs=0.03)
    change = run.heatmap(metric="logit_diff", effect=CHANGE)
    assert (change.count, change.left_out) == (11, 0)
    assert change.described.signed
    assert (change.described.label, change.described.unit) == (
        "Change of Logit Difference",
        "logits",
    )


def test_groups_count_what_they_leave_out() -> None:
    found = controlled(12).heatmap(by="category", effect=NORMALISED)
    assert {name: (h.count, h.left_out) for name, h in found.items()} == {
        "Factual associations": (3, 1),
        "Unassociated hallucinations": (8, 0),
    }


def test_every_metric_has_a_least_total_effect() -> None:
    least = [metric.least_total for metric in METRICS.values()]
    assert all(size is not None and size > 0 for size in least)
    assert shown_metric("jsd", None) is METRICS["jsd"]
    with pytest.raises(InputError, match="no usual least total effect of the metric 'lift'"):
        NORMALISED.least("lift")
    assert Effect("normalised", 0.3).least("lift") == 0.3


def test_a_run_without_the_total_says_what_is_missing() -> None:
    grid = replace(GRID, whole=ALWAYS)
    old = controlled(6, grid)
    for effect in (CHANGE, NORMALISED):
        with pytest.raises(InputError, match=r"\(the row 'total'\), which .* need; mea"):
            old.heatmap(effect=effect)
    usual = run_of(grid=Grid(LAYERS, whole=ALWAYS))
    with pytest.raises(InputError, match="which normalised effects need"):
        usual.heatmap(effect=NORMALISED)
    # What an edit of the clean run changes needs the clean run alone.
    floor = usual.numbers("floor").astype(np.float64)[:, None, None]
    wanted = (usual.values() - floor).mean(axis=0)
    np.testing.assert_allclose(usual.heatmap(effect=CHANGE).mean, wanted, rtol=1e-6)


def test_bad_effects_are_refused() -> None:
    for kind, least, said in (
        ("ratio", None, "--effect is change or normalised, not 'ratio'"),
        ("change", 0.1, "--least-total is for normalised effects"),
        ("normalised", 0.0, "is a positive number, not 0"),
        ("normalised", float("nan"), "is a positive number, not nan"),
    ):
        with pytest.raises(InputError, match=said):
            Effect(kind, least)
    with pytest.raises(InputError, match=r"no prompt has a total effect of at least 0\.6 nats; "):
        controlled().heatmap(effect=Effect("normalised", 0.6))
    assert run_of(0).heatmap(effect=CHANGE).mean.shape == (3, LAYERS)
