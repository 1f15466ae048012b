"""Where layers, their numbers and the scale's stand, at every width."""

from itertools import pairwise

import pytest

from mlxjsd.output.columns import Columns, axis, places, point_axis, ticks, ticks_by_line

LAYERS = (1, 6, 32, 80, 126)
WIDTHS = (1, 2, 5, 13, 31, 40, 63, 66, 80, 127, 233)


@pytest.mark.parametrize("layers", LAYERS)
def test_the_layers_share_the_columns_evenly(layers: int) -> None:
    for width in range(layers, 3 * layers, 3):
        columns = Columns(layers, width)
        edges = [columns.span(layer)[0] for layer in range(layers)] + [width]
        assert edges == [int(i * width / layers + 0.5) for i in range(layers + 1)]
        assert [columns.layer_at(edge) for edge in edges[:-1]] == list(range(layers))
        assert columns.parts == 1


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("halves", [True, False])
def test_any_layer_can_be_shown_whatever_the_width(layers: int, halves: bool) -> None:
    for width in WIDTHS:
        for at in {0, layers // 3, layers - 1}:
            columns = Columns(layers, width, halves, at)
            assert at in columns.shown
            assert len(columns.parts_of) == width * columns.parts
            assert sorted(set(columns.parts_of)) == list(columns.shown)
            assert columns.count == min(layers, width * (1 + halves))
            start, end = columns.span(at)
            assert 0 <= start < end <= width


@pytest.mark.parametrize("layers", LAYERS)
def test_numbers_below_the_cells_never_touch(layers: int) -> None:
    for width in WIDTHS:
        for at in {0, layers // 3, layers - 1}:
            for halves in (True, False):
                columns = Columns(layers, width, halves, at)
                for marks in (axis(columns, at), point_axis(layers, width, at)):
                    assert all(m.start >= 0 and m.start + len(m.text) <= width for m in marks)
                    ends = [m.start + len(m.text) for m in marks]
                    assert all(m.start > end for m, end in zip(marks[1:], ends, strict=False))
                    if width >= 3:
                        assert at in [m.layer for m in marks]


def test_what_is_not_shown_is_counted() -> None:
    def said(at: int) -> list[str]:
        return [m.text for m in axis(Columns(126, 30, True, at), at) if m.layer is None]

    assert said(0) == ["+66▸"]
    assert said(63) == ["◂+33", "+33▸"]
    assert said(125) == ["◂+66"]
    assert not [m for m in axis(Columns(126, 63, True)) if m.layer is None]


@pytest.mark.parametrize(
    ("low", "high", "most", "said"),
    [
        (0.0, 0.4427, 5, "0.0 0.1 0.2 0.3 0.4"),
        (0.0, 0.4427, 4, "0.0 0.2 0.4"),
        (0.0, 0.4427, 2, "0.0 0.4"),
        (0.2, 0.6, 5, "0.2 0.3 0.4 0.5 0.6"),
        (-0.44, 0.44, 5, "-0.4 -0.2 0.0 +0.2 +0.4"),
        (0.0, 1e-3, 3, "0.0000 0.0004 0.0008"),
        (-25.0, 25.0, 5, "-20 -10 0 +10 +20"),
        (0.0, 3e38, 4, "0e+00 1e+38 2e+38 3e+38"),
        (0.0, 0.0, 4, ""),
        (0.0, float("nan"), 4, ""),
    ],
)
def test_ticks_are_round_and_even(low: float, high: float, most: int, said: str) -> None:
    found = ticks(low, high, most, signed=low < 0)
    assert " ".join(label for _, label in found) == said
    assert all(0 <= place <= 10 for place in places(found, low, high, 10))


@pytest.mark.parametrize(
    ("high", "last", "said"),
    [
        (0.488, 8, {0: "0.0", 3: "0.2", 7: "0.4"}),  # 0.1 and 0.2 would stand on lines 2 and 3
        (0.5, 10, {0: "0.0", 2: "0.1", 4: "0.2", 6: "0.3", 8: "0.4", 10: "0.5"}),
        (0.55, 5, {0: "0.0", 2: "0.2", 4: "0.4"}),
        (0.55, 1, {0: "0.0", 1: "0.4"}),
        (0.0, 8, {}),
    ],
)
def test_ticks_stand_on_lines_that_are_evenly_apart(high: float, last: int, said: dict) -> None:
    assert ticks_by_line(0.0, high, last) == said


@pytest.mark.parametrize("low", [0.0, -0.3, -7.0])
def test_no_two_gaps_of_ticks_look_different(low: float) -> None:
    for high in (0.05, 0.31, 0.488, 0.69, 3.7):
        for last in range(1, 60):
            lines = list(ticks_by_line(low, high, last, low < 0))
            gaps = [after - before for before, after in pairwise(lines)]
            even = len(gaps) < 2 or (min(gaps) > 1 and max(gaps) <= 1.5 * min(gaps))
            assert even or (low < 0 and last < 8)  # 0 has no line in the middle there
            assert last < 8 or len(lines) > 1
