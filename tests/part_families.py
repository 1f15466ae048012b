"""Of which families of MLX-LM the parts of a block are found: each entry is a test."""

from families import ONE_PASS, PLAIN

_TWO_MLPS = "two outputs enter that may be the MLP's"
#: Families whose parts cannot be told apart, and why.
NO_PARTS = {
    "afm7": "attention over the keys and values of an earlier block",
    "falcon_h1": "Mamba beside attention in each block",
    "gemma3n": "several residual streams",
    "gemma4": _TWO_MLPS,
    "gemma4_text": _TWO_MLPS,
    "granitemoehybrid": _TWO_MLPS,
    "hunyuan": "attention over the keys and values of an earlier block",
    "longcat_flash": "two attentions in each block",
    "longcat_flash_ngram": "two attentions in each block",
    "rwkv7": "its step is not the sum of two modules' outputs",
    "talkie": "each block adds the embeddings",
}
#: Families in which a norm stands behind a part, so that its output is what enters.
BEHIND_NORMS = [
    "afmoe",
    "exaone4",
    "gear",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "glm4",
    "muse_glimmer",
    "olmo2",
    "olmo3",
    "olmo_hybrid",
    "plamo2",
    "plamo3",
]
#: Families that scale what enters, by settings of the tiny models.
SCALED = ["minicpm", "minicpm3"]
#: Families with blocks that mix tokens otherwise than by attention.
MIXERS = [
    "bailing_hybrid",
    "bailing_moe_linear",
    "bailing_moe_v3",
    "gear",
    "jamba",
    "kimi_linear",
    "lfm2",
    "lfm2-vl",
    "lfm2_moe",
    "mamba",
    "mamba2",
    "nemotron_h",
    "olmo_hybrid",
    "plamo2",
    "prism_hadamard_qwen35",
    "qwen3_5",
    "qwen3_5_moe",
    "qwen3_next",
    "recurrent_gemma",
]
#: Families whose blocks have one part each; the others' have two.
SINGLE = ["mamba", "mamba2", "nemotron_h"]

MEASURED = [*ONE_PASS, *PLAIN]
