import math

import mlx.core as mx
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy

from mlxjsd.interventions import divergence
from mlxjsd.interventions.divergence import MAX_DIVERGENCE, entropy, js_divergence


def logits(shape: tuple[int, ...], scale: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0, 100.0])
def test_equals_scipy(scale: float) -> None:
    p, q = logits((7, 301), scale, 1), logits((7, 301), scale, 2)
    ours = np.array(js_divergence(mx.array(p), mx.array(q)))
    wide = [softmax(x.astype(np.float64), axis=-1) for x in (p, q)]
    np.testing.assert_allclose(ours, jensenshannon(*wide, axis=-1) ** 2, rtol=1e-4, atol=2e-7)


def test_is_zero_between_equals_and_symmetric() -> None:
    p, q = mx.array(logits((5, 100), 3, 1)), mx.array(logits((5, 100), 3, 2))
    assert mx.all(js_divergence(p, p) == 0).item()
    np.testing.assert_allclose(js_divergence(p, q), js_divergence(q, p), rtol=1e-6)


def test_shifting_all_logits_changes_nothing() -> None:
    p, q = mx.array(logits((5, 100), 3, 1)), mx.array(logits((5, 100), 3, 2))
    np.testing.assert_allclose(js_divergence(p + 7, q - 3), js_divergence(p, q), atol=1e-6)


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
def test_is_bounded_and_finite_for_extreme_logits(dtype: mx.Dtype) -> None:
    p = mx.array([[1e4, -1e4, 0.0], [1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]]).astype(dtype)
    q = mx.array([[-1e4, 1e4, 0.0], [1e4, 0.0, -1e4], [1e4, -1e4, -1e4]]).astype(dtype)
    values = np.array(js_divergence(p, q))
    assert np.isfinite(values).all()
    assert values[0] == pytest.approx(MAX_DIVERGENCE)
    assert values[1] == 0
    assert ((values >= 0) & (values <= MAX_DIVERGENCE + 1e-7)).all()


def test_half_precision_is_widened() -> None:
    p, q = (mx.array(logits((4, 50), 2, s)).astype(mx.float16) for s in (1, 2))
    out = js_divergence(p, q)
    assert out.dtype == mx.float32
    np.testing.assert_array_equal(out, js_divergence(p.astype(mx.float32), q.astype(mx.float32)))


def test_barred_tokens_have_no_mass() -> None:
    p = mx.array([1.0, 2.0, -math.inf])
    q = mx.array([2.0, 1.0, -math.inf])
    np.testing.assert_allclose(js_divergence(p, q), js_divergence(p[:2], q[:2]), rtol=1e-6)
    assert js_divergence(p, p).item() == 0
    one_sided = js_divergence(mx.array([0.0, -math.inf]), mx.array([-math.inf, 0.0]))
    assert one_sided.item() == pytest.approx(MAX_DIVERGENCE)


def test_nan_stays_nan() -> None:
    assert math.isnan(js_divergence(mx.array([math.nan, 0.0]), mx.array([0.0, 0.0])).item())


def test_one_clean_row_broadcasts_against_many() -> None:
    p, q = mx.array(logits((2, 1, 80), 2, 1)), mx.array(logits((2, 6, 80), 2, 2))
    out = js_divergence(p, q)
    assert out.shape == (2, 6)
    np.testing.assert_array_equal(out[1, 4], js_divergence(p[1, 0], q[1, 4]))


def test_many_rows_are_gone_through_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = mx.array(logits((2, 1, 50), 2, 1)), mx.array(logits((2, 7, 50), 2, 2))
    whole = js_divergence(p, q)
    for elements in (1, 300, 100_000):
        monkeypatch.setattr(divergence, "PIECE_ELEMENTS", elements)
        np.testing.assert_array_equal(js_divergence(p, q), whole)


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
def test_it_takes_less_than_three_times_its_input(dtype: mx.Dtype) -> None:
    p, q = (mx.random.normal((rows, 128_256)).astype(dtype) for rows in (1, 97))
    mx.eval(p, q)
    mx.eval(js_divergence(p, q[:1]))  # compiles
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    mx.eval(js_divergence(p, q))
    assert mx.get_peak_memory() - before < 3 * q.nbytes


def test_different_vocabularies_are_refused() -> None:
    with pytest.raises(ValueError, match="3 and 4"):
        js_divergence(mx.zeros((2, 3)), mx.zeros((2, 4)))


def test_entropy_equals_scipy() -> None:
    p = logits((6, 90), 3)
    expected = scipy_entropy(softmax(p.astype(np.float64), axis=-1), axis=-1)
    np.testing.assert_allclose(entropy(mx.array(p)), expected, rtol=1e-5)
