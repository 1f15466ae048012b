"""Fewer bits, by MLX-LM's own conversion; more than there are is refused."""

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from commands import call

from mlxjsd.assets import MODEL
from mlxjsd.errors import InputError
from mlxjsd.model.load import load_model
from mlxjsd.model.requantize import check_bits


def logits(bits: int | None) -> np.ndarray:
    return np.array(load_model(MODEL, bits=bits).blocks.model(mx.array([[0, 5, 9, 12]])))


def test_the_weights_are_rounded_to_so_many_bits() -> None:
    own, same, three, two = (logits(bits) for bits in (None, 4, 3, 2))
    np.testing.assert_array_equal(own, same)
    gaps = [float(np.abs(found - own).mean()) for found in (three, two)]
    assert 0 < gaps[0] < gaps[1]


def test_they_are_those_of_mlx_lm(tmp_path: Path) -> None:
    from mlx_lm.utils import dequantize_model, load, quantize_model

    model, _, config = load(str(MODEL), return_config=True)
    dequantize_model(model)
    plain = {key: value for key, value in config.items() if not key.startswith("quantization")}
    model, _ = quantize_model(model, plain, group_size=64, bits=3)
    found = load_model(MODEL, bits=3)
    assert found.identity.quantization == "3 bits, groups of 64"
    assert found.identity.bits == 3
    weight = model.model.layers[0].mlp.up_proj
    scales, biases = (a.astype(mx.float32) for a in (weight.scales, weight.biases))
    wanted = mx.dequantize(weight.weight, scales, biases, 64, 3)
    ours = found.blocks.model.model.layers[0].mlp.up_proj.weight
    np.testing.assert_allclose(
        np.array(ours.astype(mx.float32)), np.array(wanted.astype(mx.float32)), atol=1e-6
    )


@pytest.mark.parametrize(
    ("bits", "said"), [(8, "the model has 4 bits"), (7, "not 7"), (0, "not 0")]
)
def test_what_it_cannot_have(bits: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_model(MODEL, bits=bits)
    if bits == 8:
        check_bits(bits)


@pytest.mark.parametrize("bits", ["4,4", "x", "4,x", "16", "8"])
def test_bad_bits_get_one_sentence(
    bits: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "--bits", bits, "--limit", "1", "--output", tmp_path / "run") == 2
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("mlxjsd: ")


@pytest.mark.slow
def test_several_are_measured_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert call("run", "--bits", "4,2", "--limit", "2", "--layers", "0,31", "--output", folder) == 0
    assert "2 prompts are in all runs; changes are from 4 bits" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["bits-2", "bits-4"]
    assert call("resume", folder / "bits-2") == 0
    assert call("export", folder / "bits-2", "-o", tmp_path / "run.json") == 0
    assert json.loads((tmp_path / "run.json").read_text())["model"]["bits"] == 2
