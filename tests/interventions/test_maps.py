"""Maps over all tokens: against one forward pass for each cell, and against the rows."""

import numpy as np
import pytest
from models import FAMILIES, LAYERS, random_batch, tiny

from mlxjsd.interventions import maps
from mlxjsd.interventions.cost import Shape, map_token_blocks
from mlxjsd.interventions.maps import sweep_maps
from mlxjsd.interventions.reference import reference_maps
from mlxjsd.interventions.spec import Batch
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.metrics import METRICS
from mlxjsd.settings import Settings

NUMBERS = tuple(METRICS)
BOTH = Settings(maps=("residual",), direction="both", metrics=NUMBERS)
BATCHES = {
    "noise": random_batch(size=3, starts=[2, 4, 3]),
    "samples": random_batch(size=2, samples=2, starts=[3, 2]),
    "swap": random_batch("swap", size=2, starts=[2, 4]),
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("family", FAMILIES)
def test_the_sweep_equals_one_pass_for_every_cell(family: str, batch: Batch) -> None:
    blocks = tiny(family)
    swept, plain = sweep_maps(blocks, batch, BOTH), reference_maps(blocks, batch, BOTH)
    assert swept.shape == (batch.size, 2, len(NUMBERS), batch.length, LAYERS)
    for at, metric in enumerate(NUMBERS):
        tolerance = 1e-5 if metric in ("jsd", "prob", "top1") else 1e-4
        np.testing.assert_allclose(swept[:, :, at], plain[:, :, at], atol=tolerance)
    assert plain[:, 0, 0, batch.end - 1].max() > 1e-3, "or this means nothing"
    assert plain[:, 1, 0, -1, 0].max() > 1e-3


@pytest.mark.parametrize("kind", ["noise", "swap"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_map_is_what_the_rows_say_where_they_meet(family: str, kind: str) -> None:
    blocks, batch = tiny(family), BATCHES[kind]
    found, rows = sweep_maps(blocks, batch, BOTH), sweep_batch(blocks, batch, BOTH)
    for at, name in enumerate(("last", "last:denoising")):
        row = rows.cells[:, :, rows.grid.rows.index(name)]
        np.testing.assert_allclose(found[:, at, :, -1], row, atol=1e-4)
    # Where a subject is one token, its row is that token's.
    alone = random_batch(kind, size=1, starts=[5])
    found, rows = sweep_maps(blocks, alone, BOTH), sweep_batch(blocks, alone, BOTH)
    for at, name in enumerate(("subj", "subj:denoising")):
        row = rows.cells[:, 0, rows.grid.rows.index(name)]
        np.testing.assert_allclose(found[:, at, 0, 5], row, atol=1e-5)


def test_in_front_of_the_subject_nothing_is_exchanged() -> None:
    batch = BATCHES["noise"]
    blocks = tiny("llama")
    found, rows = sweep_maps(blocks, batch, BOTH), sweep_batch(blocks, batch, BOTH)
    total = rows.whole[:, :, rows.grid.whole.index("total")]
    for row, start in enumerate(batch.starts):
        assert (found[row, 0, 0, :start] == 0).all(), "exactly"
        whole = np.broadcast_to(total[row][:, None, None], (len(NUMBERS), start, LAYERS))
        np.testing.assert_allclose(found[row, 1, :, :start], whole, atol=1e-4)
        # Nor does anything read a token after the last block but the last one's own state.
        assert found[row, 0, 0, start:-1, -1].max() < 1e-6
        np.testing.assert_allclose(found[row, 1, 0, start:-1, -1], total[row, 0], atol=1e-5)


def test_a_run_exchanged_with_itself_is_nothing() -> None:
    batch = random_batch("swap", size=2)
    same = Batch(batch.tokens, batch.starts, batch.end, source_tokens=batch.tokens)
    assert sweep_maps(tiny("gemma2"), same, BOTH)[:, :, 0].max() < 1e-6


def test_fewer_tokens_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, batch = tiny("llama"), BATCHES["noise"]
    whole = sweep_maps(blocks, batch, BOTH)
    assert maps.tokens_at_once(blocks, batch, BOTH) == batch.length - batch.first
    monkeypatch.setattr(maps, "PASS_BYTES", 1)
    assert maps.tokens_at_once(blocks, batch, BOTH) == 1
    np.testing.assert_allclose(sweep_maps(blocks, batch, BOTH), whole, atol=1e-4)


def test_layers_that_are_not_asked_for_are_not_measured() -> None:
    some = Settings(maps=("residual",), layers=(1, 3))
    blocks, batch = tiny("llama"), BATCHES["noise"]
    found, whole = (sweep_maps(blocks, batch, s) for s in (some, Settings(maps=("residual",))))
    np.testing.assert_allclose(found[..., [1, 3]], whole[..., [1, 3]], atol=1e-6)
    assert np.isnan(found[..., [0, 2, 4]]).all()
    plain = reference_maps(blocks, batch, some)
    np.testing.assert_array_equal(np.isnan(plain), np.isnan(found))


def test_a_map_costs_what_it_takes() -> None:
    shape = Shape(size=2, length=9, first=3, end=6, samples=2)
    one = Settings(maps=("residual",))
    swept, plain = map_token_blocks(shape, one, LAYERS)
    behind = sum(LAYERS - 1 - layer for layer in range(LAYERS))
    assert swept == 2 * 2 * sum(9 - token for token in range(3, 9)) * behind
    assert plain == 2 * 2 * 6 * LAYERS * 9 * LAYERS
    assert map_token_blocks(shape, BOTH, LAYERS) == (2 * swept, 2 * plain)
