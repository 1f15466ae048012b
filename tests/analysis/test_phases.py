import numpy as np
import pytest

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.phases import crossover, describe, phases, reading, reading_table

PUBLISHED = np.array(
    [
        [0.6] * 16 + [0.5, 0.45, 0.35, 0.28, 0.27, 0.26] + [0.2] * 10,
        [0.2] * 11 + [0.26, 0.31, 0.37, 0.38, 0.37, 0.34, 0.31, 0.26] + [0.2] * 13,
        [0.2] * 11 + [0.22, 0.225, 0.23, 0.235, 0.24, 0.25] + [0.4] * 14 + [0.55],
    ]
)
"""Read off Figure 2a of arXiv 2510.09033, within 0.05."""


def heatmap(mean: np.ndarray, *rows: str, metric: str = "jsd") -> Heatmap:
    named = rows or ("subj", "attn", "last")
    return Heatmap(mean, np.full_like(mean, np.nan), 1, rows=named, metric=metric)


def test_the_published_figure_reads_as_published() -> None:
    assert reading_table(heatmap(PUBLISHED)) == [
        ("Subj.", "early (0-15)", "0.60 (layer 0)", "late (22-31)"),
        ("Attn.", "middle (11-18)", "0.38 (layer 14)", "early and late (0-10, 19-31)"),
        ("Last.", "late (17-31)", "0.55 (layer 31)", "early (0-10)"),
    ]
    assert crossover(PUBLISHED[0], PUBLISHED[2]) == 18


@pytest.mark.parametrize("seed", range(20))
def test_noise_moves_a_phase_by_little(seed: int) -> None:
    noisy = PUBLISHED + np.random.default_rng(seed).normal(0, 0.01, PUBLISHED.shape)
    subj, attn, last = (phases(row) for row in noisy)
    assert len(subj.high) == len(attn.high) == len(last.high) == 1
    assert subj.high[0][0] == 0
    assert abs(subj.high[0][1] - 15) <= 1
    assert abs(attn.high[0][0] - 11) <= 2
    assert abs(attn.high[0][1] - 18) <= 2
    assert abs(last.high[0][0] - 17) <= 1
    assert last.high[0][1] == 31
    assert subj.low[-1][1] >= 30
    assert last.low[0][0] <= 1


def test_one_odd_layer_makes_no_phase() -> None:
    row = np.full(20, 0.1)
    row[7] = 0.6
    found = phases(row)
    assert (found.peak, found.peak_layer) == (0.6, 7)
    assert found.high == ()


def test_a_flat_row_is_low_everywhere() -> None:
    found = phases(np.full(8, 0.3))
    assert found.high == ()
    assert describe(found.low, 8) == "all (0-7)"


def test_cells_without_a_number_belong_to_no_phase() -> None:
    row = np.concatenate([np.full(8, 0.5), np.full(8, 0.1)])
    row[2:4] = np.nan
    found = phases(row)
    assert all(not a <= 3 <= b for a, b in found.high + found.low)
    with pytest.raises(ValueError, match="no number"):
        phases(np.full(4, np.nan))


@pytest.mark.parametrize("layers", [1, 2, 3, 6, 80])
def test_any_depth_can_be_read(layers: int) -> None:
    mean = np.random.default_rng(0).random((3, layers)) * 0.69
    assert len(reading(heatmap(mean))) == 3
    assert len(reading_table(heatmap(mean))) == 3


def test_last_that_never_leads_has_no_crossover() -> None:
    mean = np.stack([np.full(8, 0.5), np.zeros(8), np.linspace(0, 0.4, 8)])
    assert crossover(mean[0], mean[2]) is None
    assert "never more than the subject" in reading(heatmap(mean))[2]
    mean[2] = 0.6
    assert crossover(mean[0], mean[2]) == 0


def test_a_heatmap_of_some_rows_reads_as_far_as_it_goes() -> None:
    subj, attn, last = reading(heatmap(PUBLISHED))
    assert "from layer 18 on (56 % of the depth) it matters more than the subject" in last
    assert reading(heatmap(PUBLISHED[1:2], "attn")) == [attn]
    assert reading(heatmap(PUBLISHED[2:], "last")) == ["The last token carries it in layers 17-31."]
    assert reading(heatmap(PUBLISHED[[2, 0]], "last", "subj")) == [subj, last]
    assert reading_table(heatmap(PUBLISHED[1:2], "attn")) == [
        ("Attn.", "middle (11-18)", "0.38 (layer 14)", "early and late (0-10, 19-31)")
    ]


def test_a_row_that_the_figure_does_not_have_is_in_the_table_alone() -> None:
    found = heatmap(np.vstack([PUBLISHED, PUBLISHED[:1]]), "subj", "attn", "last", "mlp")
    assert reading(found) == reading(heatmap(PUBLISHED))
    assert reading_table(found)[3] == ("mlp", "early (0-15)", "0.60 (layer 0)", "late (22-31)")


def test_only_divergences_are_read() -> None:
    other = heatmap(PUBLISHED, metric="lift")
    assert (reading(other), reading_table(other)) == ([], [])
