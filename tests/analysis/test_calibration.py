"""Where one reliance lies among those of a run."""

import pytest

from mlxjsd.analysis.answers import Labels
from mlxjsd.analysis.calibration import ALIKE, place_among

LABELS = Labels(("FA", "FA", "AH", "UH", "UH", "UH", None, "FA"), 0.3, False)
LEAN = [0.2, 0.4, 0.5, 0.1, 0.2, 0.05, 0.9, float("nan")]


def test_it_is_placed_in_each_category_that_there_is() -> None:
    found = place_among(0.2, LEAN, LABELS, "a run")
    assert [(p.category, p.prompts) for p in found.places] == [("FA", 2), ("AH", 1), ("UH", 3)]
    # Of FA one is as high; of UH two are lower and one is as high.
    assert [p.below for p in found.places] == pytest.approx([0.25, 0.0, (2 + 0.5) / 3])
    assert found.places[0].quantiles == pytest.approx((0.25, 0.3, 0.35))


def test_it_says_what_it_cannot_tell() -> None:
    low, high = (place_among(x, LEAN, LABELS, "a run").sentences() for x in (0.2, 0.6))
    assert low[0] == (
        "Its reliance of 0.200 nats is higher than that of 25% of 2 FA (median 0.300), "
        "0% of 1 AH (median 0.500), 83% of 3 UH (median 0.100)."
    )
    assert low[1].startswith("If its answer is wrong, it is UH: the threshold")
    assert high[1].startswith("If its answer is wrong, it is AH: the threshold")
    assert ALIKE in low
    without = place_among(0.2, LEAN, Labels(LABELS.categories, None, False), "a run").sentences()
    assert len(without) == 2
    (nothing,) = place_among(float("nan"), LEAN, LABELS, "a run").sentences()
    assert "no reliance" in nothing
