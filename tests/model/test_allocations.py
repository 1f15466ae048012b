"""What a function and a block's call make, counted without computing anything."""

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from families import ONE_PASS, tiny_family
from family_settings import HEADS, heads_of

from mlxjsd.model import allocations
from mlxjsd.model.allocations import Allocations, Size
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.cpu import widen_as_used
from mlxjsd.model.graph import made_by

A, B = mx.zeros((6, 4)), mx.zeros((4, 8))
FLOAT = 4


@pytest.mark.parametrize(
    ("function", "numbers"),
    [
        (lambda a, b: a @ b, 6 * 8),
        (lambda a, b: a.T.reshape(3, 8), 24),  # copied, as it does not lie in order
        (lambda a, b: (a @ b).reshape(2, 3, 8)[:, 1:], 6 * 8),
        (lambda a, b: mx.exp(a @ b), 6 * 8),  # lies where the product lay
        (lambda a, b: mx.exp(a), 6 * 4),  # what is given is not written over
        (lambda a, b: (y := a @ b) * mx.exp(y), 2 * 6 * 8),  # the product is needed again
        (lambda a, b: mx.repeat(a, 5, axis=0), 5 * 6 * 4),
        (lambda a, b: mx.broadcast_to(a, (9, 6, 4)), 0),
        (lambda a, b: mx.concatenate([a, a], axis=1), 6 * 8),
        (lambda a, b: mx.sum(a @ b, axis=-1), 6 * 8 + 6),
    ],
)
def test_results_count_unless_they_lie_in_place_of_others(function: Any, numbers: int) -> None:
    assert made_by(function, [A, B]).given == FLOAT * numbers


def test_what_depends_on_no_argument_counts_apart() -> None:
    weight = mx.ones((3, 4), mx.float16)
    mx.eval(weight)
    made = made_by(lambda a, b: a @ weight.astype(mx.float32).T, [A, B])
    assert (made.given, made.constant) == (FLOAT * 6 * 3, FLOAT * 3 * 4)


def test_what_computes_on_its_way_has_no_graph() -> None:
    with pytest.raises(ValueError, match="not allowed"):
        made_by(lambda a, b: a * b.sum().item(), [A, B])


def test_terms_are_found_from_sizes() -> None:
    size = Size(fixed=3, query=5, key=7, pair=2)
    points = [(4, 8), (6, 8), (4, 12), (6, 12)]
    found = Size.fitted({point: size.at(*point) for point in points})
    assert found.at(100, 200) == pytest.approx(size.at(100, 200))
    whole = Size.fitted({(n, n): size.at(n, n) for n in (4, 8, 12)})
    assert whole.at(100, 100) == pytest.approx(size.at(100, 100))
    one = Size.fitted({(1, n): size.at(1, n) for n in (8, 12)})
    assert one.at(1, 100) == pytest.approx(size.at(1, 100))


def _allocations(family: str, **own: Any) -> Allocations:
    return Blocks(tiny_family(family, **own)).allocations[-1]


@pytest.mark.parametrize(
    "family", ["cohere", "deepseek_v2", "gemma2", "gpt_oss", "llama", "minicpm3", "qwen3"]
)
def test_each_query_head_has_its_scores_whatever_its_width(family: str) -> None:
    few, narrow, wide = (
        _allocations(family, **heads_of(*heads)) for heads in ((4, 4, 16), (8, 4, 8), (8, 4, 64))
    )
    assert narrow.several.pair == wide.several.pair
    copies = (wide.several.pair - few.several.pair) / (4 * FLOAT)
    assert copies >= 1
    assert copies == round(copies)


def test_keys_that_are_made_of_latents_count() -> None:
    heads, depth = HEADS, 16
    several = _allocations("deepseek_v3").several
    wide = _allocations("deepseek_v3", **heads_of(heads, heads, 4 * depth)).several
    assert wide.key - several.key == FLOAT * heads * 2 * 3 * depth


def test_experts_count_as_often_as_a_token_goes_to_one() -> None:
    one, two, more = (
        _allocations("mixtral", num_experts_per_tok=each, num_local_experts=experts).several.query
        for each, experts in ((1, 4), (2, 4), (2, 8))
    )
    width = 96
    assert two - one >= 3 * FLOAT * width
    assert more - two < FLOAT * width  # no more than the router's numbers


def test_numbers_of_half_precision_take_half() -> None:
    model = tiny_family("llama")
    full = Blocks(model).allocations[0]
    model.set_dtype(mx.float16)
    half = Blocks(model).allocations[0]
    assert (half.kept, half.several.key) == (full.kept / 2, full.several.key / 2)
    assert half.several.query < full.several.query


def test_weights_that_are_widened_as_they_are_used_count_once() -> None:
    model = tiny_family("llama")
    plain = Blocks(model).allocations[0]
    model.set_dtype(mx.float16)
    widen_as_used(model)
    weights = sum(
        module.weight.size
        for module in Blocks(model).blocks[0].modules()
        if isinstance(module, nn.Linear)
    )
    wide = Blocks(model).allocations[0]
    assert wide.constant - plain.constant == pytest.approx(FLOAT * weights, rel=0.01)


def test_a_model_computes_the_same_after_its_calls_were_looked_at() -> None:
    blocks = Blocks(tiny_family("mixtral"))
    tokens = mx.arange(10)[None]
    before = np.array(blocks.model(tokens))
    assert blocks.allocations
    np.testing.assert_array_equal(np.array(blocks.model(tokens)), before)


@pytest.fixture
def estimated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of block that were estimated."""
    found, estimate = [], allocations._estimated

    def noted(block: nn.Module, *rest: Any) -> Allocations:
        found.append(type(block).__name__)
        return estimate(block, *rest)

    monkeypatch.setattr(allocations, "_estimated", noted)
    return found


@pytest.mark.parametrize("family", ["dbrx", "spark2_5"])
def test_blocks_whose_graph_cannot_be_read_are_estimated(family: str, estimated: list[str]) -> None:
    found = _allocations(family)
    assert estimated
    assert found.several.pair >= FLOAT * HEADS
    assert found.kept > 0


@pytest.mark.slow
@pytest.mark.parametrize("family", [name for name in ONE_PASS if name not in ("dbrx", "spark2_5")])
def test_the_graphs_of_all_other_families_can_be_read(family: str, estimated: list[str]) -> None:
    assert _allocations(family).several.pair >= FLOAT
    assert not estimated


@pytest.mark.parametrize("family", ["gemma2", "llama", "minicpm3", "qwen3"])
def test_estimates_are_no_less_than_what_is_read(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _allocations(family)

    def fail(*_: Any) -> None:
        raise ValueError("no graph")

    monkeypatch.setattr(allocations, "made_by", fail)
    guess = _allocations(family)
    assert guess.kept == read.kept
    assert guess.several.pair >= read.several.pair
    for queries, keys in ((1, 12), (2, 12), (8, 100), (100, 100)):
        assert guess.row(queries, keys) >= read.row(queries, keys)
