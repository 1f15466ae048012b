"""What the model answers: greedy generation over MLX-LM's own caches of many prompts.

The clean run of a prompt has computed the keys and values of all its tokens. Answers go on from
those, so each costs a pass for each of its tokens and no more; and prompts of any length are
answered together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.encode import Encoded
from mlxjsd.sentences import first_sentence, sentence_ended

#: Keys and values of one block, (B, heads, T, depth) each; nothing for one that keeps none.
Kept = tuple[mx.array, ...]
#: Tokens that a cache makes room for at a time.
_ROOM = 16


@dataclass(frozen=True)
class CleanRun:
    """What the clean run of one pass leaves to its answers."""

    prompts: Sequence[Encoded]
    """Of one length."""
    first: Sequence[int]
    """The most probable next token of each, with which its answer begins."""
    kept: Sequence[Kept] = ()
    """Of every block, for all prompts; none if they were not recorded."""


def generate_answers(model: LoadedModel, runs: Sequence[CleanRun], max_tokens: int) -> list[str]:
    """Return what the model writes after each prompt, cut at the first line or sentence.

    Args:
        model: of which the prompts have been measured.
        runs: what is to be answered. Which prompts are given together may decide between two
            tokens that are equally probable, but for rounding.
        max_tokens: the most of an answer, at least 1.

    Returns:
        An answer for each prompt, in the order of ``runs``.
    """
    merged = _merged(model.blocks.model, runs)
    # Without keys and values to go on from, runs are not padded: not every family can be.
    parts = [(runs, merged)] if merged else [([run], None) for run in runs]
    return [
        first_sentence(model.tokenizer.decode(tokens))
        for part, caches in parts
        for tokens in _Writing(model, part, max_tokens).write(caches)
    ]


def _merged(model: nn.Module, runs: Sequence[CleanRun]) -> list[Any] | None:
    """Return MLX-LM's caches of many prompts, one for each block, filled with what runs kept.

    None for a model whose blocks keep anything else than the keys and values of all tokens.
    """
    from mlx_lm.models.cache import KVCache, make_prompt_cache

    made = make_prompt_cache(model)
    plain = all(type(cache) is KVCache for cache in made)
    if not plain or any(len(run.kept) != len(made) or not all(run.kept) for run in runs):
        return None
    merged = []
    for index in range(len(made)):
        caches = []
        for keys, values in (run.kept[index] for run in runs):
            for row in range(len(keys)):
                # Not by ``state``, which differs between MLX-LM's versions.
                caches.append(cache := KVCache())
                cache.keys, cache.values = keys[row : row + 1], values[row : row + 1]
                cache.offset = keys.shape[2]
        together = KVCache.merge(caches)
        # Room is made for so many tokens at a time; all of it is copied where it changes.
        together.step = _ROOM
        merged.append(together)
    return merged


class _Writing:
    """Answers to several prompts, token by token."""

    def __init__(self, model: LoadedModel, runs: Sequence[CleanRun], max_tokens: int) -> None:
        self.model, self.runs = model.blocks.model, runs
        self.tokenizer, self.tables = model.tokenizer, model.blocks.tables
        lengths = [len(prompt.tokens) for run in runs for prompt in run.prompts]
        self.most = [min(max_tokens, self._room(length)) for length in lengths]
        """Tokens of each answer."""
        self.written: list[list[int]] = []
        self.going: list[int] = []
        """The rows that are not at their end."""
        for token in (int(token) for run in runs for token in run.first):
            self.written.append([])
            self._add(len(self.written) - 1, token)

    def _room(self, length: int) -> float:
        """Return how many tokens may follow a prompt; the last one is not read, so needs no row."""
        positions = self.tables.positions
        return float("inf") if positions is None else positions - length + 1

    def _can_be_read(self, token: int) -> bool:
        return self.tables.tokens is None or token < self.tables.tokens

    def _add(self, row: int, token: int) -> None:
        """Add a token to an answer, and go on with it unless it is at its end."""
        if token in self.tokenizer.eos_token_ids:
            return
        written = self.written[row]
        written.append(token)
        if len(written) >= self.most[row] or not self._can_be_read(token):
            return
        if not sentence_ended(self.tokenizer.decode(written)):
            self.going.append(row)

    def write(self, merged: list[Any] | None) -> list[list[int]]:
        """Return the tokens of each answer, as far as its first line or sentence at least.

        Args:
            merged: caches of the prompts, of which rows can be dropped; None to let the model
                read the prompts, which are of one run, once more.
        """
        rows = list(range(len(self.written)))  # of the caches
        caches = (merged or self._read()) if self.going else []
        while self.going:
            now, self.going = self.going, []
            if merged is not None and now != rows:
                kept = mx.array([rows.index(row) for row in now])
                for cache in caches:
                    cache.filter(kept)
                rows = now
            last = mx.array([[self.written[row][-1] if row in now else 0] for row in rows])
            logits = self.model(last, cache=caches)
            following = np.array(mx.argmax(logits[:, -1], axis=-1)).tolist()
            for row in now:
                self._add(row, following[rows.index(row)])
        return self.written

    def _read(self) -> list[Any]:
        from mlx_lm.models.cache import make_prompt_cache

        (run,), caches = self.runs, make_prompt_cache(self.model)
        tokens = mx.array([list(prompt.tokens) for prompt in run.prompts])
        mx.eval(self.model(tokens, cache=caches))
        return caches
