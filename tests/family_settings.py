"""What the configuration file of a tiny model of each family of MLX-LM would say.

One table of values serves all families, since MLX-LM names a setting alike wherever it can: a
family takes from it the fields that its ``ModelArgs`` has, and says only what it has otherwise.
"""

from typing import Any

HIDDEN, LAYERS, VOCABULARY, HEADS, KEY_HEADS = 64, 4, 97, 4, 2

_COMMON: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "n_embd": HIDDEN,
    "d_model": HIDDEN,
    "dim": HIDDEN,
    "model_dim": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_layers": LAYERS,
    "n_layer": LAYERS,
    "n_layers": LAYERS,
    "num_transformer_layers": LAYERS,
    "intermediate_size": 96,
    "moe_intermediate_size": 32,
    "num_attention_heads": HEADS,
    "n_head": HEADS,
    "n_heads": HEADS,
    "num_key_value_heads": KEY_HEADS,
    "num_kv_heads": KEY_HEADS,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "layer_norm_eps": 1e-5,
    "layer_norm_epsilon": 1e-5,
    "layernorm_epsilon": 1e-5,
    "norm_eps": 1e-5,
    "norm_epsilon": 1e-5,
    "vocab_size": VOCABULARY,
    "rope_theta": 1e4,
    "max_position_embeddings": 64,
    "n_positions": 64,
    "n_ctx": 64,
    "tie_word_embeddings": False,
    "num_experts": 4,
    "n_routed_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "num_experts_per_token": 2,
    "n_shared_experts": 1,
    "num_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "moe_layer_freq": 1,
    "norm_topk_prob": True,
    "routed_scaling_factor": 1.0,
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
    "attention_bias": False,
    "mlp_bias": False,
    "attention_multiplier": 0.25,
    "embedding_multiplier": 1.0,
    "residual_multiplier": 1.0,
    "logits_scaling": 1.0,
}

_SLIDING = ["sliding_attention", "full_attention"] * (LAYERS // 2)
_LINEAR = ["linear_attention", "linear_attention", "linear_attention", "full_attention"]
_DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4,
}
_MAMBA = {
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_d_ssm": 64,
    "mamba_proj_bias": False,
    "mamba_d_state": 32,
    "mamba_d_conv": 4,
    "mamba_n_groups": 1,
    "mamba_conv_bias": True,
    "mamba_expand": 2,
    "mamba_num_heads": 4,
    "mamba_head_dim": 16,
    "ssm_state_size": 32,
    "state_size": 32,
    "conv_kernel": 4,
    "n_groups": 1,
    "use_bias": False,
    "use_conv_bias": True,
}
_KDA = {
    "full_attn_layers": [4],
    "kda_layers": [1, 2, 3],
    "num_heads": 4,
    "head_dim": 32,
    "short_conv_kernel_size": 4,
}
_INDEX = {"index_head_dim": 16, "index_n_heads": 4, "index_topk": 64}
_SMALL_ROPE = {"rope_theta": 1e4, "rope_type": "default"}

#: What a family has otherwise than the common table.
_OWN: dict[str, dict[str, Any]] = {
    "Klear": {"mlp_only_layers": [0], "decoder_sparse_step": 1},
    "afm7": {"hidden_dim": HIDDEN, "num_kv_reuse_layers": 2, "num_heads": HEADS},
    "afmoe": {"layer_types": _SLIDING, "sliding_window": 3, "num_dense_layers": 1},
    "apertus": {"post_norm": False, "qk_norm": True},
    "baichuan_m1": {"sliding_window": 3, "sliding_window_layers": [1, 3], "conv_window": 2},
    "bailing_hybrid": {"layer_group_size": 2, "group_norm_size": 2},
    "bailing_moe_linear": {"layer_group_size": 2, "group_norm_size": 2},
    "bailing_moe_v3": {
        "moe_shared_expert_intermediate_size": 32,
        "layer_group_size": 2,
        "head_dim": 32,
    },
    "cohere2": {"sliding_window": 3, "sliding_window_pattern": 2},
    "dbrx": {
        "attn_config": {"kv_n_heads": KEY_HEADS, "clip_qkv": 8, "rope_theta": 1e4},
        "ffn_config": {"ffn_hidden_size": 96, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "deepseek_v2": {
        "rope_scaling": {
            "type": "yarn",
            "factor": 2.0,
            "original_max_position_embeddings": 32,
            "beta_fast": 32,
            "beta_slow": 1,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
        },
        "topk_method": "greedy",
    },
    "deepseek_v32": _INDEX,
    "glm_moe_dsa": {
        **_INDEX,
        "topk_method": "noaux_tc",
        "scoring_func": "sigmoid",
        "rope_parameters": _SMALL_ROPE,
    },
    "deepseek_v41": {
        "o_groups": 2,
        "o_lora_rank": 16,
        "sliding_window": 4,
        "compress_ratios": (0, 0, 4, 4),
        "index_n_heads": 4,
        "index_head_dim": 32,
        "head_dim": 32,
        "hc_mult": 2,
    },
    "dots1": {"scoring_func": "noaux_tc"},
    "ernie4_5": {"use_bias": False},
    "ernie4_5_moe": {
        "use_bias": False,
        "moe_num_experts": 4,
        "moe_k": 2,
        "moe_layer_start_index": 1,
        "moe_num_shared_experts": 1,
    },
    "exaone4": {"rope_scaling": None, "sliding_window": 3, "sliding_window_pattern": "LG"},
    "exaone_moe": {
        "sliding_window": 3,
        "layer_types": _SLIDING,
        "is_moe_layer": [False, True, True, True],
    },
    "falcon_h1": _MAMBA,
    "gear": {
        "layer_types": ["conv_mixer", "full_attention"] * (LAYERS // 2),
        "sliding_window": 3,
        "query_pre_attn_scalar": 16,
    },
    "gemma3_text": {"sliding_window": 3, "sliding_window_pattern": 2, "query_pre_attn_scalar": 16},
    "gemma3n": {
        "num_kv_shared_layers": 2,
        "vocab_size_per_layer_input": VOCABULARY,
        "sliding_window": 3,
        "rope_local_base_freq": 1e4,
        "final_logit_softcapping": 30.0,
        "layer_types": _SLIDING,
        "activation_sparsity_pattern": [0.0] * LAYERS,
        "hidden_size_per_layer_input": 16,
        "altup_num_inputs": 2,
        "altup_coef_clip": 120.0,
        "altup_correct_scale": True,
        "altup_active_idx": 0,
        "laurel_rank": 8,
    },
    "gemma4_text": {
        "global_head_dim": 16,
        "vocab_size_per_layer_input": VOCABULARY,
        "num_kv_shared_layers": 2,
        "hidden_size_per_layer_input": 16,
        "sliding_window": 3,
        "sliding_window_pattern": 2,
        "layer_types": _SLIDING,
        "final_logit_softcapping": 30.0,
    },
    "glm4": {"partial_rotary_factor": 0.5},
    "glm4_moe": {"rope_scaling": None, "use_qk_norm": True, "partial_rotary_factor": 0.5},
    "gpt_bigcode": {"n_inner": 96},
    "gpt_neox": {"rotary_emb_base": 10000, "rotary_pct": 0.5},
    "gpt_oss": {
        "sliding_window": 3,
        "rope_scaling": {"rope_type": "default"},
        "layer_types": _SLIDING,
    },
    "gptj": {"rotary_dim": 8},
    "granitemoehybrid": {
        **_MAMBA,
        "shared_intermediate_size": 32,
        "layer_types": ["mamba", "attention"] * (LAYERS // 2),
    },
    "hunyuan": {
        "moe_topk": 2,
        "num_shared_expert": 1,
        "use_mixed_mlp_moe": True,
        "use_qk_norm": True,
        "use_cla": True,
        "rope_scaling": {"alpha": 1000.0, "factor": 1.0, "type": "dynamic"},
        "cla_share_factor": 2,
    },
    "iquestloopcoder": {"loop_window_size": 4},
    "jamba": {
        **_MAMBA,
        "attn_layer_offset": 1,
        "attn_layer_period": 2,
        "expert_layer_offset": 1,
        "expert_layer_period": 2,
    },
    "kimi_k3": {
        "linear_attn_config": _KDA,
        "num_key_value_heads": HEADS,
        "activation_situ_beta": 1.0,
        "attn_res_block_size": 2,
        "hidden_act": "situ",
    },
    "kimi_linear": {"linear_attn_config": _KDA, "model_max_length": 64},
    "kimi_vl": {"num_key_value_heads": HEADS},
    "laguna": {
        "sliding_window": 3,
        "layer_types": _SLIDING,
        "num_attention_heads_per_layer": [HEADS] * LAYERS,
        "shared_expert_intermediate_size": 32,
        "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
    },
    "lfm2": {
        "conv_bias": False,
        "conv_L_cache": 3,
        "block_dim": HIDDEN,
        "block_ff_dim": 96,
        "block_multiple_of": 8,
        "block_ffn_dim_multiplier": 1.0,
        "block_auto_adjust_ff_dim": False,
        "full_attn_idxs": [1, 3],
    },
    "lfm2_moe": {
        "use_expert_bias": True,
        "num_dense_layers": 1,
        "conv_bias": False,
        "conv_L_cache": 3,
        "full_attn_idxs": [1, 3],
    },
    "lille-130m": {"block_size": 64, "n_kv_heads": KEY_HEADS},
    "llama": {"layer_types": _SLIDING, "sliding_window": 3},
    "llama4_text": {
        "intermediate_size_mlp": 96,
        "no_rope_layers": [1, 1, 1, 0],
        "use_qk_norm": True,
    },
    "llama4": {
        "num_experts_per_tok": 1,
        "attention_chunk_size": 4,
        "interleave_moe_layer_step": 2,
        "intermediate_size_mlp": 96,
        "use_qk_norm": True,
        "rope_scaling": None,
    },
    "longcat_flash": {
        "attention_method": "MLA",
        "zero_expert_type": "identity",
        "ffn_hidden_size": 96,
        "moe_topk": 2,
        "expert_ffn_hidden_size": 32,
        "zero_expert_num": 2,
        "mla_scale_q_lora": True,
        "mla_scale_kv_lora": True,
    },
    "mamba": {**_MAMBA, "time_step_rank": 8, "intermediate_size": 128},
    "mamba2": {
        **_MAMBA,
        "num_heads": 4,
        "time_step_limit": (0.0, 100.0),
        "time_step_rank": 8,
        "head_dim": 32,
    },
    "mellum": {
        "sliding_window": 3,
        "layer_types": _SLIDING,
        "rope_parameters": dict.fromkeys(("full_attention", "sliding_attention"), _SMALL_ROPE),
    },
    "mimo_v2_flash": {
        "hybrid_layer_pattern": [1, 0] * (LAYERS // 2),
        "add_swa_attention_sink_bias": True,
        "add_full_attention_sink_bias": False,
        "sliding_window_size": 3,
        "topk_method": "noaux_tc",
        "scoring_func": "sigmoid",
        "swa_rope_theta": 1e4,
        "swa_num_attention_heads": HEADS,
        "swa_num_key_value_heads": KEY_HEADS,
        "swa_head_dim": 16,
        "swa_v_head_dim": 16,
        "partial_rotary_factor": 0.5,
        "moe_layer_freq": [0, 1, 1, 1],
    },
    "minicpm": {"dim_model_base": HIDDEN, "scale_depth": 1.4, "scale_emb": 2.0},
    "minicpm3": {
        "dim_model_base": HIDDEN,
        "scale_depth": 1.4,
        "scale_emb": 2.0,
        "rope_scaling": {
            "original_max_position_embeddings": 64,
            "short_factor": [1.0] * 4,
            "long_factor": [1.0] * 4,
        },
    },
    "minimax": {"shared_intermediate_size": 96, "rotary_dim": 8},
    "minimax_m3_vl": {
        "shared_intermediate_size": 32,
        "dense_intermediate_size": 96,
        "rotary_dim": 8,
        "moe_layer_freq": [0, 1, 1, 1],
    },
    "ministral3": {
        "rope_parameters": {
            **_SMALL_ROPE,
            "llama_4_scaling_beta": 0.1,
            "original_max_position_embeddings": 4,
        },
        "layer_types": _SLIDING,
        "sliding_window": 3,
    },
    "mistral4": {
        "num_key_value_heads": HEADS,
        "rope_parameters": {
            **_SMALL_ROPE,
            "llama_4_scaling_beta": 0.1,
            "original_max_position_embeddings": 4,
        },
    },
    "muse_glimmer": {
        "sliding_window": 3,
        "layer_types": _SLIDING,
        "layer_rope_theta": [1e4] * LAYERS,
    },
    "nemotron": {"hidden_act": "relu2"},
    "nemotron-nas": {
        "block_configs": [
            {
                "attention": {"n_heads_in_group": 2, "no_op": False, "replace_with_linear": False},
                "ffn": {"ffn_mult": 1.5, "no_op": False, "replace_with_linear": False},
            }
            for _ in range(LAYERS)
        ]
    },
    "nemotron_h": {**_MAMBA, "hybrid_override_pattern": ["M", "*", "-", "*"]},
    "olmo3": {"sliding_window": 3, "layer_types": _SLIDING},
    "olmo_hybrid": {**_DELTA, "linear_allow_neg_eigval": True, "layer_types": _LINEAR},
    "openelm": {
        "ffn_dim_divisor": 8,
        "num_query_heads": [HEADS] * LAYERS,
        "num_kv_heads": [KEY_HEADS] * LAYERS,
        "ffn_multipliers": [1.5] * LAYERS,
    },
    "phi3small": {
        "vocab_size": 100352,  # it masks tokens by number
        "dense_attention_every_n_layers": 1,
        "ff_intermediate_size": 96,
        "gegelu_limit": 20.0,
    },
    "phixtral": {"num_vocab": VOCABULARY, "num_heads": HEADS, "rotary_dim": 8},
    "plamo": {"n_shared_head": 2},
    "plamo2": {
        **_MAMBA,
        "hidden_size_per_head": 32,
        "mamba_step": 2,
        "attention_window_size": 64,
    },
    "plamo3": {"window_size": 3, "sliding_window": 3, "sliding_window_pattern": 2},
    "qwen": {"kv_channels": 16, "num_key_value_heads": HEADS},
    "qwen2_moe": {"shared_expert_intermediate_size": 32},
    "qwen3_5_moe": {**_DELTA, "full_attention_interval": 2, "shared_expert_intermediate_size": 32},
    "qwen3_moe": {"decoder_sparse_step": 1, "mlp_only_layers": []},
    "qwen3_next": {
        **_DELTA,
        "full_attention_interval": 2,
        "decoder_sparse_step": 1,
        "shared_expert_intermediate_size": 32,
        "mlp_only_layers": [],
        "partial_rotary_factor": 0.5,
    },
    "recurrent_gemma": {
        "conv1d_width": 4,
        "logits_soft_cap": 30.0,
        "attention_window_size": 64,
        "block_types": ["recurrent", "attention"],
    },
    "rwkv7": {
        "a_low_rank_dim": 8,
        "v_low_rank_dim": 8,
        "gate_low_rank_dim": 8,
        "decay_low_rank_dim": 8,
        "head_dim": 32,
    },
    "solar_open": {"partial_rotary_factor": 0.5},
    "spark2_5": {
        "sliding_window": 3,
        "rope_parameters": dict.fromkeys(("full_attention", "sliding_attention"), _SMALL_ROPE),
        "layer_types": _SLIDING,
    },
    "stablelm": {"use_qkv_bias": False, "partial_rotary_factor": 0.5},
    "step3p5": {
        "num_attention_groups": KEY_HEADS,
        "sliding_window": 3,
        "layer_types": _SLIDING,
        "moe_num_experts": 4,
        "moe_top_k": 2,
        "share_expert_dim": 32,
    },
}
_OWN["longcat_flash_ngram"] = {
    **_OWN["longcat_flash"],
    "ngram_vocab_size_ratio": 3,
    "emb_split_num": 2,
    "emb_neighbor_num": 2,
}
_OWN["qwen3_5"] = {**_OWN["qwen3_5_moe"], "num_experts": 0}
_PACKED = {"path": "model.layers.0.mlp.down_proj", "embedding": False, "block": 0}
_OWN["prism_hadamard_qwen35"] = {**_OWN["qwen3_5"], "intermediate_size": 128}
_OUTSIDE: dict[str, dict[str, Any]] = {
    "prism_hadamard_qwen35": {
        "tensor_namespace": "mlx-vlm-qwen3_5",
        "quantization": {"bits": 2, "group_size": 128, "mode": "affine"},
        "modules": [{**_PACKED, "dtype": "float16"}],
    }
}
_OWN["muse_spark"] = {
    "post_norm_eps": 1e-8,
    "rope_parameters": _SMALL_ROPE,
    "layer_rope_theta": [1e4] * LAYERS,
    "layer_types": _SLIDING,
    "sliding_window": 3,
    "final_logit_softcapping": 20.0,
    "output_multiplier": 0.2,
    "moe_hidden_size": 32,
    "num_shared_experts": 0,
}

#: Families that wrap another one's text model: the family of the settings inside.
_WRAPPED = {
    "gemma3": "gemma3_text",
    "gemma3n": "gemma3n",
    "gemma4": "gemma4_text",
    "kimi_k25": "deepseek_v3",
    "kimi_k3": "kimi_k3",
    "kimi_vl": "kimi_vl",
    "lfm2-vl": "lfm2",
    "llama4": "llama4",
    "minimax_m3_vl": "minimax_m3_vl",
    "mistral3": "ministral3",
    "muse_spark": "muse_spark",
    "pixtral": "llama",
    "prism_hadamard_qwen35": "prism_hadamard_qwen35",
    "qwen2_vl": "qwen2",
    "qwen3_5": "qwen3_5",
    "qwen3_5_moe": "qwen3_5_moe",
    "qwen3_vl": "qwen3",
    "qwen3_vl_moe": "qwen3_moe",
}


def settings_of(family: str) -> dict[str, Any]:
    """What its configuration file would say."""
    inner = _WRAPPED.get(family)
    if inner is None:
        return {"model_type": family, **_COMMON, **_OWN.get(family, {})}
    text = {**_COMMON, **_OWN.get(inner, {}), "model_type": inner}
    outside = _OUTSIDE.get(family, {})
    return {"model_type": family, "vocab_size": VOCABULARY, "text_config": text, **outside}


#: Families whose heads cannot be made wider or narrower by the settings of ``heads_of`` alone.
FIXED_HEADS = {"bitnet", "cohere2", "exaone", "gptj", "openelm", "phi", "qwen"}


def heads_of(heads: int, key_heads: int, depth: int) -> dict[str, int]:
    """What its configuration file would say of a model's attention heads."""
    return {
        **dict.fromkeys(("num_attention_heads", "n_head", "n_heads"), heads),
        **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), key_heads),
        **dict.fromkeys(("head_dim", "qk_nope_head_dim", "v_head_dim"), depth),
    }
