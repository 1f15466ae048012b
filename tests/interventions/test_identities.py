"""The identities that the numbers must keep to, on several families."""

import mlx.core as mx
import numpy as np
import pytest
from models import FAMILIES, LAYERS, VOCABULARY, begun_alike, random_batch, rows_of, tiny
from records import ATTN, LAST, SUBJ

from mlxjsd.interventions import spec as interventions
from mlxjsd.interventions.divergence import MAX_DIVERGENCE, js_divergence
from mlxjsd.interventions.reference import _patch, recorded_runs, reference_batch
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.stepping import BlockCall
from mlxjsd.settings import Settings

SETTINGS = Settings(window=3)


@pytest.fixture(scope="module", params=FAMILIES)
def blocks(request: pytest.FixtureRequest) -> Blocks:
    return tiny(request.param)


def assert_same(a: Measurement, b: Measurement, tolerance: float = 1e-5) -> None:
    for name in ("jsd", "reliance", "floor", "probability"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=tolerance, rtol=0)
    np.testing.assert_allclose(a.entropy, b.entropy, atol=1e-4, rtol=0)
    np.testing.assert_array_equal(a.prediction, b.prediction)
    np.testing.assert_allclose(a.norms, b.norms, rtol=1e-5)
    np.testing.assert_allclose(a.directions, b.directions, atol=1e-5)


SHAPES = {
    "one prompt": random_batch(size=1),
    "several starts": random_batch(size=4, starts=[1, 4, 2, 5]),
    "as many as key heads": random_batch(size=2),
    "as many as heads": random_batch(size=4, end=7, seed=3),
    "tail of one": random_batch(size=3, length=7, end=6),
    "long tail": random_batch(size=2, length=12, end=3),
    "subject at the front": random_batch(size=2, starts=[0, 2]),
    "samples": random_batch(size=2, samples=3),
    "samples, tail of one": random_batch(size=2, samples=2, length=6, end=5),
    "swap": random_batch("swap", size=3),
    "swap, tail of one": random_batch("swap", size=2, length=5, end=4),
}


@pytest.mark.parametrize("batch", SHAPES.values(), ids=SHAPES.keys())
def test_the_sweep_equals_one_pass_for_every_cell(blocks: Blocks, batch: Batch) -> None:
    swept, plain = sweep_batch(blocks, batch, SETTINGS), reference_batch(blocks, batch, SETTINGS)
    assert_same(swept, plain)
    assert plain.jsd[:, SUBJ].max() > 1e-3, "the edits must matter for this to mean anything"
    assert plain.reliance.max() > 1e-3


@pytest.mark.parametrize("kind", ["noise", "swap"])
@pytest.mark.parametrize("end", [5, 8])
def test_a_shared_beginning_is_run_once(
    blocks: Blocks, kind: str, end: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begun_alike(random_batch(kind, size=4, end=end, starts=[3, 4, 3, 4]))
    assert batch.shared == 0, "too little to pay"
    apart = sweep_batch(blocks, batch, SETTINGS)
    monkeypatch.setattr(interventions, "SHARED_TOKENS", 9)
    assert batch.shared == 3
    assert rows_of(batch, [0, 1]).shared == 0
    shared = sweep_batch(blocks, batch, SETTINGS)
    assert_same(shared, apart)
    assert_same(shared, reference_batch(blocks, batch, SETTINGS))


@pytest.mark.parametrize("window", [0, 1, 4, 99])
def test_the_sweep_equals_the_reference_for_every_window(blocks: Blocks, window: int) -> None:
    batch, settings = SHAPES["several starts"], Settings(window=window)
    assert_same(sweep_batch(blocks, batch, settings), reference_batch(blocks, batch, settings))


def test_values_are_bounded(blocks: Blocks) -> None:
    jsd = sweep_batch(blocks, random_batch(), SETTINGS).jsd
    assert (jsd >= 0).all()
    assert (jsd <= MAX_DIVERGENCE + 1e-6).all()


def test_the_null_branch_is_zero(blocks: Blocks) -> None:
    assert sweep_batch(blocks, random_batch(), SETTINGS).floor.max() < 1e-6


@pytest.mark.parametrize("kind", ["noise", "swap"])
def test_last_at_the_last_layer_is_the_total_effect(blocks: Blocks, kind: str) -> None:
    batch = random_batch(kind)
    clean = blocks.model(mx.array(batch.tokens))[:, -1]
    _, corrupted = recorded_runs(blocks, batch)
    total = np.array(js_divergence(clean, corrupted.logits[:, 0]))
    np.testing.assert_allclose(
        sweep_batch(blocks, batch, SETTINGS).jsd[:, LAST, -1], total, atol=1e-5
    )


def test_subj_at_the_last_layer_is_zero(blocks: Blocks) -> None:
    assert sweep_batch(blocks, random_batch(), SETTINGS).jsd[:, SUBJ, -1].max() < 1e-6


@pytest.mark.parametrize("layer", [0, 2, LAYERS - 1])
def test_patching_every_token_is_the_total_effect_and_itself_nothing(
    blocks: Blocks, layer: int
) -> None:
    batch = random_batch()
    tokens = mx.array(batch.tokens)
    everywhere = mx.ones(tokens.shape, mx.bool_)
    clean, corrupted = recorded_runs(blocks, batch)
    patched = blocks.run(tokens, _patch(layer, everywhere, corrupted.states[layer]))
    np.testing.assert_allclose(
        js_divergence(clean.logits, patched[:, -1:]),
        js_divergence(clean.logits, corrupted.logits),
        atol=1e-6,
    )
    same = blocks.run(tokens, _patch(layer, everywhere, clean.states[layer]))
    assert js_divergence(clean.logits, same[:, -1:]).max().item() < 1e-6


def test_an_empty_window_changes_nothing(blocks: Blocks) -> None:
    assert sweep_batch(blocks, random_batch(), Settings(window=0)).jsd[:, ATTN].max() < 1e-6


def test_the_whole_window_is_the_reliance_of_a_tail_of_one(blocks: Blocks) -> None:
    out = sweep_batch(blocks, random_batch(length=7, end=6), Settings(window=2 * LAYERS + 1))
    np.testing.assert_allclose(out.jsd[:, ATTN], out.reliance[:, None].repeat(LAYERS, 1), atol=1e-6)


@pytest.mark.parametrize("kind", ["noise", "swap"])
def test_numbers_do_not_depend_on_the_batch(blocks: Blocks, kind: str) -> None:
    batch = random_batch(kind, size=5, samples=2 if kind == "noise" else 1)
    together = sweep_batch(blocks, batch, SETTINGS)
    order = [3, 0, 4, 2, 1]
    shuffled = sweep_batch(blocks, rows_of(batch, order), SETTINGS)
    for row in range(batch.size):
        alone = sweep_batch(blocks, rows_of(batch, [row]), SETTINGS)
        np.testing.assert_allclose(alone.jsd[0], together.jsd[row], atol=1e-5)
        np.testing.assert_allclose(alone.jsd[0], shuffled.jsd[order.index(row)], atol=1e-5)
        np.testing.assert_allclose(alone.reliance[0], together.reliance[row], atol=1e-5)


def test_logits_are_bit_identical_after_a_sweep(blocks: Blocks) -> None:
    tokens = mx.array(random_batch().tokens)
    before = np.array(blocks.model(tokens))
    classes = [type(block) for block in blocks.blocks]
    sweep_batch(blocks, random_batch(), SETTINGS)
    np.testing.assert_array_equal(np.array(blocks.model(tokens)), before)
    assert [type(block) for block in blocks.blocks] == classes


def test_stepping_without_an_edit_gives_equal_logits(blocks: Blocks) -> None:
    tokens = mx.array(random_batch().tokens)
    stepped = blocks.run(tokens, lambda call: call.forward(call.x, call.mask))
    np.testing.assert_array_equal(np.array(stepped), np.array(blocks.model(tokens)))


def test_a_model_is_as_before_after_an_exception(blocks: Blocks) -> None:
    tokens = mx.array(random_batch().tokens)
    before = np.array(blocks.model(tokens))

    def fail(call: BlockCall) -> mx.array:
        if call.index == 2:
            raise RuntimeError("in the middle")
        return call.forward(call.x, call.mask)

    with pytest.raises(RuntimeError, match="in the middle"):
        blocks.run(tokens, fail)
    np.testing.assert_array_equal(np.array(blocks.model(tokens)), before)
    assert_same(
        sweep_batch(blocks, random_batch(), SETTINGS),
        reference_batch(blocks, random_batch(), SETTINGS),
    )


def test_readout_in_pieces_gives_the_same(blocks: Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sweep_batch(blocks, random_batch(), SETTINGS)
    monkeypatch.setattr("mlxjsd.interventions.sweep.READOUT_ELEMENTS", 4 * VOCABULARY)
    assert_same(sweep_batch(blocks, random_batch(), SETTINGS), whole, 1e-6)
