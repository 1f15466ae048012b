"""Answers: what plain greedy decoding gives, whatever is answered together."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from families import tiny_family
from models import random_batch, tiny

from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.generate import CleanRun, generate_answers
from mlxjsd.sentences import sentence_ended
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


@pytest.mark.parametrize("record", [True, False], ids=["going on", "reading anew"])
@pytest.mark.parametrize("family", ["llama", "gemma3", "deepseek_v2", "phi"])
def test_answers_are_those_of_plain_decoding(family: str, record: bool) -> None:
    blocks = tiny("llama") if family == "llama" else Blocks(tiny_family(family))
    model: Any = SimpleNamespace(blocks=blocks, tokenizer=Words())
    runs = measured(blocks, (7, 9, 12), record)
    asked = [prompt for run in runs for prompt in run.prompts]
    for most in (1, 2, 6):
        answers = generate_answers(model, runs, most)
        for prompt, answer in zip(asked, answers, strict=True):
            check_greedy(blocks.model, list(prompt.tokens), answer, most)


def test_what_ends_early_leaves_the_others_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = tiny("llama")
    runs = measured(blocks, (7, 9, 12), record=True)
    model: Any = SimpleNamespace(blocks=blocks, tokenizer=Words())
    whole = generate_answers(model, runs, 6)
    # Some answers end at a token of their own, at another step each.
    words_of = [answer.split() for answer in whole]
    ends = {int(words[min(1 + n, len(words) - 1)][1:]) for n, words in enumerate(words_of[:4])}
    monkeypatch.setattr(Words, "eos_token_ids", tuple(ends))
    for answer, before in zip(generate_answers(model, runs, 6), whole, strict=True):
        words = before.split()
        cut = next((n for n, word in enumerate(words) if int(word[1:]) in ends), len(words))
        assert answer.split() == words[:cut]


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("", False),
        (" Paris", False),
        (" Paris.", False),
        (" Paris. It", True),
        (" 3.", False),
        (" 3.5 km", False),
        ("\n\n", False),
        ("\n\nParis", False),
        ("\n\nParis\n", False),
        (" Paris\nIt", True),
        (" H. G", False),
        (" St. Peter", False),
        (" Really? No", True),
        (" 東京です", False),
        (" 東京です。", False),
        (" 東京です。大", True),
        (" दिल्ली। वह", True),
        (" A. It", False),
        (" A. It is", True),
    ],
)
def test_a_sentence_has_ended_when_more_text_would_not_change_it(text: str, ended: bool) -> None:
    assert sentence_ended(text) is ended


def test_a_prompt_is_answered_from_its_own_keys_and_values() -> None:
    blocks = tiny("llama")
    (run,) = measured(blocks, (9,), record=True)
    model: Any = SimpleNamespace(blocks=blocks, tokenizer=Words())
    right = generate_answers(model, [run], 6)
    swapped = CleanRun(run.prompts, run.first, [tuple(a[::-1] for a in b) for b in run.kept])
    assert generate_answers(model, [swapped], 6) != right
    assert np.unique(run.first).size
