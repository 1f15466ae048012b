"""GGUF files become MLX-LM folders: the same logits, the same tokens, the same bytes each time."""

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from mlx_lm.models import llama
from mlx_lm.utils import load

from mlxjsd.errors import InputError
from mlxjsd.model.gguf import convert_gguf

HEADS, KV_HEADS, WIDTH, LAYERS = 4, 2, 64, 3
#: Two pieces that are merged, and one token that is no text.
TOKENS = [*"abcdefghijklmnopqrstuvwxyz", "Ġ", "ab", "Ġab", "<|end|>", "<|start|>"]
MERGES = ["a b", "Ġ ab"]
GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def model() -> llama.Model:
    mx.random.seed(0)
    arguments = {
        "model_type": "llama",
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "intermediate_size": 96,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-5,
        "vocab_size": len(TOKENS),
        "rope_theta": 10000.0,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
    }
    made = llama.Model(llama.ModelArgs.from_dict(arguments))
    made.apply(lambda a: 0.2 * mx.random.normal(a.shape) if a.ndim > 1 else a)
    return made


def interleaved(rows: mx.array, heads: int) -> mx.array:
    """As llama.cpp orders a head's rows: the two halves take turns."""
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, -1)
    return mx.stack([halves[:, 0], halves[:, 1]], axis=2).reshape(rows.shape)


def write(file: Path, made: llama.Model, **without: object) -> None:
    weights = {}
    for name, value in tree_flatten(made.parameters()):
        if name.startswith("model.layers."):
            _, _, layer, module = name.split(".", 3)
            module, part = module.rsplit(".", 1)
            heads = {"self_attn.q_proj": HEADS, "self_attn.k_proj": KV_HEADS}.get(module)
            value = value if heads is None else interleaved(value, heads)
            weights[f"blk.{layer}.{GGUF_NAMES[module]}.{part}"] = value
        else:
            new = {"model.embed_tokens.weight": "token_embd", "model.norm.weight": "output_norm"}
            weights[f"{new[name]}.weight"] = value
    numbers = {
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "embedding_length": WIDTH,
        "feed_forward_length": 96,
        "block_count": LAYERS,
        "context_length": 64,
        "vocab_size": len(TOKENS),
    }
    about = {f"llama.{key}": mx.array(value, mx.uint32) for key, value in numbers.items()}
    about["llama.attention.layer_norm_rms_epsilon"] = mx.array(1e-5)
    about["llama.rope.freq_base"] = mx.array(10000.0)
    about["tokenizer.ggml.tokens"] = TOKENS
    about["tokenizer.ggml.merges"] = MERGES
    kinds = [3 if token.startswith("<|") else 1 for token in TOKENS]
    about["tokenizer.ggml.token_type"] = mx.array(kinds, mx.int32)
    about["tokenizer.ggml.eos_token_id"] = mx.array(TOKENS.index("<|end|>"), mx.uint32)
    about["tokenizer.ggml.bos_token_id"] = mx.array(TOKENS.index("<|start|>"), mx.uint32)
    mx.save_gguf(str(file), weights, {k: v for k, v in about.items() if k not in without})


def test_the_logits_are_those_of_the_model(tmp_path: Path) -> None:
    made, folder = model(), tmp_path / "model"
    folder.mkdir()
    write(tmp_path / "model.gguf", made)
    convert_gguf(tmp_path / "model.gguf", folder)
    found, tokenizer = load(str(folder))
    tokens = mx.array([[3, 1, 4, 1, 5, 9, 2, 6]])
    np.testing.assert_allclose(np.array(found(tokens)), np.array(made(tokens)), atol=1e-5)
    assert tokenizer.encode("cab ab", add_special_tokens=False) == [2, 27, 28]
    assert tokenizer.decode([2, 27, 28]) == "cab ab"
    assert tokenizer.encode("c<|end|>", add_special_tokens=False) == [2, TOKENS.index("<|end|>")]
    assert tokenizer.eos_token_ids == {TOKENS.index("<|end|>")}


def test_the_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    write(tmp_path / "model.gguf", model())
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        convert_gguf(tmp_path / "model.gguf", folder)
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert found[0] == found[1]
    assert set(found[0]) == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["llama.block_count", "tokenizer.ggml.tokens"])
def test_what_lacks_something_is_refused(key: str, tmp_path: Path) -> None:
    write(tmp_path / "model.gguf", model(), **{key: None})
    with pytest.raises(InputError, match="is not a model that can be converted"):
        convert_gguf(tmp_path / "model.gguf", tmp_path)


def test_what_is_no_gguf_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(20))
    with pytest.raises(InputError, match="is not a model that can be converted"):
        convert_gguf(tmp_path / "model.gguf", tmp_path)
