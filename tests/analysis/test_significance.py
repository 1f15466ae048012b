"""Rows against their controls, groups against each other, and how it is said."""

from dataclasses import replace

import numpy as np
import pytest
from controlled import LAYERS, PLANTED, ROWS, UNCONTROLLED, controlled

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.findings import control_sentences, group_sentences, peak_sentences
from mlxjsd.analysis.resampling import permutation, sign_flip
from mlxjsd.analysis.significance import (
    Outcome,
    against_controls,
    between_groups,
    control_of,
    spans,
)
from mlxjsd.output.markdown import report

IN_PLANTED = np.isin(np.arange(LAYERS), range(LAYERS)[PLANTED])


@pytest.mark.parametrize(
    ("row", "rows", "control"),
    [
        ("attn", ("attn", "attn-control"), "attn-control"),
        ("subj", ("subj-random", "subj"), "subj-random"),
        ("attn:w9", ("attn:w5", "attn:w9", "attn-control:w9"), "attn-control:w9"),
        ("attn:w5", ("attn:w5", "attn-control:w9", "attn-control"), None),
        ("subj:denoising", ("subj:denoising", "subj-random"), None),
        ("last", ("last", "attn-control", "subj-random"), None),
        ("attn-rest", ("attn-rest", "attn-control"), None),
    ],
)
def test_a_control_is_known_by_its_name(
    row: str, rows: tuple[str, ...], control: str | None
) -> None:
    assert control_of(row, rows) == control


def test_rows_are_tested_against_their_controls() -> None:
    run = controlled()
    cells = run.values()
    found = against_controls(cells, ROWS)
    assert found is not None
    assert (found.rows, found.against) == (("subj", "attn"), ("subj-random", "attn-control"))
    np.testing.assert_array_equal(found.differs, [np.zeros(LAYERS, bool), IN_PLANTED])
    assert found.counts[0].tolist() == [40] * LAYERS
    assert found.counts[1].tolist() == [40 - len(UNCONTROLLED)] * LAYERS
    kept = [n for n in range(40) if n not in UNCONTROLLED]
    pairs = cells[kept, 1].astype(np.float64) - cells[kept, 3]
    np.testing.assert_allclose(found.difference[1], pairs.mean(axis=0))
    np.testing.assert_allclose(found.p[1], sign_flip(pairs), atol=0.03)
    marks = found.marks(ROWS)
    np.testing.assert_array_equal(np.argwhere(marks), [[1, 3], [1, 4], [1, 5]])
    assert against_controls(cells[:, :3], ROWS[:3]) is None


def test_what_is_beyond_the_controls_is_said() -> None:
    said = report(controlled())
    assert (
        "- In no layer is it sure that the corrupted subject's states change the prediction more "
        "than a random change of the same size does (no q < 0.05).\n"
        "- The last token reads the subject in layers 3-5 more than a control span (q < 0.05).\n"
    ) in said
    assert "- Attn.: peak at layer 3, 95 % interval 3-5." in said
    assert "Tested against the control on the same prompts, by 10,000 sign flips" in said
    assert "have an n of their own: Attn. control 38." in said
    other = report(controlled(), metric="logit_diff")
    assert "Subj. against Subj. random: Logit Difference is lower in layers 0-7" in other
    assert "(q < 0.05)" in other
    shares = report(controlled(), metric="logit_diff", effect=Effect("normalised"))
    assert "Normalised Logit Difference is lower in layers 0-7" in shares
    assert "1 prompt is left out, whose total effect is under 0.5 logits" in shares
    assert "| Row | Peak Normalised Logit Difference (of the total effect) | Layer |" in shares
    assert "states matter most" not in shares


def test_a_row_of_another_window_is_named_and_both_sides_are_said() -> None:
    p = np.array([[0.001, 0.001, 0.5, 0.001]])
    difference = np.array([[0.1, 0.1, 0.1, -0.1]])
    tested = Outcome(("attn:w9",), ("attn-control:w9",), difference, p, p, np.full((1, 4), 9))
    heatmap = replace(controlled(4).heatmap(), mean=np.zeros((1, 4)), rows=("attn:w9",))
    (said,) = control_sentences(tested, heatmap)
    assert said == (
        "Attn. w9: the last token reads the subject in layers 0-1 more than a control span, and "
        "in layer 3 less (q < 0.05)."
    )
    below = replace(tested, difference=-np.abs(difference))
    (said,) = control_sentences(below, heatmap)
    assert "reads the subject in layers 0-1 and 3 less than a control span" in said


def test_a_control_that_one_prompt_has_says_nothing() -> None:
    run = controlled()
    cells = run.values()
    cells[1:, 3] = np.nan
    tested = against_controls(cells, ROWS)
    assert tested is not None
    assert np.isnan(tested.q[1]).all()
    assert not np.isnan(tested.q[0]).any()
    said = control_sentences(tested, run.heatmap())
    assert said[1] == "Attn.: fewer than two prompts have its control, Attn. control."


def test_groups_are_compared_two_by_two_or_each_with_all_others() -> None:
    cells = np.random.default_rng(0).normal(0, 0.1, (60, 2, 5))
    cells[20:40, 0, 1:3] += 0.3
    three = {"FA": cells[:20], "AH": cells[20:40], "UH": cells[40:]}
    found = between_groups(three, ("subj", "attn"))
    assert list(found) == [("FA", "AH"), ("FA", "UH"), ("AH", "UH")]
    np.testing.assert_allclose(
        found["FA", "AH"].p, permutation(cells[:20], cells[20:40]), atol=0.03
    )
    np.testing.assert_allclose(
        found["FA", "AH"].difference, cells[20:40].mean(axis=0) - cells[:20].mean(axis=0)
    )
    assert group_sentences(found, range(5), {"FA": "Right"}) == [
        "AH against Right: Subj. is higher in layers 1-2 (q < 0.05).",
        "UH against Right: no cell differs for sure (no q < 0.05).",
        "UH against AH: Subj. is lower in layers 1-2 (q < 0.05).",
    ]
    five = {f"{n}": cells[12 * n : 12 * (n + 1)] for n in range(5)}
    found = between_groups(five, ("subj", "attn"))
    assert list(found) == [("all others", str(n)) for n in range(5)]
    others = np.concatenate([cells[:24], cells[36:]])
    np.testing.assert_allclose(
        found["all others", "2"].difference, cells[24:36].mean(axis=0) - others.mean(axis=0)
    )
    assert between_groups({"FA": cells}, ("subj", "attn")) == {}


def test_the_summary_by_category_compares_the_categories() -> None:
    said = report(controlled(), by="category")
    assert (
        "## Between groups\n\n- Unassociated hallucinations against Factual associations: " in said
    )
    assert said.count("Tested against the control") == 1
    with_one = report(replace(controlled(1), records=controlled(1).records[:1]), by="category")
    assert "Between groups" not in with_one
    assert "interval" not in with_one, "one prompt has none"


def test_peaks_are_those_of_the_heatmap() -> None:
    run = controlled()
    heatmap, cells = run.heatmap(), run.values()
    said = peak_sentences(heatmap, cells)
    assert [line.split(",")[0] for line in said[:3]] == [
        f"{name}: peak at layer {heatmap.peaks()[at].layer}"
        for at, name in enumerate(("Subj.", "Attn.", "Last."))
    ]
    empty = np.where(np.arange(6)[:, None] == 3, np.nan, cells)
    assert len(peak_sentences(replace(heatmap, mean=heatmap.mean), empty)) == 5


def test_layers_are_written_as_people_do() -> None:
    every = range(8)
    assert spans(np.zeros(8, bool), every) == ""
    assert spans(np.arange(8) == 5, every) == "layer 5"
    assert spans(np.isin(np.arange(8), [0, 1, 2, 4, 6, 7]), every) == "layers 0-2, 4 and 6-7"
    # Every second layer is measured: those that follow on each other are one span.
    assert spans(np.isin(np.arange(8), [2, 4]), (0, 2, 4, 6)) == "layers 2-4"
