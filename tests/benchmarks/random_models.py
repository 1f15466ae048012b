"""Models of real sizes with random weights: what they cost does not depend on what they know."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.models import llama

from mlxjsd.interventions.spec import Batch
from mlxjsd.model.blocks import Blocks

#: Llama-3-8B's configuration.
LLAMA_3_8B = {
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "rope_theta": 500000.0,
}


def random_llama(quantized: bool = False, dtype: mx.Dtype = mx.float32, **sizes: float) -> Blocks:
    """A random Llama; at 4 bits its weights are drawn as they are stored, never as numbers."""
    mx.random.seed(0)
    rng = np.random.default_rng(0)
    model = llama.Model(
        llama.ModelArgs(model_type="llama", rms_norm_eps=1e-5, tie_word_embeddings=False, **sizes)
    )
    model.set_dtype(dtype)
    if quantized:
        nn.quantize(model, group_size=64, bits=4)  # lazily: what it would compute is replaced
        for layer in model.modules():
            if isinstance(layer, nn.QuantizedLinear | nn.QuantizedEmbedding):
                _draw(layer, rng)
    for part in (*model.layers, model):
        mx.eval(part.parameters())
    model.eval()
    mx.clear_cache()
    return Blocks(model)


def _draw(layer: nn.Module, rng: np.random.Generator) -> None:
    """Draw 4-bit weights: sixteen steps about 0, as wide as those that a model begins with."""
    step = 1 / (4 * layer.scales.shape[-1] * 64) ** 0.5
    packed = rng.integers(0, 2**32, layer.weight.shape, dtype=np.uint32)
    layer.weight = mx.array(packed)
    layer.scales = mx.full(layer.scales.shape, step, layer.scales.dtype)
    layer.biases = mx.full(layer.biases.shape, -7.5 * step, layer.biases.dtype)


def random_prompts(
    blocks: Blocks, size: int, length: int = 14, start: int = 4, tail: int = 2, samples: int = 1
) -> Batch:
    """Random prompts of one shape, with noise on their subjects."""
    rng = np.random.default_rng(0)
    args, end = blocks.model.args, length - tail
    tokens = rng.integers(0, args.vocab_size, (size, length), dtype=np.int32)
    noise = rng.standard_normal((size, samples, end - start, args.hidden_size), dtype=np.float32)
    return Batch(tokens, np.full(size, start, np.int32), end, noise=noise * np.float32(0.06))
