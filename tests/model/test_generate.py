"""Answers: what plain greedy decoding gives, whatever is answered together."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from answering import Words, check_greedy, measured
from families import tiny_family
from models import tiny

from mlxjsd.model.blocks import Blocks
from mlxjsd.model.generate import CleanRun, generate_answers
from mlxjsd.sentences import sentence_ended


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
