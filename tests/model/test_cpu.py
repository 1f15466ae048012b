"""Weights on a CPU: float32, once or as they are used, and the same values either way."""

from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from adapters import adapter_of, tiny_model
from mlx.utils import tree_flatten
from models import random_batch

from mlxjsd.interventions.invariants import agreement
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model import cpu
from mlxjsd.model.load import load_model
from mlxjsd.settings import Settings

pytestmark = pytest.mark.skipif(cpu.on_gpu(), reason="of the CPU alone")
AS_USED = "weights do not fit in memory as float32, so they are widened as they are used"


def _linear(bias: bool) -> nn.Module:
    return nn.Linear(64, 50, bias=bias)


def _packed(bias: bool) -> nn.Module:
    return nn.QuantizedLinear.from_linear(nn.Linear(64, 50, bias=bias), 32, 4)


def _codes(bias: bool) -> nn.Module:
    return nn.QuantizedLinear.from_linear(nn.Linear(64, 50, bias=bias), 32, 4, mode="mxfp4")


def _embedding(_: bool) -> nn.Module:
    return nn.Embedding(50, 64)


def _packed_embedding(_: bool) -> nn.Module:
    return nn.QuantizedEmbedding.from_embedding(nn.Embedding(50, 64), 32, 4)


def _weight(layer: nn.Module) -> np.ndarray:
    weight, scales, biases = layer.weight, layer.get("scales"), layer.get("biases")
    if scales is not None:
        if biases is not None:
            scales, biases = scales.astype(mx.float32), biases.astype(mx.float32)
        weight = mx.dequantize(weight, scales, biases, layer.group_size, layer.bits, layer.mode)
    return np.array(weight.astype(mx.float32), np.float64)


@pytest.mark.parametrize("piece", [1, 64 * 7, 64 * 50, 10**9])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("make", [_linear, _packed, _codes, _embedding, _packed_embedding])
def test_a_product_in_pieces_is_the_product(
    make: Callable[[bool], nn.Module], bias: bool, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mx.random.seed(0)
    layer = make(bias)
    layer.set_dtype(mx.bfloat16)
    x = mx.random.normal((2, 3, 64)).astype(mx.bfloat16)

    rows = layer(mx.array([[3, 1]])) if hasattr(layer, "as_linear") else None
    monkeypatch.setattr(cpu, "PIECE", piece)
    holder = nn.Module()
    holder.layer = layer
    cpu.widen_as_used(holder)
    found = layer.as_linear(x) if hasattr(layer, "as_linear") else layer(x)
    assert type(layer).__module__ == "mlxjsd.model.cpu"
    assert found.dtype == mx.bfloat16
    # The exact product, rounded once.
    exact = np.array(x.astype(mx.float32), np.float64) @ _weight(layer).T
    if "bias" in layer:
        exact += np.array(layer.bias.astype(mx.float32))
    np.testing.assert_allclose(np.array(found.astype(mx.float32)), exact, 2**-8, 1e-5)
    if rows is not None:  # looking tokens up is what it was
        assert mx.array_equal(layer(mx.array([[3, 1]])), rows)


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("quantized", [False, True])
def test_a_model_that_does_not_fit_as_float32_proves_itself_all_the_same(
    quantized: bool, adapted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _sixteen_bits(tmp_path / "model", quantized)
    adapter = adapter_of(folder, tmp_path / "adapter") if adapted else None
    roomy = load_model(folder, adapter_path=adapter)
    monkeypatch.setattr(cpu, "SHARE", 0.0)
    tight = load_model(folder, adapter_path=adapter)
    assert AS_USED in tight.notes
    assert AS_USED not in roomy.notes
    assert (roomy.identity.dtype, tight.identity.dtype) == ("float32", "bfloat16")
    assert roomy.identity.sha256 == tight.identity.sha256
    kept = dict(tree_flatten(tight.blocks.model.parameters()))
    wanted = mx.uint32 if quantized else mx.bfloat16
    assert kept["model.layers.0.mlp.down_proj.weight"].dtype == wanted or adapted

    batch = random_batch(vocabulary=1000, hidden=64)
    found = sweep_batch(tight.blocks, batch, Settings(window=2))
    plain = reference_batch(tight.blocks, batch, Settings(window=2))
    agreed = agreement("jsd", found.jsd, plain.jsd, "bfloat16", float(found.floor.max()))
    assert agreed.passed, agreed
    exact = sweep_batch(roomy.blocks, batch, Settings(window=2))
    assert exact.jsd.max() > 0.01
    np.testing.assert_allclose(found.jsd, exact.jsd, atol=0.01)


def _sixteen_bits(folder: Path, quantized: bool) -> Path:
    tiny_model(folder, quantized)
    file = str(folder / "model.safetensors")
    weights = mx.load(file)
    narrow = {
        name: value.astype(mx.bfloat16) if value.dtype == mx.float32 else value
        for name, value in weights.items()
    }
    mx.eval(narrow)
    mx.save_safetensors(file, narrow)
    return folder


@pytest.mark.parametrize(
    ("quantized", "said"),
    [(False, "16-bit weights were widened"), (True, "quantized weights were unpacked")],
)
def test_weights_that_fit_are_float32_once_and_for_all(
    quantized: bool, said: str, tmp_path: Path
) -> None:
    loaded = load_model(_sixteen_bits(tmp_path / "model", quantized))
    assert f"{said} to float32, with the same values" in loaded.notes
    assert {v.dtype for _, v in tree_flatten(loaded.blocks.model.parameters())} == {mx.float32}
