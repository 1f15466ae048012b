"""The numbers of a cell, against the same from logits by NumPy, written from the definitions."""

import mlx.core as mx
import numpy as np
import pytest
from models import random_batch, tiny

from mlxjsd.interventions.metrics import NO_TOKEN, Logits, numbers_of
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.metrics import METRICS
from mlxjsd.settings import Settings

ALL = tuple(METRICS)
RNG = np.random.default_rng(0)
CLEAN = RNG.normal(size=(4, 1, 11)).astype(np.float32) * 3
EDITED = RNG.normal(size=(4, 6, 11)).astype(np.float32) * 3
CORRUPTED = RNG.normal(size=(4, 1, 11)).astype(np.float32) * 3
CORRUPTED[2] = CLEAN[2]  # the same prediction: there is no counterfactual


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x.astype(np.float64) - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def found(paired: bool, dtype: mx.Dtype = mx.float32) -> dict[str, np.ndarray]:
    clean, edited = mx.array(CLEAN).astype(dtype), mx.array(EDITED).astype(dtype)
    logits = Logits(clean, edited, lambda: mx.array(CORRUPTED), paired)
    return dict(zip(ALL, np.moveaxis(np.array(numbers_of(logits, ALL)), 1, 0), strict=True))


def by_hand() -> dict[str, np.ndarray]:
    p, q = softmax(CLEAN), softmax(EDITED)
    target, other = CLEAN[:, 0].argmax(-1), CORRUPTED[:, 0].argmax(-1)
    m = (p + q) / 2
    rows = np.arange(4)
    numbers = {
        "jsd": ((p * np.log(p / m)).sum(-1) + (q * np.log(q / m)).sum(-1)) / 2,
        "kl": (p * np.log(p / q)).sum(-1),
        "prob": q[rows, :, target],
        "logprob": np.log(q[rows, :, target]),
        "logit_diff": EDITED[rows, :, target] - EDITED[rows, :, other],
        "top1": (EDITED.argmax(-1) != target[:, None]).astype(float),
    }
    numbers["logit_diff"][target == other] = np.nan
    return numbers


@pytest.mark.parametrize("metric", ALL)
def test_each_number_is_what_its_definition_says(metric: str) -> None:
    np.testing.assert_allclose(found(True)[metric], by_hand()[metric], rtol=1e-5, atol=1e-6)


def test_all_metrics_are_tried() -> None:
    assert set(by_hand()) == set(ALL)
    assert by_hand()["top1"].min() == 0
    assert by_hand()["top1"].max() == 1


def test_noise_has_no_counterfactual() -> None:
    assert np.isnan(found(False)["logit_diff"]).all()
    np.testing.assert_allclose(found(False)["prob"], by_hand()["prob"], rtol=1e-5)


def test_the_counterfactual_is_no_token_of_its_own() -> None:
    logits = Logits(mx.array(CLEAN), mx.array(EDITED), lambda: mx.array(CORRUPTED), True)
    assert logits.counterfactual.tolist()[2] == NO_TOKEN


def test_tokens_without_mass_add_nothing() -> None:
    clean, edited = CLEAN.copy(), EDITED.copy()
    clean[:, :, 3] = edited[:, :, 3] = -np.inf
    logits = Logits(mx.array(clean), mx.array(edited), lambda: mx.array(CORRUPTED), True)
    numbers = np.array(numbers_of(logits, ALL))
    assert np.isfinite(np.delete(numbers, ALL.index("logit_diff"), axis=1)).all()
    # And none in q for a token of p is infinitely far.
    edited[:, 0, CLEAN[0, 0].argmax()] = -np.inf
    logits = Logits(mx.array(CLEAN), mx.array(edited), lambda: mx.array(CORRUPTED), True)
    assert np.array(numbers_of(logits, ("kl",)))[0, 0, 0] == np.inf


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
def test_half_precision_logits_are_read_in_float32(dtype: mx.Dtype) -> None:
    rounded = np.array(mx.array(EDITED).astype(dtype).astype(mx.float32))
    np.testing.assert_allclose(
        found(True, dtype)["prob"],
        softmax(rounded)[np.arange(4), :, CLEAN[:, 0].argmax(-1)],
        rtol=1e-4,
    )


@pytest.mark.parametrize("kind", ["noise", "swap"])
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_the_sweep_and_the_reference_agree_on_every_number(family: str, kind: str) -> None:
    blocks, batch = tiny(family), random_batch(kind, size=3)
    settings = Settings(metrics=ALL, window=3)
    swept, plain = sweep_batch(blocks, batch, settings), reference_batch(blocks, batch, settings)
    for at, metric in enumerate(ALL):
        tolerance = 1e-5 if metric in ("jsd", "prob", "top1") else 1e-4
        np.testing.assert_allclose(swept.cells[:, at], plain.cells[:, at], atol=tolerance)
        np.testing.assert_allclose(swept.whole[:, at], plain.whole[:, at], atol=tolerance)
    # Without an edit the target has the clean run's own probability.
    at = swept.grid.whole.index("floor")
    np.testing.assert_allclose(swept.whole[:, ALL.index("prob"), at], swept.probability, rtol=1e-5)
    pairs = np.isfinite(swept.cells[:, ALL.index("logit_diff")]).any()
    assert pairs == (kind == "swap")


def test_patching_all_of_the_last_token_gives_the_corrupted_runs_numbers() -> None:
    """Last. at the last layer is the corrupted run: its top token has changed, or has not."""
    blocks, batch = tiny("llama"), random_batch("swap", size=4)
    found = sweep_batch(blocks, batch, Settings(metrics=ALL))
    assert batch.source_tokens is not None
    corrupted = np.array(blocks.model(mx.array(batch.source_tokens))[:, -1])
    q = softmax(corrupted)[np.arange(4), found.prediction]
    last = found.cells[:, :, found.grid.rows.index("last"), -1]
    np.testing.assert_allclose(last[:, ALL.index("prob")], q, atol=1e-5)
    changed = corrupted.argmax(-1) != found.prediction
    np.testing.assert_array_equal(last[:, ALL.index("top1")], changed)
