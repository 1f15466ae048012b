"""What the model knows: greedy answers to every prompt of every fact."""

from collections import defaultdict
from collections.abc import Iterable

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from tokenizers import Tokenizer

from mlxjsd.assets.recipe.tokenizer import EOS
from mlxjsd.assets.tables import Fact


def greedy_answers(
    model: nn.Module, tokenizer: Tokenizer, prompts: list[str], max_tokens: int = 24
) -> list[str]:
    """Return what the model writes after each prompt, up to the first full stop."""
    eos = tokenizer.token_to_id(EOS)
    by_length: defaultdict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        tokens = tokenizer.encode(prompt).ids
        by_length[len(tokens)].append((index, tokens))
    answers = [""] * len(prompts)
    for length, group in by_length.items():
        for at in range(0, len(group), 256):
            part = group[at : at + 256]
            read = mx.array([t for _, t in part])
            ended = mx.zeros(len(part), dtype=mx.bool_)
            for _ in range(max_tokens):
                following = mx.argmax(model(read)[:, -1], axis=-1)
                read = mx.concatenate([read, following[:, None]], axis=1)
                ended = ended | (following == eos)
                if mx.all(ended).item():
                    break
            written = np.array(read[:, length:]).tolist()
            for (index, _), ids in zip(part, written, strict=True):
                text = tokenizer.decode(ids[: ids.index(eos)] if eos in ids else ids)
                answers[index] = text.removesuffix(".").strip()
    return answers


def share_correct(model: nn.Module, tokenizer: Tokenizer, facts: Iterable[Fact]) -> float:
    """Return the share of facts of which every prompt gets an accepted object."""
    facts = list(facts)
    prompts = [p for fact in facts for p in fact.prompts()]
    answers = iter(greedy_answers(model, tokenizer, prompts))
    right = 0
    for fact in facts:
        given = [next(answers) for _ in fact.prompts()]
        right += all(answer in fact.objects for answer in given)
    return right / len(facts)
