"""Every row in both directions, against the same by hand, and what must hold of them."""

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from models import FAMILIES, LAYERS, furnished, random_batch, rows_of, tiny

from mlxjsd.interventions.cost import Shape, sweep_token_blocks
from mlxjsd.interventions.divergence import js_divergence
from mlxjsd.interventions.reference import (
    _corrupted,
    _patch,
    knock_out,
    recorded_runs,
    reference_batch,
)
from mlxjsd.interventions.spec import NO_TOKEN, Batch, Measurement
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.metrics import METRICS
from mlxjsd.row_names import row_of
from mlxjsd.rows import ROWS, sets
from mlxjsd.settings import Settings

NUMBERS = tuple(METRICS)
ALL = Settings(rows=sets()["all"], direction="both", window=(1, 3), metrics=NUMBERS)
BATCHES = {
    "noise": furnished(random_batch(size=3, starts=[2, 4, 3])),
    "samples": furnished(random_batch(size=2, samples=2, starts=[3, 2])),
    "swap": furnished(random_batch("swap", size=3, starts=[2, 4, 3])),
    "tail of one": furnished(random_batch("swap", size=2, length=7, end=6, starts=[3, 5])),
}


def cells(found: Measurement, name: str, metric: str = "jsd") -> np.ndarray:
    return found.cells[:, found.grid.metrics.index(metric), found.grid.rows.index(name)]


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES.keys())
@pytest.mark.parametrize("family", FAMILIES)
def test_the_sweep_equals_one_pass_for_every_cell(family: str, batch: Batch) -> None:
    blocks = tiny(family)
    swept, plain = sweep_batch(blocks, batch, ALL), reference_batch(blocks, batch, ALL)
    assert swept.grid.rows == plain.grid.rows
    for at, metric in enumerate(NUMBERS):
        tolerance = 1e-5 if metric in ("jsd", "prob", "top1") else 1e-4
        np.testing.assert_allclose(swept.cells[:, at], plain.cells[:, at], atol=tolerance)
        np.testing.assert_allclose(swept.whole[:, at], plain.whole[:, at], atol=tolerance)
    for name in swept.grid.rows:
        assert np.nanmax(cells(plain, name)) > 1e-3, f"{name} must matter for this to mean anything"


def test_the_names_of_what_is_measured() -> None:
    grid = sweep_batch(tiny("llama"), BATCHES["swap"], ALL).grid
    assert grid.rows == (
        *("subj", "subj:denoising", "subj-noise", "subj-random"),
        *("attn:w1", "attn:w3", "attn-rest:w1", "attn-rest:w3", "attn-self:w1", "attn-self:w3"),
        *("attn-control:w1", "attn-control:w3", "last", "last:denoising", "last-noise"),
    )
    assert grid.whole == ("floor", "reliance", "total")
    assert row_of("subj:denoising").label == "Subj. restored"
    assert row_of("attn-rest:w3").label == "Attn. rest w3"
    for name in ("subj:w3", "attn:denoising", "nothing", "attn:w", "attn:w3:x"):
        with pytest.raises(KeyError):
            row_of(name)


# By hand: Llama's own parts, a whole prompt at a time, with masks written out.


def logits_by_hand(
    batch: Batch,
    tokens: np.ndarray,
    noise: np.ndarray | None = None,
    blocked: dict[int, np.ndarray] | None = None,
    after: dict[int, object] | None = None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Run Llama's parts one by one; return the last token's logits and the states.

    ``blocked`` holds, by block, which keys (B, T) the last token may not see; ``after`` what is
    done with the states (B, T, hidden) that leave a block.
    """
    model = tiny("llama").model
    x = model.model.embed_tokens(mx.array(tokens))
    if noise is not None:
        whole = np.zeros(x.shape, np.float32)
        whole[:, batch.first : batch.end] = noise
        x = x + mx.array(whole)
    length, states = tokens.shape[1], []
    for index, layer in enumerate(model.model.layers):
        sees = np.broadcast_to(
            np.tril(np.ones((length, length), bool)), (batch.size, 1, length, length)
        )
        sees = sees.copy()
        if blocked and index in blocked:
            sees[:, 0, -1] &= ~blocked[index]
        x = layer(x, mx.array(sees), None)
        if after and index in after:
            x = mx.array(after[index](np.array(x)))
        states.append(np.array(x))
    return np.array(model.model.embed_tokens.as_linear(model.model.norm(x))[:, -1]), states


def put(where: np.ndarray, states: np.ndarray):
    return lambda x: np.where(where[..., None], states, x)


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    p, q = (np.exp(x.astype(np.float64) - x.max(-1, keepdims=True)) for x in (p, q))
    p, q = p / p.sum(-1, keepdims=True), q / q.sum(-1, keepdims=True)
    m = (p + q) / 2
    return ((p * np.log(p / m)).sum(-1) + (q * np.log(q / m)).sum(-1)) / 2


@pytest.mark.parametrize("kind", ["noise", "swap"])
def test_every_row_is_what_its_definition_says(kind: str) -> None:
    batch, layers = BATCHES[kind], (0, 2, LAYERS - 1)
    found = sweep_batch(tiny("llama"), batch, ALL)
    at = np.arange(batch.length)[None]
    subject = (at >= batch.starts[:, None]) & (at < batch.end)
    last = np.broadcast_to(at == batch.length - 1, subject.shape)
    begun = np.array([[bool(n % 2)] for n in range(batch.size)])
    rest = ~subject & ~last & ~((at == 0) & begun)
    control = (at == batch.starts[:, None] - 1) & (np.arange(batch.size) < batch.size - 1)[:, None]

    base = batch.tokens, None
    other = (batch.source_tokens, None) if kind == "swap" else (batch.tokens, batch.noise[:, 0])
    p, clean = logits_by_hand(batch, *base)
    k, corrupted = logits_by_hand(batch, *other)

    def is_so(name: str, layer: int, q: np.ndarray) -> None:
        expected = divergence(p, q)
        if name.startswith("attn-control"):
            expected[-1] = np.nan
        np.testing.assert_allclose(cells(found, name)[:, layer], expected, atol=1e-5)
        target = p.argmax(-1)
        chosen = q[np.arange(batch.size), target] - np.log(np.exp(q.astype(np.float64)).sum(-1))
        if name.startswith("attn-control"):
            chosen[-1] = np.nan
        np.testing.assert_allclose(cells(found, name, "logprob")[:, layer], chosen, atol=1e-4)

    total = found.whole[:, 0, found.grid.whole.index("total")]
    np.testing.assert_allclose(total, divergence(p, k), atol=1e-5)
    for layer in layers:
        is_so(
            "subj",
            layer,
            logits_by_hand(batch, *base, after={layer: put(subject, corrupted[layer])})[0],
        )
        is_so(
            "last",
            layer,
            logits_by_hand(batch, *base, after={layer: put(last, corrupted[layer])})[0],
        )
        restored = {layer: put(subject, clean[layer])}
        is_so("subj:denoising", layer, logits_by_hand(batch, *other, after=restored)[0])
        restored = {layer: put(last, clean[layer])}
        is_so("last:denoising", layer, logits_by_hand(batch, *other, after=restored)[0])
        for window in (1, 3):
            inside = range(max(0, layer - window // 2), min(LAYERS, layer + window // 2 + 1))
            for name, keys in (
                ("attn", subject),
                ("attn-rest", rest),
                ("attn-self", last),
                ("attn-control", control),
            ):
                blocked = dict.fromkeys(inside, keys)
                is_so(f"{name}:w{window}", layer, logits_by_hand(batch, *base, blocked=blocked)[0])

        def added(name: str, positions: slice, unit: bool, layer: int = layer) -> np.ndarray:
            draws, change = batch.draws, np.zeros_like(clean[layer])
            if unit:
                drawn = draws.direction(ROWS[name], layer, 0)
                far = np.linalg.norm(corrupted[layer] - clean[layer], axis=-1, keepdims=True)
                change[:, positions] = drawn
                change *= far
            else:
                change[:, positions] = draws.noise(ROWS[name], layer, 0)
            return logits_by_hand(batch, *base, after={layer: lambda x: x + change})[0]

        is_so("subj-noise", layer, added("subj-noise", slice(batch.first, batch.end), False))
        is_so("last-noise", layer, added("last-noise", slice(-1, None), False))
        is_so("subj-random", layer, added("subj-random", slice(batch.first, batch.end), True))


# Identities.


@pytest.fixture(scope="module", params=FAMILIES)
def found(request: pytest.FixtureRequest) -> Measurement:
    return sweep_batch(tiny(request.param), BATCHES["swap"], ALL)


def test_the_last_token_restored_at_the_end_is_the_clean_run(found: Measurement) -> None:
    assert cells(found, "last:denoising")[:, -1].max() < 1e-6
    np.testing.assert_allclose(
        cells(found, "last:denoising", "prob")[:, -1], found.probability, rtol=1e-4
    )


def test_the_subject_restored_at_the_end_is_the_corrupted_run(found: Measurement) -> None:
    for at, metric in enumerate(NUMBERS):
        total = found.whole[:, at, found.grid.whole.index("total")]
        np.testing.assert_allclose(
            cells(found, "subj:denoising", metric)[:, -1], total, atol=1e-4, err_msg=metric
        )
    total = found.whole[:, 0, found.grid.whole.index("total")]
    np.testing.assert_allclose(cells(found, "last")[:, -1], total, atol=1e-5)
    assert total.max() > 1e-3


@pytest.mark.parametrize("layer", [0, 2, LAYERS - 1])
@pytest.mark.parametrize("family", FAMILIES)
def test_restoring_every_token_is_the_clean_run(family: str, layer: int) -> None:
    blocks, batch = tiny(family), BATCHES["swap"]
    clean, corrupted = recorded_runs(blocks, batch)
    everywhere = mx.ones(batch.tokens.shape, mx.bool_)
    run = _corrupted(batch, 0, _patch(layer, everywhere, clean.states[layer]))
    assert js_divergence(clean.logits, blocks.run(*run)[:, -1:]).max().item() < 1e-6
    assert js_divergence(clean.logits, corrupted.logits).max().item() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pair_noised_is_its_mirror_denoised(family: str) -> None:
    batch = BATCHES["swap"]
    mirror = replace(batch, tokens=batch.source_tokens, source_tokens=batch.tokens)
    blocks = tiny(family)
    one = sweep_batch(blocks, batch, replace(ALL, rows=("subj", "last")))
    two = sweep_batch(blocks, mirror, replace(ALL, rows=("subj", "last")))
    both = np.isfinite(cells(one, "subj", "logit_diff"))
    assert both.any(), "the two prompts have answers of their own"
    for row in ("subj", "last"):
        for a, b in ((one, two), (two, one)):
            # The same run, whose logits are compared the other way round.
            np.testing.assert_allclose(
                cells(a, row, "logit_diff"), -cells(b, f"{row}:denoising", "logit_diff"), atol=1e-4
            )


def test_all_knockouts_together_leave_the_beginning_alone() -> None:
    batch = replace(BATCHES["swap"], begun=np.ones(3, np.int32))
    hidden = batch.mask("subject") | batch.mask("rest") | batch.mask("last")
    assert (~hidden).nonzero()[1].tolist() == [0, 0, 0]
    blocks = tiny("llama")
    last = mx.array(batch.mask("last"))
    edit = knock_out(range(LAYERS), last, mx.array(hidden), blocks.anatomy)
    alone = np.zeros(batch.tokens.shape, bool)
    alone[:, 1:] = True
    by_hand, _ = logits_by_hand(batch, batch.tokens, blocked=dict.fromkeys(range(LAYERS), alone))
    np.testing.assert_allclose(
        np.array(blocks.run(mx.array(batch.tokens), edit)[:, -1]), by_hand, atol=1e-4
    )


def test_several_windows_are_what_each_is_alone() -> None:
    batch = BATCHES["noise"]
    for window in (1, 3):
        alone = sweep_batch(tiny("llama"), batch, Settings(window=window))
        together = sweep_batch(tiny("llama"), batch, ALL)
        np.testing.assert_allclose(
            cells(together, f"attn:w{window}"), cells(alone, "attn"), atol=1e-6
        )


def test_rows_do_not_depend_on_the_batch() -> None:
    batch = BATCHES["noise"]
    together = sweep_batch(tiny("gemma2"), batch, ALL)

    class Chosen:
        def noise(self, *about: object) -> np.ndarray:
            return batch.draws.noise(*about)[
                1:2, batch.starts[1] - batch.first if about[0].positions == "subject" else 0 :
            ]

        def direction(self, *about: object) -> np.ndarray:
            return batch.draws.direction(*about)[
                1:2, batch.starts[1] - batch.first if about[0].positions == "subject" else 0 :
            ]

    alone = replace(
        rows_of(batch, [1]), begun=batch.begun[1:2], controls=batch.controls[1:2], draws=Chosen()
    )
    found = sweep_batch(tiny("gemma2"), alone, ALL)
    np.testing.assert_allclose(found.cells[0], together.cells[1], atol=1e-4)


def test_a_prompt_without_a_target_has_no_numbers_of_it() -> None:
    batch = replace(BATCHES["swap"], targets=np.array([5, NO_TOKEN, 7], np.int32))
    found = sweep_batch(tiny("llama"), batch, ALL)
    for metric in NUMBERS:
        known = np.isfinite(cells(found, "subj", metric)).all(axis=1)
        of_token = metric in ("prob", "logprob", "logit_diff")
        assert known.tolist() == [True, not of_token, True], metric
    corrupted, _ = logits_by_hand(batch, batch.source_tokens)
    q = np.exp(corrupted[0].astype(np.float64))
    np.testing.assert_allclose(cells(found, "last", "prob")[0, -1], q[5] / q.sum(), atol=1e-5)


def test_the_pairs_own_answer_is_the_counterfactual() -> None:
    batch = replace(
        BATCHES["swap"],
        targets=np.array([5, 6, 7], np.int32),
        counterfactuals=np.array([9, NO_TOKEN, 7], np.int32),
    )
    found = sweep_batch(tiny("llama"), batch, ALL)
    difference = cells(found, "last", "logit_diff")[:, -1]
    k, _ = logits_by_hand(batch, batch.source_tokens)
    assert difference[0] == pytest.approx(k[0, 5] - k[0, 9], abs=1e-4)
    assert difference[1] == pytest.approx(k[1, 6] - k[1].max(), abs=1e-4), "else the prediction"
    assert np.isnan(difference[2]), "there is none where it is the target"


def test_all_rows_cost_what_they_take() -> None:
    settings = Settings(rows=sets()["all"], direction="both", window=(1, 3), noise_samples=2)
    shape = Shape(size=1, length=9, first=3, end=6, samples=2)
    layers = range(LAYERS)
    behind = sum(LAYERS - 1 - layer for layer in layers)
    runs = 9 * LAYERS + 2 * 6 * LAYERS + 3 * LAYERS + LAYERS
    patches = 2 * (2 * 3 * behind + 2 * behind)  # both ways
    drawn = 2 * 2 * 6 * behind + 2 * behind
    knockouts = 4 * sum(LAYERS - layer + LAYERS - max(0, layer - 1) for layer in layers)
    assert sweep_token_blocks(shape, settings, LAYERS) == runs + patches + drawn + knockouts
