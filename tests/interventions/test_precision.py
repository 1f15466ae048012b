"""Half precision and quantization: the one pass against one pass for every cell.

The rule is that of ``mlxjsd.interventions.invariants``: the roots of two divergences may differ
by four times the root of the noise floor and four units in the last place; the floor itself keeps
to its limit.
"""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from families import tiny_family
from family_settings import VOCABULARY
from mlx_lm.utils import load_tokenizer
from models import random_batch
from records import SUBJ

from mlxjsd.assets import MODEL
from mlxjsd.errors import UnsupportedModel
from mlxjsd.interventions.invariants import agreement, null_limit
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.cpu import on_gpu
from mlxjsd.model.load import load_model
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.settings import Settings

DENSE = ["llama", "qwen3", "gemma2", "phi3", "cohere2"]
# On a CPU, MLX multiplies the experts of a mixture in float32, or quantized.
SETTINGS = Settings(window=3)
MIXTURES = ["mixtral", "deepseek_v3", "gpt_oss"]


def _assert_agree(model: nn.Module, dtype: str) -> None:
    blocks = Blocks(model)
    assert blocks.anatomy.trouble is None
    for kind in ("noise", "swap"):
        batch = random_batch(kind, size=2, length=8, end=5, starts=[1, 3], vocabulary=VOCABULARY)
        swept, plain = (
            sweep_batch(blocks, batch, SETTINGS),
            reference_batch(blocks, batch, SETTINGS),
        )
        floor = float(max(swept.floor.max(), plain.floor.max()))
        assert floor <= null_limit(dtype)
        for name in ("jsd", "reliance"):
            found = agreement(name, getattr(swept, name), getattr(plain, name), dtype, floor)
            assert found.passed, found
        assert swept.jsd[:, SUBJ].max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("family", DENSE)
def test_half_precision(family: str, dtype: str) -> None:
    model = tiny_family(family)
    model.set_dtype(getattr(mx, dtype))
    _assert_agree(model, dtype)


@pytest.mark.parametrize(("bits", "group"), [(4, 32), (4, 64), (8, 32), (8, 64)])
@pytest.mark.parametrize("family", [*DENSE, *MIXTURES])
def test_quantized(family: str, bits: int, group: int) -> None:
    model = tiny_family(family)

    def fits(_: str, layer: nn.Module) -> bool:
        return hasattr(layer, "to_quantized") and layer.weight.shape[-1] % group == 0

    nn.quantize(model, group, bits, class_predicate=fits)
    assert any(isinstance(m, nn.QuantizedLinear) for m in model.modules())
    _assert_agree(model, "float32")


@pytest.mark.skipif(on_gpu(), reason="a GPU runs it")
def test_what_mlx_cannot_run_here_is_refused_in_a_sentence(
    bundled: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_family("mixtral")
    model.set_dtype(mx.float16)
    config = {"model_type": "mixtral"}
    monkeypatch.setattr("mlxjsd.model.load._load", lambda *_: (model, bundled.tokenizer, config))
    monkeypatch.setattr("mlxjsd.model.cpu.SHARE", 0.0)  # in float32 it would run
    with pytest.raises(UnsupportedModel, match="MLX cannot run the model on this machine"):
        load_model()


def test_numbers_beyond_the_data_type_are_refused() -> None:
    model = tiny_family("llama")
    model.set_dtype(mx.float16)
    model.layers[1].mlp.down_proj.weight *= 60000
    with pytest.raises(UnsupportedModel, match="block 1 leaves numbers that are too large for flo"):
        _ = Blocks(model).anatomy


@pytest.mark.parametrize(("family", "path"), [("llama", "one pass"), ("qwen3_next", "plain")])
def test_a_loaded_model_says_its_path(
    family: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = (tiny_family(family), load_tokenizer(MODEL), {"model_type": family})
    monkeypatch.setattr("mlxjsd.model.load._load", lambda *_: found)
    loaded = load_model()
    assert loaded.identity.to_json()["path"] == path
    told = [note for note in loaded.notes if "one forward pass a cell, since block 0" in note]
    assert bool(told) == (path == "plain")


def test_a_difference_beyond_rounding_is_noticed() -> None:
    a = np.array([0.0, 0.3, np.nan])
    assert agreement("", a, a + 9e-6, "float32", 0.0).passed
    assert not agreement("", a, a + 2e-5, "float32", 0.0).passed
    assert agreement("", a, a + 2e-5, "float32", 2e-6).passed
    assert not agreement("", a, a + 0.1, "bfloat16", 1e-4).passed
    assert not agreement("", a, np.nan_to_num(a), "bfloat16", 1.0).passed
