"""What the model answers: greedy generation by MLX-LM itself, for a batch of prompts."""

import inspect
import re
from collections.abc import Sequence

from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.encode import Encoded


def generate_answers(
    model: LoadedModel, prompts: Sequence[Encoded], first: Sequence[int], max_tokens: int
) -> list[str]:
    """Return what the model writes after each prompt, cut at the first line or sentence.

    Args:
        model: of which the prompts have been measured.
        prompts: of one length, so that none is padded.
        first: the clean run's most probable next token of each, with which its answer begins;
            it is not computed again.
        max_tokens: the most of an answer, at least 1.
    """
    from mlx_lm.generate import batch_generate

    rows = [list(prompt.tokens) for prompt in prompts]
    together = {"prefill_batch_size": len(rows), "completion_batch_size": len(rows)}
    if "return_token_ids" not in inspect.signature(batch_generate).parameters:
        # MLX-LM 0.31, the last for Python 3.10, tells texts alone, and those cannot be joined.
        found = batch_generate(
            model.blocks.model, model.tokenizer, rows, max_tokens=max_tokens, **together
        )
        return [first_sentence(text) for text in found.texts]

    written = [[] if token in model.tokenizer.eos_token_ids else [token] for token in first]
    going = [at for at, tokens in enumerate(written) if tokens]
    if going and max_tokens > 1:
        found = batch_generate(
            model.blocks.model,
            model.tokenizer,
            [rows[at] + written[at] for at in going],
            max_tokens=max_tokens - 1,
            return_token_ids=True,
            **together,
        )
        for at, tokens in zip(going, found.token_ids, strict=True):
            written[at] += tokens
    return [first_sentence(model.tokenizer.decode(tokens)) for tokens in written]


#: A full stop after one of these ends no sentence; nor does one after a single letter.
_ABBREVIATIONS = {"st", "mt", "dr", "mr", "mrs", "ms", "jr", "sr", "no", "vs", "prof", "gen"}


_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")


def first_sentence(text: str) -> str:
    """Cut what a model wrote at the end of its first line or sentence.

    "H. G. Wells. He was" gives "H. G. Wells".
    """
    lines = text.strip().splitlines()
    line = lines[0] if lines else ""
    for end in _SENTENCE_END.finditer(line):
        words = re.findall(r"\w+", line[: end.start()])
        last = words[-1] if words else ""
        initial = len(last) == 1 and last.isalpha()
        if end.group() == "." and (initial or last.casefold() in _ABBREVIATIONS):
            continue
        return line[: end.start()].strip()
    return line.strip()
