import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from models import HIDDEN, LAYERS, random_batch, tiny

from mlxjsd.errors import MeasurementError, UnsupportedModel
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.masks import hide_keys, suffix_mask
from mlxjsd.model.stepping import BlockCall
from mlxjsd.model.streams import Streams


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
        ([0, 0, 1, 2, 3, 4], "block 0 was called twice"),
        ([0, 1, 2, 3, 4, 4], "block 4 was called twice"),
        ([1, 0, 2, 3, 4], "block 1 was called where block 0 was due"),
    ],
)
def test_a_model_that_skips_or_repeats_a_block_is_found_out(order: list[int], message: str) -> None:
    blocks = Blocks(_Leaky(order))
    assert len(blocks) == LAYERS
    with pytest.raises(MeasurementError, match=message):
        blocks.run(mx.array([[1, 2, 3]]), lambda call: call.forward(call.x, call.mask))


def test_a_block_that_changes_shape_is_named() -> None:
    class Wider(nn.Module):
        def __call__(self, x: mx.array, mask: object = None, cache: object = None) -> mx.array:
            return mx.concatenate([x, x], axis=-1)

    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [Wider(), Wider()]

        def __call__(self, tokens: mx.array) -> mx.array:
            x = mx.zeros((*tokens.shape, 4))
            for layer in self.layers:
                x = layer(x)
            return x

    said = r"block 0 \(Wider\) does not return states: given \(1, 3, 4\), it returns \(1, 3, 8\)"
    with pytest.raises(UnsupportedModel, match=said):
        Blocks(Changing()).run(mx.array([[1, 2, 3]]), lambda call: call.forward(call.x, None))


def test_a_block_that_was_not_restored_is_named_and_the_others_are() -> None:
    blocks, tokens = tiny("llama"), mx.array([[1, 2, 3]])
    ours = [type(block) for block in blocks.blocks]

    class Stuck(type(blocks.blocks[2])):
        """Does not let its class be taken from it."""

        def __setattr__(self, name: str, value: object) -> None:
            if name == "__class__" and type(self) is Stuck:
                raise TypeError("not me")
            super().__setattr__(name, value)

    def visit(call: BlockCall) -> mx.array:
        if call.index == 2:
            blocks.blocks[2].__class__ = Stuck
        return call.x

    with pytest.raises(MeasurementError, match="block 2 was not restored after a pass"):
        blocks.run(tokens, visit)
    with pytest.raises(MeasurementError, match="block 2 is not as it was loaded; load the model"):
        blocks.run(tokens, lambda call: call.x)
    assert [type(b) for i, b in enumerate(blocks.blocks) if i != 2] == ours[:2] + ours[3:]
    object.__setattr__(blocks.blocks[2], "__class__", ours[2])
    blocks.run(tokens, lambda call: call.x)


def test_blocks_are_restored_when_a_visit_raises() -> None:
    blocks, tokens = tiny("llama"), mx.array([[1, 2, 3]])
    before = np.array(blocks.model(tokens))
    with pytest.raises(ZeroDivisionError):
        blocks.run(tokens, lambda call: call.x / 0 if call.index < 3 else 1 // 0)
    np.testing.assert_array_equal(before, np.array(blocks.model(tokens)))


def test_a_block_that_was_put_in_anothers_place_is_named() -> None:
    blocks, tokens = tiny("llama"), mx.array([[1, 2, 3]])
    layers = blocks.model.model.layers
    layers[3] = tiny("llama", seed=1).blocks[3]
    with pytest.raises(MeasurementError, match="block 3 was replaced by another one"):
        blocks.run(tokens, lambda call: call.x)
    layers[3] = blocks.blocks[3]
    layers.append(blocks.blocks[3])
    with pytest.raises(MeasurementError, match="has 6 blocks now"):
        blocks.run(tokens, lambda call: call.x)


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
    streams = Streams.of(x, (rows, tokens))
    folded = streams.fold(x)
    assert folded.shape == (rows, tokens, count * hidden)
    np.testing.assert_array_equal(folded, lying.flatten(2))
    assert np.array_equal(streams.unfold(folded[:, 1:]), mx.moveaxis(lying[:, 1:], 2, axis))
    with pytest.raises(UnsupportedModel, match="not one of states"):
        Streams.of(mx.zeros((3, 3, 3, 4)), (3, 3))
