"""Answers of tiny models: a tokenizer of numbers, and what plain greedy decoding would give."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import numpy as np
from models import random_batch

from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.generate import CleanRun
from mlxjsd.settings import Settings

EOS, STOP = 3, 4
#: Logits that differ by less may come out in either order.
TIE = 1e-3


class Words:
    """A tokenizer of numbers: each token is a word, one is a full stop, one ends all."""

    eos_token_ids = (EOS,)

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join("." if token == STOP else f" t{token}" for token in tokens)


def check_greedy(model: Any, tokens: list[int], answer: str, most: int) -> None:
    """Read the whole text anew for every token: each is the likeliest, but for rounding."""
    written = [int(word[1:]) for word in answer.split()]
    ended = False
    for n, token in enumerate([*written, None]):
        if n == most:
            break
        logits = np.array(model(mx.array([tokens + written[:n]]))[0, -1].astype(mx.float32))
        stops = logits[[EOS, STOP]].max() >= logits.max() - TIE
        if token is None:
            ended = True
            assert stops, f"{answer!r} ends too early"
        else:
            assert logits[token] >= logits.max() - TIE, f"{answer!r} is not the likeliest at {n}"
    assert ended or len(written) == most


def measured(blocks: Blocks, lengths: Sequence[int], record: bool) -> list[CleanRun]:
    runs = []
    for seed, length in enumerate(lengths):
        shape = {"length": length, "end": length - 2, "starts": [1, 2]}
        vocabulary = blocks.model(mx.array([[0]])).shape[-1]  # MLX looks up whatever it is asked
        hidden = blocks.embed(mx.array([[0]])).shape[-1]
        batch = random_batch(seed=seed, size=2, **shape, vocabulary=vocabulary, hidden=hidden)
        kept: list[tuple[mx.array, ...]] = []
        found = sweep_batch(blocks, batch, Settings(), kept if record else None)
        prompts = [SimpleNamespace(tokens=tuple(row)) for row in batch.tokens.tolist()]
        runs.append(CleanRun(prompts, found.prediction.tolist(), kept))  # type: ignore[arg-type]
    return runs
