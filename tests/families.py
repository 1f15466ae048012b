"""Which path measures each family of MLX-LM, and a tiny random model of each; no download."""

import importlib
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from family_settings import settings_of

#: Families whose blocks pass on nothing but the residual stream, and keep keys and values.
ONE_PASS = [
    "Klear",
    "afmoe",
    "apertus",
    "bailing_moe",
    "bitnet",
    "cohere",
    "cohere2",
    "dbrx",
    "deepseek",
    "deepseek_v2",
    "deepseek_v3",
    "dots1",
    "ernie4_5",
    "ernie4_5_moe",
    "exaone",
    "exaone4",
    "exaone_moe",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "glm",
    "glm4",
    "glm4_moe",
    "glm4_moe_lite",
    "gpt2",
    "gpt_bigcode",
    "gpt_neox",
    "gpt_oss",
    "gptj",
    "granite",
    "granitemoe",
    "helium",
    "hunyuan_v1_dense",
    "internlm2",
    "internlm3",
    "kimi_k25",
    "kimi_vl",
    "laguna",
    "lille-130m",
    "llama",
    "llama4",
    "llama4_text",
    "mellum",
    "mimo",
    "mimo_v2_flash",
    "minicpm",
    "minicpm3",
    "minimax",
    "ministral3",
    "mistral3",
    "mistral4",
    "mixtral",
    "muse_glimmer",
    "nanbeige",
    "nanochat",
    "nemotron",
    "nemotron-nas",
    "olmo2",
    "olmo3",
    "olmoe",
    "openelm",
    "phi",
    "phi3",
    "phimoe",
    "phixtral",
    "pixtral",
    "plamo",
    "plamo3",
    "qwen",
    "qwen2",
    "qwen2_moe",
    "qwen2_vl",
    "qwen3",
    "qwen3_moe",
    "qwen3_vl",
    "qwen3_vl_moe",
    "seed_oss",
    "smollm3",
    "solar_open",
    "spark2_5",
    "stablelm",
    "starcoder2",
    "step3p5",
    "telechat3",
    "youtu_llm",
]

_CONVOLUTION = "convolutions in some blocks"
_LINEAR_ATTENTION = "linear attention in some blocks"
_MAMBA_BLOCKS = "Mamba in some blocks"
_INDEXER = "a list of caches in each block, for its indexer"

#: Families of which each cell is a pass of its own, and why.
PLAIN = {
    "afm7": "later blocks read the keys and values of an earlier one",
    "baichuan_m1": "convolutions over keys and values",
    "bailing_hybrid": _LINEAR_ATTENTION,
    "bailing_moe_linear": _LINEAR_ATTENTION,
    "bailing_moe_v3": _LINEAR_ATTENTION,
    "deepseek_v32": _INDEXER,
    "falcon_h1": "attention and Mamba side by side in each block",
    "gear": _CONVOLUTION,
    "gemma3n": "each block reads inputs of its own beside the residual streams",
    "gemma4": "later blocks read the keys and values of an earlier one, each the token itself",
    "gemma4_text": "later blocks read the keys and values of an earlier one, each the token itself",
    "glm_moe_dsa": _INDEXER,
    "granitemoehybrid": _MAMBA_BLOCKS,
    "hunyuan": "every other block reads the keys and values of the one before",
    "jamba": _MAMBA_BLOCKS,
    "kimi_linear": _LINEAR_ATTENTION,
    "lfm2": _CONVOLUTION,
    "lfm2-vl": _CONVOLUTION,
    "lfm2_moe": _CONVOLUTION,
    "longcat_flash": "two attentions in each block",
    "longcat_flash_ngram": "two attentions in each block",
    "mamba": "no attention at all",
    "mamba2": "no attention at all",
    "minimax_m3_vl": _INDEXER,
    "nemotron_h": _MAMBA_BLOCKS,
    "olmo_hybrid": _LINEAR_ATTENTION,
    "plamo2": _MAMBA_BLOCKS,
    "prism_hadamard_qwen35": _LINEAR_ATTENTION,
    "qwen3_5": _LINEAR_ATTENTION,
    "qwen3_5_moe": _LINEAR_ATTENTION,
    "qwen3_next": _LINEAR_ATTENTION,
    "recurrent_gemma": "recurrence in some blocks",
    "rwkv7": "no attention at all",
    "talkie": "each block reads the embeddings beside the residual stream",
}

#: Families that are refused when they are loaded: what the message says, and why.
REFUSED = {
    "deepseek_v41": ("reads earlier blocks", "its blocks share compressed keys and values"),
    "iquestloopcoder": ("does not take a mask or a cache", "its blocks are called in parts"),
    "kimi_k3": ("reads earlier blocks", "each block reads all earlier ones"),
    "muse_spark": ("reads earlier blocks", "each block prepares what the next one attends with"),
    "olmo": ("ai2-olmo", "MLX-LM needs the package ai2-olmo for it"),
    "phi3small": ("lets a token see later ones", "MLX-LM does not mask later tokens in it"),
}

#: How many times its weights are enlarged, where twice would leave the edits too small.
_GAIN = {"cohere": 6, "cohere2": 6, "muse_glimmer": 4, "rwkv7": 4, "talkie": 6}


def tiny_family(family: str, **own: Any) -> nn.Module:
    """A random model of ``family`` whose edits change a lot, so that a wrong one cannot hide."""
    module = importlib.import_module(f"mlx_lm.models.{family}")
    settings = settings_of(family)
    settings.get("text_config", settings).update(own)
    mx.random.seed(0)
    with pytest.MonkeyPatch.context() as patch:
        if family == "bitnet":  # its ternary layers are a Metal kernel
            patch.setattr(module, "BitLinear", nn.Linear)
        model = module.Model(module.ModelArgs.from_dict(settings))
    model.apply(lambda a: _enlarged(a, _GAIN.get(family, 2)))
    mx.eval(model.parameters())
    model.eval()
    return model


def _enlarged(a: mx.array, gain: float) -> mx.array:
    if not mx.issubdtype(a.dtype, mx.floating):
        return a
    if not mx.any(a).item():  # gates, sinks and biases that training would move from zero
        return 0.4 * mx.random.normal(a.shape)
    return a * gain if a.ndim > 1 else a
