"""Tiny random models with the bundled tokenizer, and LoRA adapters of them."""

import json
import shutil
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models import llama
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import load

from mlxjsd.assets import MODEL

CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": True,
}
LORA = {"rank": 4, "scale": 8.0, "dropout": 0.1}


def tiny_model(folder: Path, quantized: bool = False, **changes: int) -> Path:
    """Write a random model with the bundled tokenizer."""
    vocabulary = json.loads((MODEL / "config.json").read_text())["vocab_size"]
    config = {**CONFIG, "vocab_size": vocabulary, **changes}
    mx.random.seed(0)
    module = llama.Model(llama.ModelArgs.from_dict(config))
    if quantized:
        from mlx_lm.utils import quantize_model

        module, config = quantize_model(module, config, 32, 4)
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(MODEL / name, folder / name)
    (folder / "config.json").write_text(json.dumps(config))
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(module.parameters())))
    return folder


def adapter_of(model: Path, folder: Path, seed: int = 1) -> Path:
    """Write an adapter that changes a lot, as `mlx_lm.lora` lays one out."""
    module, _ = load(str(model))
    module.freeze()
    linear_to_lora_layers(module, 2, LORA)
    mx.random.seed(seed)
    weights = {
        name: mx.random.normal(value.shape) * 0.1
        for name, value in tree_flatten(module.trainable_parameters())
    }
    assert weights
    folder.mkdir()
    mx.save_safetensors(str(folder / "adapters.safetensors"), weights)
    config = {"fine_tune_type": "lora", "num_layers": 2, "lora_parameters": LORA}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder
