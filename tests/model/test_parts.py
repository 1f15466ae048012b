"""Attention and MLP of each block: found by running it, recorded, exchanged."""

import importlib.util
from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from families import tiny_family
from models import FAMILIES, tiny
from part_families import BEHIND_NORMS, MEASURED, MIXERS, NO_PARTS, SCALED, SINGLE

from mlxjsd.errors import MeasurementError
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.masks import suffix_mask
from mlxjsd.model.parts import ATTENTION, MIXER, MLP
from mlxjsd.model.stepping import BlockCall, Recorder

KINDS = {ATTENTION, MLP, MIXER}
#: Other tokens, and more of them, than those by which parts are found.
TOKENS = mx.random.randint(0, 90, (3, 9), key=mx.random.key(11))


def recorded(blocks: Blocks, tokens: mx.array = TOKENS) -> mx.array:
    """The logits of a pass with all parts recorded, which must add up in each block."""
    parts = blocks.parts

    def visit(call: BlockCall) -> mx.array:
        outputs: dict[str, mx.array] = {}

        def recorder(kind: str) -> Callable[[mx.array], mx.array]:
            def edit(output: mx.array) -> mx.array:
                outputs[kind] = output
                return output

            return edit

        found = parts.blocks[call.index]
        with parts.edited(call.index, {kind: recorder(kind) for kind in found}):
            out = call.forward(call.x, call.mask)
        size = max(float(mx.abs(out).max()), float(mx.abs(call.x).max()))
        added = parts.left(call.index, call.x, outputs)
        np.testing.assert_allclose(added, out, atol=1e-6 * size, rtol=0)
        return out

    return blocks.run(tokens, visit)


def without_parts(blocks: Blocks) -> None:
    """Every block must give what it is given, once its parts give nothing."""
    parts = blocks.parts

    def visit(call: BlockCall) -> mx.array:
        edits = dict.fromkeys(parts.blocks[call.index], mx.zeros_like)
        with parts.edited(call.index, edits):
            out = call.attempt(call.x, call.mask)
        np.testing.assert_array_equal(out, call.x * parts.carried[call.index])
        return call.forward(call.x, call.mask)

    blocks.run(TOKENS, visit)


def assert_parts_are_all(blocks: Blocks) -> None:
    before = np.array(blocks.model(TOKENS))
    np.testing.assert_array_equal(recorded(blocks), before)
    without_parts(blocks)
    np.testing.assert_array_equal(blocks.model(TOKENS), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parts_of_a_block_are_all_that_it_adds(family: str) -> None:
    blocks = tiny(family)
    assert blocks.parts.trouble is None
    assert all(set(found) == {ATTENTION, MLP} for found in blocks.parts.blocks)
    assert_parts_are_all(blocks)


@pytest.mark.slow
@pytest.mark.parametrize("family", MEASURED)
def test_the_parts_of_every_family(family: str) -> None:
    if importlib.util.find_spec(f"mlx_lm.models.{family}") is None:
        pytest.skip("this MLX-LM does not have it yet")
    blocks = Blocks(tiny_family(family))
    parts = blocks.parts
    assert (parts.trouble is not None) == (family in NO_PARTS), parts.trouble
    if parts.trouble is not None:
        assert parts.missing(MLP) == parts.trouble
        assert not parts.applies(ATTENTION, range(len(blocks)))
        return
    found = [part for block in parts.blocks for part in block.values()]
    assert any(part.module != part.source for part in found) == (family in BEHIND_NORMS)
    assert any(part.scale != 1 for part in found) == (family in SCALED)
    assert any(part.kind == MIXER for part in found) == (family in MIXERS)
    assert {len(block) for block in parts.blocks} == {1 if family in SINGLE else 2}
    for block, known in zip(parts.blocks, blocks.anatomy.blocks, strict=True):
        assert (ATTENTION in block) == known.attends
    assert_parts_are_all(blocks)


@pytest.mark.parametrize("family", ["llama", "llama-sliding", "gemma2", "mixtral"])
def test_parts_of_a_suffix_over_a_prefix_are_those_of_the_whole(family: str) -> None:
    blocks, start, total = tiny(family), 5, TOKENS.shape[1]
    parts = blocks.parts

    def visit(call: BlockCall) -> mx.array:
        seen: list[mx.array] = []

        def edit(output: mx.array) -> mx.array:
            seen.append(output)
            return output

        kept = Recorder()
        with parts.edited(call.index, {MLP: edit}):
            out = call.forward(call.x, call.mask, kept)
            assert kept.state is not None
            prefix = Recorder(start, [state[:, :, :] for state in kept.state])
            mask = suffix_mask(call.mask, start, total)
            call.attempt(call.x[:, start:], mask, prefix, start)
        whole, suffix = seen
        size = float(mx.abs(whole).max())
        np.testing.assert_allclose(suffix, whole[:, start:], atol=2e-6 * size, rtol=0)
        return out

    blocks.run(TOKENS, visit)


def test_an_edit_changes_its_part_alone() -> None:
    blocks = tiny("llama")
    block, parts = blocks.blocks[2], blocks.parts

    def visit(call: BlockCall) -> mx.array:
        if call.index != 2:
            return call.forward(call.x, call.mask)
        attention = block.self_attn(block.input_layernorm(call.x), call.mask, None)
        halfway = call.x + attention
        mlp = block.mlp(block.post_attention_layernorm(halfway))
        for edits, expected in (
            ({MLP: lambda out: out * 3}, halfway + 3 * mlp),
            (
                {ATTENTION: mx.zeros_like},
                call.x + block.mlp(block.post_attention_layernorm(call.x)),
            ),
            ({ATTENTION: lambda out: out - 1, MLP: mx.zeros_like}, halfway - 1),
        ):
            with parts.edited(2, edits):
                out = call.attempt(call.x, call.mask)
            np.testing.assert_allclose(out, expected, atol=1e-5)
        return halfway + mlp

    blocks.run(TOKENS, visit)


def test_parts_that_a_block_leaves_out_are_not_there() -> None:
    attention = {"n_heads_in_group": 2, "replace_with_linear": False}
    configs = [
        {
            "attention": {**attention, "no_op": index in (1, 3)},
            "ffn": {"ffn_mult": 1.5, "no_op": index in (2, 3)},
        }
        for index in range(4)
    ]
    blocks = Blocks(tiny_family("nemotron-nas", block_configs=configs))
    kinds = [set(found) for found in blocks.parts.blocks]
    assert kinds == [{ATTENTION, MLP}, {MLP}, {ATTENTION}, set()]
    assert_parts_are_all(blocks)
    assert not blocks.parts.applies(ATTENTION, range(1, 2))
    assert blocks.parts.applies(ATTENTION, range(1, 3))
    with pytest.raises(MeasurementError, match="block 1 has no part that is attention"):
        blocks.parts.edited(1, {ATTENTION: mx.zeros_like}).__enter__()


def test_a_part_that_no_block_has_is_said_to_be_missing() -> None:
    blocks = Blocks(tiny_family("mamba2"))
    assert blocks.parts.missing(MIXER) is None
    assert blocks.parts.missing(MLP) == "no block has a part that is mlp"


def test_scales_of_the_parts_are_found() -> None:
    parts = Blocks(tiny_family("granite", residual_multiplier=0.22)).parts
    scales = [part.scale for found in parts.blocks for part in found.values()]
    np.testing.assert_allclose(scales, [0.22] * 8, rtol=1e-6)


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16])
def test_parts_are_found_in_half_precision(dtype: mx.Dtype) -> None:
    model = tiny_family("gemma2")
    model.set_dtype(dtype)
    parts = Blocks(model).parts
    assert parts.trouble is None
    assert parts.blocks == Blocks(tiny_family("gemma2")).parts.blocks


def _changed(call: Callable[..., mx.array], family: str = "llama") -> Blocks:
    """A tiny model whose blocks are called in another way."""
    blocks = tiny(family)
    for block in blocks.blocks:
        block.__class__ = type("Changed", (type(block),), {"__call__": call})
    return Blocks(blocks.model)


def test_a_stream_that_is_scaled_as_a_whole() -> None:
    def call(block: nn.Module, x: mx.array, mask: object = None, cache: object = None) -> mx.array:
        h = x + block.self_attn(block.input_layernorm(x), mask, cache)
        return 0.5 * (h + block.mlp(block.post_attention_layernorm(h)))

    blocks = _changed(call)
    np.testing.assert_allclose(blocks.parts.carried, 0.5, rtol=1e-6)
    scales = [part.scale for found in blocks.parts.blocks for part in found.values()]
    np.testing.assert_allclose(scales, [0.5] * (2 * len(blocks)), rtol=1e-5)
    recorded(blocks)


def test_names_do_not_decide() -> None:
    blocks = tiny("llama")
    for block in blocks.blocks:
        block.zebra, block.mlp = block.mlp, nn.Identity()
        block.self_attn, block.lion = nn.Identity(), block.self_attn

    def call(block: nn.Module, x: mx.array, mask: object = None, cache: object = None) -> mx.array:
        normed = block.mlp(block.input_layernorm(block.self_attn(x)))
        return x + block.zebra(normed) + block.lion(normed, mask, cache)

    for block in blocks.blocks:
        block.__class__ = type("Parallel", (type(block),), {"__call__": call})
    blocks = Blocks(blocks.model)
    found = {(block[ATTENTION].module, block[MLP].module) for block in blocks.parts.blocks}
    assert found == {("lion", "zebra")}
    assert_parts_are_all(blocks)


def test_an_output_with_gains_of_its_own_for_each_number_is_not_a_part() -> None:
    def call(block: nn.Module, x: mx.array, mask: object = None, cache: object = None) -> mx.array:
        h = x + block.self_attn(block.input_layernorm(x), mask, cache)
        gains = 1 + mx.arange(x.shape[-1]) / x.shape[-1]
        return h + gains * block.mlp(block.post_attention_layernorm(h))

    assert _changed(call).parts.trouble == (
        "block 0 gives another step than the sum of what two or three of its modules give"
    )


def test_an_output_that_only_looks_like_what_enters_is_not_a_part() -> None:
    def call(block: nn.Module, x: mx.array, mask: object = None, cache: object = None) -> mx.array:
        h = x + block.self_attn(block.input_layernorm(x), mask, cache)
        normed = block.post_attention_layernorm(h)
        mlp = block.mlp
        mlp(normed)
        within = nn.silu(normed @ mlp.gate_proj.weight.T) * (normed @ mlp.up_proj.weight.T)
        return h + within @ mlp.down_proj.weight.T

    trouble = _changed(call).parts.trouble
    assert trouble is not None
    assert trouble.startswith("what self_attn and mlp of block 0 give adds up")


@pytest.mark.parametrize("fails", ["within", "in the edit"])
def test_modules_are_restored_after_an_exception(fails: str) -> None:
    blocks = tiny("gemma2")
    before, parts = np.array(blocks.model(TOKENS)), blocks.parts
    classes = [type(module) for _, module in blocks.model.named_modules()]

    def visit(call: BlockCall) -> mx.array:
        with parts.edited(call.index, {MLP: lambda out: 1 // 0}):
            if fails == "within":
                raise ZeroDivisionError
            return call.forward(call.x, call.mask)

    with pytest.raises(ZeroDivisionError):
        blocks.run(TOKENS, visit)
    assert [type(module) for _, module in blocks.model.named_modules()] == classes
    np.testing.assert_array_equal(blocks.model(TOKENS), before)
    assert_parts_are_all(blocks)


def test_what_cannot_be_edited_is_refused() -> None:
    parts = tiny("llama").parts
    with (
        pytest.raises(MeasurementError, match=r"block 0 did not call its mlp \(mlp\)"),
        parts.edited(0, {MLP: mx.zeros_like}),
    ):
        pass
    with (
        pytest.raises(MeasurementError, match="being edited already"),
        parts.edited(0, {MLP: mx.zeros_like}),
        parts.edited(1, {ATTENTION: mx.zeros_like}),
    ):
        pass
    trouble = Blocks(tiny_family("falcon_h1")).parts
    with pytest.raises(MeasurementError, match="no mlp to edit: block 0 has two parts"):
        trouble.edited(0, {MLP: mx.zeros_like}).__enter__()


def test_an_edit_of_another_shape_is_refused() -> None:
    blocks = tiny("llama")
    parts = blocks.parts

    def visit(call: BlockCall) -> mx.array:
        with parts.edited(call.index, {MLP: lambda out: out[:, :1]}):
            return call.forward(call.x, call.mask)

    with pytest.raises(MeasurementError, match=r"an edit of mlp gives \(3, 1, 64\) in place of"):
        blocks.run(TOKENS, visit)
