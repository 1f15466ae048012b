"""From tokens to characters: what each token of a text stands for."""

import unicodedata
from collections.abc import Sequence
from functools import cached_property
from typing import Any

#: How SentencePiece writes a space.
_SPACE = "▁"


class Offsets:
    """Corrects a tokenizer's offsets, as far as they do not say what a token stands for."""

    def __init__(self, tokenizer: Any) -> None:
        """Take a fast tokenizer of transformers."""
        self._tokenizer = tokenizer
        self._left: dict[str, bool] = {}
        self._known: set[int] = set()
        self._blank: set[int] = set()

    def ranges(
        self, text: str, tokens: Sequence[int], offsets: Sequence[tuple[int, int]]
    ) -> Sequence[tuple[int, int]]:
        """Return which characters [from, to) each token stands for, [n, n) for none.

        These are the tokenizer's offsets with two corrections. The lone space that SentencePiece
        puts in front of a text stands for no character; its offsets cover the first letter. And
        characters that no offsets cover: a mark that normalization composes into its letter
        belongs to that letter, one of which nothing is left to no token, and any other to the
        token after it. An added token, such as one for the beginning, stands for itself alone.
        """
        if not self._known.issuperset(tokens):
            self._learn(tokens)
        free = _unclaimed(text, offsets)
        if not free and self._blank.isdisjoint(tokens):
            return offsets
        ranges = [
            (0, 0) if a == b or (token in self._blank and _no_space(text[a:b])) else (a, b)
            for token, (a, b) in zip(tokens, offsets, strict=True)
        ]
        words = [i for i, token in enumerate(tokens) if token not in self.added]
        following = []
        for at in free:
            if at and _joins(text[at - 1], text[at]):
                for i in words:
                    a, b = ranges[i]
                    ranges[i] = (a, b + (b == at))
            elif self._leaves_something(text[at]):
                following.append(at)
        for at in reversed(following):
            for i in words:
                a, b = ranges[i]
                ranges[i] = (a - (a == at + 1 and b > a), b)
        return ranges

    @cached_property
    def added(self) -> frozenset[int]:
        """Ids of the tokens that stand beside the tokenizer's own vocabulary."""
        return frozenset([*self._tokenizer.added_tokens_decoder, *self._tokenizer.all_special_ids])

    def _leaves_something(self, character: str) -> bool:
        """Whether there is a token for a character by itself."""
        known = self._left.get(character)
        if known is None:
            ids = self._tokenizer(character, add_special_tokens=False)["input_ids"]
            pieces = (str(piece) for piece in self._tokenizer.convert_ids_to_tokens(ids))
            known = self._left[character] = any(piece.strip(_SPACE) for piece in pieces)
        return known

    def _learn(self, tokens: Sequence[int]) -> None:
        """Find out which tokens are nothing but a space as SentencePiece writes it."""
        new = [token for token in tokens if token not in self._known]
        pieces = self._tokenizer.convert_ids_to_tokens(new)
        self._known.update(new)
        self._blank.update(
            t for t, piece in zip(new, pieces, strict=True) if not str(piece).strip(_SPACE)
        )


#: Of characters of scripts that put no space between words, how their names begin.
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def unspaced(character: str) -> bool:
    """Whether a character is of a script that puts no space between words."""
    return not character.isascii() and unicodedata.name(character, "").startswith(_UNSPACED)


def _no_space(covered: str) -> bool:
    return not covered.isspace() and _SPACE not in covered


def _unclaimed(text: str, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """Return where characters stand that are no spaces and that no offsets cover."""
    reached = 0
    for a, b in offsets:
        if a > reached and not text[reached:a].isspace():
            break
        if b > reached:
            reached = b
    else:
        if reached == len(text) or text[reached:].isspace():
            return []
    claimed = {at for a, b in offsets for at in range(a, b)}
    return [at for at, c in enumerate(text) if at not in claimed and not c.isspace()]


def _joins(before: str, character: str) -> bool:
    """Whether a character is a part of the one before: a mark, or what composes with it."""
    return (
        unicodedata.category(character)[0] == "M"
        or len(unicodedata.normalize("NFC", before + character)) == 1
    )
