import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from models import HIDDEN, LAYERS, random_batch, tiny

from mlxjsd.blocks import BlockCall, Blocks, _Streams
from mlxjsd.errors import MeasurementError, UnsupportedModel
from mlxjsd.masks import hide_keys, suffix_mask


def test_scores_are_of_rank_five_where_query_heads_are_grouped() -> None:
    for family, rank in {"gemma2": 5, "llama": 4}.items():
        assert {block.rank for block in tiny(family).anatomy.blocks} == {rank}


def test_embedding_stops_before_the_first_block() -> None:
    blocks = tiny("gemma2")
    tokens = mx.array(random_batch().tokens)
    expected = blocks.model.model.embed_tokens(tokens) * HIDDEN**0.5
    np.testing.assert_allclose(blocks.embed(tokens), expected, rtol=1e-6)


def test_readout_is_the_models_own_norm_and_head() -> None:
    blocks = tiny("gemma2")
    tokens = mx.array(random_batch().tokens)
    seen = []

    def visit(call: BlockCall) -> mx.array:
        seen.append(call.forward(call.x, call.mask))
        return seen[-1]

    logits = blocks.run(tokens, visit)
    np.testing.assert_allclose(blocks.readout(seen[-1]), logits, atol=1e-6)


class _Leaky(nn.Module):
    """A model that does not call its blocks once each, in order."""

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.inner = tiny("llama").model
        self.order = order

    @property
    def layers(self) -> list[nn.Module]:
        return self.inner.layers

    def __call__(self, tokens: mx.array) -> mx.array:
        x = self.inner.model.embed_tokens(tokens)
        for index in self.order:
            x = self.layers[index](x, "causal", None)
        return x


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([0, 1, 2, 3], "block 4 was not called"),
        ([0, 0, 1, 2, 3, 4], "block 0 was called where block 1 was due"),
        ([1, 0, 2, 3, 4], "block 1 was called where block 0 was due"),
    ],
)
def test_a_model_that_skips_or_repeats_a_block_is_found_out(order: list[int], message: str) -> None:
    blocks = Blocks(_Leaky(order))
    assert len(blocks) == LAYERS
    with pytest.raises(MeasurementError, match=message):
        blocks.run(mx.array([[1, 2, 3]]), lambda call: call.forward(call.x, call.mask))


def test_stepping_through_a_model_twice_at_once_is_refused() -> None:
    blocks = tiny("llama")
    tokens = mx.array([[1, 2, 3]])
    with pytest.raises(MeasurementError, match="already"):
        blocks.run(tokens, lambda call: blocks.embed(tokens))
    blocks.run(tokens, lambda call: call.x)


def test_models_without_blocks_that_attend_are_refused() -> None:
    class Plain(nn.Module):
        pass

    with pytest.raises(UnsupportedModel, match="does not list its blocks"):
        Blocks(Plain())
    model = Plain()
    model.layers = [nn.Linear(2, 2)]
    with pytest.raises(UnsupportedModel, match="does not take a mask or a cache"):
        Blocks(model)
    shared = tiny("llama").blocks[0]
    model.layers = [shared, shared]
    with pytest.raises(UnsupportedModel, match="one block at several depths"):
        Blocks(model)


@pytest.mark.parametrize("rank", [4, 5])
def test_hiding_keys_keeps_the_mask_that_was_given(rank: int) -> None:
    hidden = mx.array([[[False, True, False, False]], [[False, False, True, False]]])
    total, start = 4, 3
    causal = mx.tril(mx.ones((total, total), mx.bool_))
    window = causal & mx.logical_not(mx.tril(mx.ones((total, total), mx.bool_), -3))
    for given in (None, "causal", causal, window):
        mask = hide_keys(suffix_mask(given, start, total), hidden, rank)
        assert mask.ndim == rank
        seen = np.array(mask).reshape(2, 4)
        np.testing.assert_array_equal(seen[:, 1:3], [[False, True], [True, False]])
        assert seen[:, 0].tolist() == [given is not window] * 2
    additive = mx.where(causal, 0.0, -1e9)
    mask = hide_keys(suffix_mask(additive, start, total), hidden, rank)
    assert np.array(mask).reshape(2, 4)[0, 1] < -1e30
    assert np.array(mask).reshape(2, 4)[0, 0] == 0


def test_an_unknown_word_for_a_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown mask"):
        hide_keys("sideways", mx.zeros((1, 1, 2), mx.bool_))


@pytest.mark.parametrize("axis", [0, 2])
def test_several_streams_of_a_token_are_one_state(axis: int) -> None:
    rows, tokens, hidden, count = 2, 3, 4, 5
    lying = mx.random.normal((rows, tokens, count, hidden))
    x = mx.moveaxis(lying, 2, axis)
    streams = _Streams.of(x, (rows, tokens))
    folded = streams.fold(x)
    assert folded.shape == (rows, tokens, count * hidden)
    np.testing.assert_array_equal(folded, lying.flatten(2))
    assert np.array_equal(streams.unfold(folded[:, 1:]), mx.moveaxis(lying[:, 1:], 2, axis))
    with pytest.raises(UnsupportedModel, match="not one of states"):
        _Streams.of(mx.zeros((3, 3, 3, 4)), (3, 3))
