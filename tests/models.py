"""Tiny random models of several families, and random batches for them; no download."""

from dataclasses import replace

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx_lm.models import gemma2, llama, mixtral, qwen3

from mlxjsd.interventions.spec import Batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.rows import Row

VOCABULARY, HIDDEN, LAYERS = 199, 64, 5
SIZES = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "vocab_size": VOCABULARY,
}


def _llama() -> nn.Module:
    return llama.Model(llama.ModelArgs(model_type="llama", **SIZES))


def _llama_sliding() -> nn.Module:
    kinds = ["sliding_attention", "full_attention"] * LAYERS
    args = llama.ModelArgs(
        model_type="llama", **SIZES, layer_types=kinds[:LAYERS], sliding_window=3
    )
    return llama.Model(args)


def _qwen3() -> nn.Module:
    args = qwen3.ModelArgs(
        model_type="qwen3",
        **SIZES,
        head_dim=16,
        max_position_embeddings=64,
        rope_theta=1e4,
        tie_word_embeddings=True,
    )
    return qwen3.Model(args)


def _gemma2() -> nn.Module:
    return gemma2.Model(gemma2.ModelArgs(model_type="gemma2", **SIZES, head_dim=16))


def _mixtral() -> nn.Module:
    return mixtral.Model(
        mixtral.ModelArgs(model_type="mixtral", **SIZES, num_local_experts=4, num_experts_per_tok=2)
    )


FAMILIES = {
    "llama": _llama,
    "llama-sliding": _llama_sliding,
    "qwen3": _qwen3,
    "gemma2": _gemma2,
    "mixtral": _mixtral,
}


def in_place_of(loaded: LoadedModel, model: nn.Module, family: str) -> LoadedModel:
    """A tiny model behind the tokenizer of a loaded one."""
    blocks = Blocks(model)
    states = blocks.embed(mx.zeros((1, 2), mx.int32))
    identity = replace(
        loaded.identity,
        family=family,
        layers=len(blocks),
        hidden_size=states.shape[-1],
        dtype=str(states.dtype).removeprefix("mlx.core."),
        path=blocks.anatomy.path,
    )
    return replace(loaded, blocks=blocks, identity=identity)


def tiny(family: str, seed: int = 0) -> Blocks:
    """A random model whose edits change a lot, so that a wrong one cannot hide."""
    mx.random.seed(seed)
    model = FAMILIES[family]()
    model.apply(lambda a: a * 2 if a.ndim > 1 else a)
    mx.eval(model.parameters())
    model.eval()
    return Blocks(model)


def random_batch(
    kind: str = "noise",
    size: int = 3,
    length: int = 9,
    end: int = 6,
    samples: int = 1,
    seed: int = 0,
    starts: list[int] | None = None,
    vocabulary: int = VOCABULARY,
    hidden: int = HIDDEN,
) -> Batch:
    """Random prompts whose subjects begin at different tokens."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, vocabulary, (size, length), dtype=np.int32)
    begins = np.array(starts or rng.integers(1, end, size), dtype=np.int32)
    if kind == "swap":
        other = tokens.copy()
        for row, start in enumerate(begins):
            other[row, start:end] = rng.integers(0, vocabulary, end - start)
        return Batch(tokens, begins, end, source_tokens=other)
    first = begins.min()
    noise = rng.standard_normal((size, samples, end - first, hidden)).astype(np.float32)
    for row, start in enumerate(begins):
        noise[row, :, : start - first] = 0
    return Batch(tokens, begins, end, noise=noise)


def begun_alike(batch: Batch) -> Batch:
    """The batch whose prompts all begin as the first one does, up to the first subject."""
    first = batch.first
    tokens, other = batch.tokens.copy(), batch.source_tokens
    tokens[:, :first] = tokens[0, :first]
    if other is not None:
        other = np.concatenate([tokens[:, :first], other[:, first:]], axis=1)
    return replace(batch, tokens=tokens, source_tokens=other)


def rows_of(batch: Batch, rows: list[int]) -> Batch:
    """The batch that holds only some prompts of another, in the given order."""
    starts = batch.starts[rows]
    cut = starts.min() - batch.first
    return Batch(
        batch.tokens[rows],
        starts,
        batch.end,
        noise=None if batch.noise is None else batch.noise[rows][:, :, cut:],
        source_tokens=None if batch.source_tokens is None else batch.source_tokens[rows],
    )


class FixedDraws:
    """Draws that are nobody's but the tests': a pure function of row, layer and sample."""

    def __init__(self, batch: Batch, hidden: int = HIDDEN) -> None:
        self._batch, self._hidden = batch, hidden

    def noise(self, row: Row, layer: int, sample: int) -> np.ndarray:
        """Noise that is large beside the states."""
        batch, width = self._batch, 1 if row.positions == "last" else None
        count = width or batch.end - batch.first
        rng = np.random.default_rng([len(row.key), layer, sample])
        found = rng.standard_normal((batch.size, count, self._hidden)).astype(np.float32)
        if width is None:
            for at, start in enumerate(batch.starts):
                found[at, : start - batch.first] = 0
        return found

    def direction(self, row: Row, layer: int, sample: int) -> np.ndarray:
        """Unit vectors."""
        found = self.noise(row, layer, sample)
        length = np.linalg.norm(found, axis=-1, keepdims=True)
        return found / np.where(length > 0, length, 1)


def furnished(batch: Batch, hidden: int = HIDDEN) -> Batch:
    """A batch with all that any row may ask for; its last prompt has no control span."""
    controls = np.array([[s - 1, s] for s in batch.starts], np.int32)
    controls[-1] = 0
    return replace(
        batch,
        begun=np.array([at % 2 for at in range(batch.size)], np.int32),
        controls=controls,
        draws=FixedDraws(batch, hidden),
    )
