"""A Llama model in a GGUF file becomes a folder that MLX-LM loads, with the same quantized weights.

MLX reads the file's blocks of 4 and 8 bits (Q4_0, Q4_1, Q8_0) as its own groups of 32 weights, a
scale and an offset for each, so nothing is quantized a second time. What is left is names, the
order of rows in the projections that are rotated, and the tokenizer.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlxjsd.errors import InputError, said_by

#: Weights in a group, as GGUF has them.
GROUP_SIZE = 32
#: GGUF's kind of a token that is no text, such as <|im_end|>.
_CONTROL = 3
_BLOCK = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_AROUND = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def convert_gguf(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file into ``folder``; equal files give equal bytes everywhere.

    Args:
        file: of a model of Llama's architecture, with a byte-level BPE tokenizer.
        folder: an empty one.

    Raises:
        InputError: if it is not such a file.
    """
    from safetensors.numpy import save_file

    try:
        loaded: Any = mx.load(str(file), return_metadata=True)
        raw, about = loaded
        heads, kv_heads = (_number(about, f"attention.head_count{n}") for n in ("", "_kv"))
        weights = dict(_renamed(raw, int(heads), int(kv_heads)))
        config = _config(about, weights)
        tokenizer, tokenizer_config = _tokenizer(about), _tokenizer_config(about)
    except (RuntimeError, LookupError, ValueError, TypeError) as error:
        raise InputError(
            f"{file} is not a model that can be converted: {said_by(error, 200)}",
            hint="name a model folder of MLX-LM",
        ) from error
    # Not by MLX: the order in which it writes weights depends on the machine.
    arrays = {name: np.array(value) for name, value in weights.items()}
    save_file(arrays, folder / "model.safetensors", metadata={"format": "mlx"})
    for name, content in (
        ("config.json", config),
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", tokenizer_config),
    ):
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


def _number(about: dict[str, Any], key: str) -> float:
    value: float = about[f"llama.{key}"].item()
    return value


def _renamed(raw: dict[str, mx.array], heads: int, kv_heads: int) -> Iterator[tuple[str, mx.array]]:
    """Yield the weights under MLX-LM's names."""
    rotated = {"attn_q": heads, "attn_k": kv_heads}
    for name, value in raw.items():
        module, part = name.rsplit(".", 1)
        if found := re.fullmatch(r"blk\.(\d+)\.(\w+)", module):
            layer, kind = found.groups()
            if kind in rotated:
                value = _rows_back(value, rotated[kind])
            yield f"model.layers.{layer}.{_BLOCK[kind]}.{part}", value
        else:
            yield f"{_AROUND[module]}.{part}", value


def _rows_back(rows: mx.array, heads: int) -> mx.array:
    """Undo GGUF's order of a head's rows: pairs that are rotated together lie side by side."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, half, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def _config(about: dict[str, Any], weights: dict[str, mx.array]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": _number(about, "embedding_length"),
        "intermediate_size": _number(about, "feed_forward_length"),
        "num_hidden_layers": _number(about, "block_count"),
        "num_attention_heads": _number(about, "attention.head_count"),
        "num_key_value_heads": _number(about, "attention.head_count_kv"),
        "rms_norm_eps": _number(about, "attention.layer_norm_rms_epsilon"),
        "rope_theta": _number(about, "rope.freq_base"),
        "max_position_embeddings": _number(about, "context_length"),
        "vocab_size": _number(about, "vocab_size"),
        "tie_word_embeddings": not any(name.startswith("lm_head") for name in weights),
        "bos_token_id": about["tokenizer.ggml.bos_token_id"].item(),
        "eos_token_id": about["tokenizer.ggml.eos_token_id"].item(),
        "torch_dtype": "float16",
        **_quantization(weights),
    }


def _quantization(weights: dict[str, mx.array]) -> dict[str, Any]:
    """Return what MLX-LM has to know of the quantized weights; nothing if there are none."""
    bits = {}
    for name, scales in weights.items():
        if name.endswith(".scales"):
            module = name.removesuffix(".scales")
            packed = weights[f"{module}.weight"].shape[-1] * 32
            bits[module] = packed // (scales.shape[-1] * GROUP_SIZE)
    if not bits:
        return {}
    commonest = Counter(bits.values()).most_common(1)[0][0]
    found: dict[str, Any] = {"group_size": GROUP_SIZE, "bits": commonest}
    for module, own in bits.items():
        if own != commonest:
            found[module] = {"group_size": GROUP_SIZE, "bits": own}
    return {"quantization": found}


def _tokenizer(about: dict[str, Any]) -> dict[str, Any]:
    """Return the tokenizer as the tokenizers library stores it.

    Written by hand, since the library's own text changes with its version, and the hash of a
    model with it.
    """
    tokens = about["tokenizer.ggml.tokens"]
    kinds = about["tokenizer.ggml.token_type"].tolist()
    added = [
        {
            "id": index,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for index, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind == _CONTROL
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [digits, {**byte_level, "use_regex": True}],
        },
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: index for index, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in about["tokenizer.ggml.merges"]],
        },
    }


def _tokenizer_config(about: dict[str, Any]) -> dict[str, Any]:
    tokens = about["tokenizer.ggml.tokens"]
    found = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[about["tokenizer.ggml.bos_token_id"].item()],
        "eos_token": tokens[about["tokenizer.ggml.eos_token_id"].item()],
        "add_bos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": int(_number(about, "context_length")),
    }
    if template := about.get("tokenizer.chat_template"):
        found["chat_template"] = template
    return found
