"""What the sweep and the reference share, against expectations written by hand.

A mistake in one of these would be made by both, and so no comparison of the two would show it.
"""

from types import SimpleNamespace

import mlx.core as mx
import numpy as np
import pytest
from models import tiny

from mlxjsd.interventions.common import (
    applicable,
    clean_numbers,
    last_direction,
    put_unedited,
    room_for_maps,
    subject_norms,
)
from mlxjsd.interventions.spec import Batch, blocks_of, knockout_blocks
from mlxjsd.model.anatomy import Anatomy, BlockAnatomy
from mlxjsd.records import Grid
from mlxjsd.rows import ATTN, FLOOR, LAST, RELIANCE, SUBJ
from mlxjsd.settings import Settings

LAYERS = 12
#: The first and the last block of each window, for layers 0, 1, 5, 10 and 11 of 12 blocks.
BLOCKS = {
    1: [(0, 0), (1, 1), (5, 5), (10, 10), (11, 11)],
    2: [(0, 0), (0, 1), (4, 5), (9, 10), (10, 11)],
    3: [(0, 1), (0, 2), (4, 6), (9, 11), (10, 11)],
    4: [(0, 1), (0, 2), (3, 6), (8, 11), (9, 11)],
    5: [(0, 2), (0, 3), (3, 7), (8, 11), (9, 11)],
    6: [(0, 2), (0, 3), (2, 7), (7, 11), (8, 11)],
    7: [(0, 3), (0, 4), (2, 8), (7, 11), (8, 11)],
    8: [(0, 3), (0, 4), (1, 8), (6, 11), (7, 11)],
    9: [(0, 4), (0, 5), (1, 9), (6, 11), (7, 11)],
    10: [(0, 4), (0, 5), (0, 9), (5, 11), (6, 11)],
    11: [(0, 5), (0, 6), (0, 10), (5, 11), (6, 11)],
}


@pytest.mark.parametrize("window", BLOCKS)
def test_a_window_is_so_many_blocks_around_a_layer(window: int) -> None:
    found = [knockout_blocks(layer, window, LAYERS) for layer in (0, 1, 5, 10, 11)]
    assert [(blocks[0], blocks[-1]) for blocks in found] == BLOCKS[window]
    assert len(knockout_blocks(50, window, 99)) == window


def test_an_empty_window_has_no_block() -> None:
    assert list(knockout_blocks(5, 0, LAYERS)) == []
    assert list(knockout_blocks(5, 0, LAYERS, rule=1)) == []


def test_runs_of_older_versions_keep_their_even_windows() -> None:
    assert knockout_blocks(5, 2, LAYERS, rule=1) == range(4, 7)
    assert knockout_blocks(5, 10, LAYERS, rule=1) == range(11)
    for odd in (1, 3, 5, 7):
        assert knockout_blocks(5, odd, LAYERS, rule=1) == knockout_blocks(5, odd, LAYERS)
    assert Settings.from_json({"window": 4}).window_rule == 1
    assert Settings.from_json({"window": 5}).window_rule == 2
    assert Settings(window=4).window_rule == 2


def test_the_blocks_of_each_row() -> None:
    settings = Settings(window=3)
    assert blocks_of(ATTN, 5, settings, LAYERS) == range(4, 7)
    assert blocks_of(RELIANCE, 0, settings, LAYERS) == range(12)
    for row in (SUBJ, LAST, FLOOR):
        assert not blocks_of(row, 5, settings, LAYERS)


def test_where_tokens_stand() -> None:
    tokens = np.zeros((2, 6), np.int32)
    batch = Batch(tokens, np.array([1, 2]), 4, source_tokens=tokens)
    assert batch.mask("subject").astype(int).tolist() == [[0, 1, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0]]
    assert batch.mask("tail").astype(int).tolist() == [[0, 0, 0, 0, 1, 1]] * 2
    assert batch.mask("last").astype(int).tolist() == [[0, 0, 0, 0, 0, 1]] * 2


def test_maps_are_filled_in_where_both_runs_are_the_same() -> None:
    tokens = np.zeros((2, 4), np.int32)
    batch = Batch(tokens, np.array([1, 2]), 3, source_tokens=tokens)
    grid = Grid(3, ("jsd", "kl"), only=(0, 2), maps=("residual", "residual:denoising"))
    found = room_for_maps(grid, batch, tiny("llama"), Settings())
    assert found.shape == (2, 2, 2, 4, 3)
    put_unedited(found, grid, batch, np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]]))
    nan = np.nan
    assert found[0, 0, 0, :, 0].tolist() == [1, 0, 0, 0], "in front of the first subject"
    assert found[1, 0, 1, :, 2].tolist() == [4, 4, 0, 0]
    assert found[0, 1, 1, :, 0].tolist() == [6, 0, 0, 0], "restored, it is the corrupted run's"
    assert found[1, 1, 0, :, 2].tolist() == [7, 7, 0, 0]
    np.testing.assert_array_equal(found[..., 1], np.full((2, 2, 2, 4), nan))


def test_norms_are_means_over_the_subject() -> None:
    states = mx.array([[[3.0, 4.0], [6.0, 8.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 2.0], [5.0, 12.0]]])
    subject = mx.array([[True, True, False], [False, False, True]])
    assert subject_norms(states, subject).tolist() == [7.5, 13.0]


def test_directions_are_of_the_last_token_and_of_length_one() -> None:
    states = mx.array([[[9.0, 9.0], [3.0, 4.0]], [[9.0, 9.0], [0.0, 0.0]]])
    np.testing.assert_allclose(last_direction(states), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)


def test_numbers_of_a_clean_run() -> None:
    # Probabilities 1/2, 1/4, 1/4 and 1/8 (seven times less one), by hand.
    logits = np.log(np.array([[[0.25, 0.5, 0.25, 0.0]], [[0.125, 0.125, 0.25, 0.5]]]) + 1e-30)
    found = clean_numbers(mx.array(logits.astype(np.float32) + 7.0))
    assert found["prediction"].tolist() == [1, 3]
    np.testing.assert_allclose(found["probability"], [0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found["entropy"], np.log(2) * np.array([1.5, 1.75]), rtol=1e-6)


def test_a_knockout_applies_where_a_block_of_its_window_attends() -> None:
    grid, settings = Grid(5), Settings(window=3)
    kinds = [False, False, False, True, False]
    anatomy = Anatomy(tuple(BlockAnatomy(attends) for attends in kinds))
    tokens = np.zeros((1, 6), np.int32)
    batch = Batch(tokens, np.array([1]), 4, source_tokens=tokens)

    def applies(anatomy: Anatomy, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
        cells, whole = applicable(grid, SimpleNamespace(anatomy=anatomy), settings, batch)
        return cells[0], whole[0]

    cells, whole = applies(anatomy, settings)
    assert grid.rows == ("subj", "attn", "last")
    assert cells.tolist() == [[True] * 5, [False, False, True, True, True], [True] * 5]
    assert dict(zip(grid.whole, whole.tolist(), strict=True)) == {
        **{"floor": True, "reliance": True, "total": True}
    }
    nothing = Anatomy(tuple(BlockAnatomy(False) for _ in kinds))
    cells, whole = applies(nothing, settings)
    assert cells.tolist() == [[True] * 5, [False] * 5, [True] * 5]
    assert dict(zip(grid.whole, whole.tolist(), strict=True)) == {
        **{"floor": True, "reliance": False, "total": True}
    }
    cells, _ = applies(nothing, Settings(window=0))
    assert cells.all(), "an empty window edits nothing, wherever it is"
