"""The parts of blocks exchanged: against one pass for each cell, by hand, and what must hold."""

from collections.abc import Callable
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from families import tiny_family
from models import FAMILIES, LAYERS, begun_alike, random_batch, tiny

from mlxjsd.interventions import spec
from mlxjsd.interventions.cost import Shape, map_token_blocks, sweep_token_blocks
from mlxjsd.interventions.maps import sweep_maps, tokens_at_once
from mlxjsd.interventions.reference import reference_batch, reference_maps
from mlxjsd.interventions.spec import Batch, Measurement, part_blocks
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.rows import sets
from mlxjsd.settings import Settings

NUMBERS = ("jsd", "logit_diff")
ROWS = sets()["parts"]
BOTH = Settings(
    rows=ROWS, maps=("mlp", "attention"), direction="both", metrics=NUMBERS,
    part_window=2,
)  # fmt: skip
BATCHES = {
    "noise": random_batch(size=2, starts=[2, 4]),
    "samples": random_batch(size=1, samples=2, starts=[4]),
    "swap": random_batch("swap", size=3, starts=[2, 4, 3]),
    "tail of one": random_batch("swap", size=2, length=7, end=6, starts=[3, 5]),
}


def cells(found: Measurement, name: str, metric: str = "jsd") -> np.ndarray:
    return found.cells[:, found.grid.metrics.index(metric), found.grid.rows.index(name)]


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        *((family, "noise") for family in FAMILIES),
        ("llama", "samples"),
        ("gemma2", "swap"),
        ("qwen3", "tail of one"),
    ],
)
def test_the_sweep_equals_one_pass_for_every_cell(family: str, kind: str) -> None:
    batch = BATCHES[kind]
    blocks, some = tiny(family), replace(BOTH, layers=(0, 2, LAYERS - 1))
    swept, plain = sweep_batch(blocks, batch, some), reference_batch(blocks, batch, some)
    maps = [measure(blocks, batch, some) for measure in (sweep_maps, reference_maps)]
    for at, metric in enumerate(NUMBERS):
        tolerance = 1e-5 if metric == "jsd" else 1e-4
        np.testing.assert_allclose(swept.cells[:, at], plain.cells[:, at], atol=tolerance)
        np.testing.assert_allclose(maps[0][:, :, at], maps[1][:, :, at], atol=tolerance)
    for name in swept.grid.rows:
        assert np.nanmax(cells(plain, name)) > 1e-4, f"{name} must matter for this to say anything"
    assert (np.nanmax(maps[1][:, :, 0], axis=(0, 2, 3)) > 1e-4).all()


# A block of its own kind each: parallel, scaled, with norms behind, with a shared expert.
@pytest.mark.parametrize("family", ["cohere", "minicpm", "olmo2", "qwen2_moe"])
def test_it_does_in_blocks_of_other_kinds(family: str) -> None:
    blocks = Blocks(tiny_family(family))
    hidden = blocks.embed(mx.zeros((1, 1), mx.int32)).shape[-1]
    batch = random_batch(size=2, starts=[4, 3], vocabulary=60, hidden=hidden)
    some = replace(BOTH, layers=(1,), metrics=("jsd",))
    swept, plain = sweep_batch(blocks, batch, some), reference_batch(blocks, batch, some)
    assert np.nanmax(swept.jsd) > 1e-3
    np.testing.assert_allclose(swept.jsd, plain.jsd, atol=1e-5)
    maps = [measure(blocks, batch, some) for measure in (sweep_maps, reference_maps)]
    np.testing.assert_allclose(maps[0][:, :, 0], maps[1][:, :, 0], atol=1e-5)


def test_prompts_that_begin_alike_are_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "SHARED_TOKENS", 1)
    batch = begun_alike(BATCHES["noise"])
    assert batch.shared == batch.first
    blocks = tiny("llama")
    swept, plain = sweep_batch(blocks, batch, BOTH), reference_batch(blocks, batch, BOTH)
    np.testing.assert_allclose(swept.jsd, plain.jsd, atol=1e-5)


# By hand: Llama's own attention and MLP, a whole prompt at a time.


def run_by_hand(batch: Batch, corrupted: bool, put: Callable | None = None) -> tuple:
    """Run Llama's parts one by one; return the last token's logits and what each part gave.

    ``put`` is given the block, the kind of part and what it gave, and says what goes on.
    """
    model, given = tiny("llama").model, {}
    swapped = corrupted and batch.source_tokens is not None
    x = model.model.embed_tokens(mx.array(batch.source_tokens if swapped else batch.tokens))
    if corrupted and not swapped:
        noise = np.zeros(x.shape, np.float32)
        noise[:, batch.first : batch.end] = batch.noise[:, 0]
        x = x + mx.array(noise)
    mask = mx.array(np.tril(np.ones((batch.length, batch.length), bool)))
    for index, block in enumerate(model.model.layers):
        for kind in ("attention", "mlp"):
            if kind == "attention":
                out = block.self_attn(block.input_layernorm(x), mask, None)
            else:
                out = block.mlp(block.post_attention_layernorm(x))
            given[index, kind] = out
            x = x + (out if put is None else put(index, kind, out))
    return model.model.embed_tokens.as_linear(model.model.norm(x))[:, -1], given


def divergence(p: mx.array, q: mx.array) -> np.ndarray:
    one, two = (np.array(mx.softmax(x, axis=-1)).astype(np.float64) for x in (p, q))
    middle = (one + two) / 2
    return ((one * np.log(one / middle)).sum(-1) + (two * np.log(two / middle)).sum(-1)) / 2


@pytest.mark.parametrize("kind", ["noise", "swap"])
def test_parts_are_what_their_definition_says(kind: str) -> None:
    batch, settings = BATCHES[kind], replace(BOTH, part_window=3)
    found = sweep_batch(tiny("llama"), batch, settings)
    maps = sweep_maps(tiny("llama"), batch, settings)
    at = np.arange(batch.length)[None]
    subject = (at >= batch.starts[:, None]) & (at < batch.end)
    last = np.broadcast_to(at == batch.length - 1, subject.shape)
    p, clean = run_by_hand(batch, corrupted=False)
    _, corrupted = run_by_hand(batch, corrupted=True)

    def measured(where: np.ndarray, part: str, layer: int, restored: bool) -> np.ndarray:
        inside, source = range(layer - 1, layer + 2), clean if restored else corrupted

        def put(index: int, kind: str, out: mx.array) -> mx.array:
            if index not in inside or kind != part:
                return out
            return mx.where(mx.array(where)[..., None], source[index, kind], out)

        return divergence(p, run_by_hand(batch, restored, put)[0])

    for layer in (0, 2, LAYERS - 1):
        for part in ("mlp", "attention"):
            for name, where in (("subj", subject), ("last", last)):
                for ending, restored in (("", False), (":denoising", True)):
                    np.testing.assert_allclose(
                        cells(found, f"{name}-{part}{ending}")[:, layer],
                        measured(where, part, layer, restored),
                        atol=1e-5,
                    )
            for restored in (False, True):
                name = f"{part}:denoising" if restored else part
                token = batch.end - 1
                where = np.broadcast_to(at == token, subject.shape)
                np.testing.assert_allclose(
                    maps[:, found.grid.maps.index(name), 0, token, layer],
                    measured(where, part, layer, restored),
                    atol=1e-5,
                )


# Identities.


@pytest.mark.parametrize("kind", ["noise", "swap"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_map_is_what_the_rows_say_where_they_meet(family: str, kind: str) -> None:
    blocks, batch = tiny(family), BATCHES[kind]
    found, rows = sweep_maps(blocks, batch, BOTH), sweep_batch(blocks, batch, BOTH)
    for at, name in enumerate(rows.grid.maps):
        row = rows.cells[:, :, rows.grid.rows.index(f"last-{name}")]
        np.testing.assert_allclose(found[:, at, :, -1], row, atol=1e-4)
    alone = random_batch(kind, size=1, starts=[5])
    found, rows = sweep_maps(blocks, alone, BOTH), sweep_batch(blocks, alone, BOTH)
    for at, name in enumerate(rows.grid.maps):
        row = rows.cells[:, 0, rows.grid.rows.index(f"subj-{name}")]
        np.testing.assert_allclose(found[:, at, 0, 5], row, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_exchanged_with_itself_is_nothing(family: str) -> None:
    batch = BATCHES["swap"]
    same = replace(batch, source_tokens=batch.tokens)
    assert sweep_maps(tiny(family), same, BOTH)[:, :, 0].max() < 1e-6
    assert sweep_batch(tiny(family), same, BOTH).jsd.max() < 1e-6


def test_a_pair_noised_is_its_mirror_denoised() -> None:
    batch = BATCHES["swap"]
    mirror = replace(batch, tokens=batch.source_tokens, source_tokens=batch.tokens)
    one, two = (sweep_batch(tiny("gemma2"), b, BOTH) for b in (batch, mirror))
    for row in ROWS:
        np.testing.assert_allclose(
            cells(one, row, "logit_diff"), -cells(two, f"{row}:denoising", "logit_diff"), atol=1e-4
        )


def test_nothing_that_a_token_gives_in_the_last_block_is_read_but_the_last_ones() -> None:
    batch, one = BATCHES["noise"], replace(BOTH, part_window=1)
    found = sweep_maps(tiny("llama"), batch, one)
    names = sweep_batch(tiny("llama"), batch, one).grid.maps
    for at, name in enumerate(names):
        if not name.endswith("denoising"):
            assert found[:, at, 0, batch.end - 1 : -1, -1].max() < 1e-6
            assert found[:, at, 0, -1, -1].max() > 1e-4


def test_the_window_is_that_of_the_code_of_meng() -> None:
    # max(0, layer - window // 2) to min(layers, layer - (-window // 2)), the last not included.
    ten = [part_blocks(layer, Settings(), 48) for layer in (0, 3, 20, 47)]
    assert ten == [range(5), range(8), range(15, 25), range(42, 48)]
    assert part_blocks(2, Settings(part_window=1), 5) == range(2, 3)


# Where it does not apply.


def test_blocks_without_the_part_have_no_numbers() -> None:
    blocks = Blocks(tiny_family("nemotron_h"))
    kinds = [set(found) for found in blocks.parts.blocks]
    assert {"mlp" in kind for kind in kinds} == {True, False}
    hidden = blocks.embed(mx.zeros((1, 1), mx.int32)).shape[-1]
    batch = random_batch(size=1, starts=[3], vocabulary=60, hidden=hidden)
    settings = Settings(rows=("subj-mlp", "subj"), maps=("mlp",), part_window=1)
    found = reference_batch(blocks, batch, settings)
    has = np.array(["mlp" in kind for kind in kinds])
    np.testing.assert_array_equal(np.isfinite(cells(found, "subj-mlp")[0]), has)
    maps = reference_maps(blocks, batch, settings)
    np.testing.assert_array_equal(np.isfinite(maps[0, 0, 0]), np.tile(has, (batch.length, 1)))


# Costs.


def test_parts_cost_what_they_take() -> None:
    shape = Shape(size=1, length=9, first=3, end=6, samples=2)
    through = sum(LAYERS - max(0, layer - 1) for layer in range(LAYERS))
    runs = 9 * LAYERS + 2 * 6 * LAYERS + 3 * LAYERS + LAYERS
    rows = 2 * 2 * 2 * (6 + 1) * through  # parts, samples, ways
    one = replace(BOTH, rows=ROWS, noise_samples=2)
    assert sweep_token_blocks(shape, one, LAYERS) == runs + rows
    swept, plain = map_token_blocks(shape, one, LAYERS)
    assert swept == 2 * 2 * 2 * sum(9 - token for token in range(3, 9)) * through
    assert plain == 2 * 2 * 2 * 6 * LAYERS * 9 * LAYERS


def test_fewer_tokens_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, batch = tiny("mixtral"), BATCHES["noise"]
    whole = sweep_maps(blocks, batch, BOTH)
    monkeypatch.setattr("mlxjsd.interventions.maps.PASS_BYTES", 1)
    assert tokens_at_once(blocks, batch, BOTH) == 1
    np.testing.assert_allclose(sweep_maps(blocks, batch, BOTH), whole, atol=1e-4)
