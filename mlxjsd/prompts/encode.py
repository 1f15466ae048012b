"""From characters to tokens: which tokens of a prompt are its subject's."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.chat_template import Chat
from mlxjsd.prompts.flags import AT_POSITION_0, OCCURS_TWICE, ending_flags
from mlxjsd.prompts.prompt import Prompt, Unusable
from mlxjsd.prompts.repeats import ASKED_ALREADY, asked_once
from mlxjsd.prompts.template import fill

__all__ = ["Encoded", "Encoder", "Unusable", "encode_prompts"]

#: How SentencePiece writes a space.
_SPACE = "▁"


@dataclass(frozen=True)
class Encoded:
    """A prompt as the model reads it."""

    prompt: Prompt
    """With all that was put around it in its text."""
    tokens: tuple[int, ...]
    """Token ids, T of them, BOS included where the model has one."""
    start: int
    """First token of the subject."""
    end: int
    """First token after the subject; at least one follows."""
    flags: tuple[str, ...] = ()
    """What is odd about the subject's place; see :mod:`mlxjsd.prompts.flags`."""

    @property
    def subject_tokens(self) -> tuple[int, ...]:
        """The subject's token ids."""
        return self.tokens[self.start : self.end]


@dataclass(frozen=True)
class _Tokens:
    """A prompt in tokens, before its subject is found among them."""

    prompt: Prompt
    ids: tuple[int, ...]
    ranges: list[tuple[int, int]]
    """Characters [from, to) of the text that each token stands for; [0, 0) for none."""


class Encoder:
    """Encodes prompts as MLX-LM does, with the place of the subject's tokens.

    Raises ``InputError`` for a tokenizer that cannot say where its tokens stand in the text.
    """

    def __init__(self, tokenizer: Any, max_tokens: int, vocabulary: int | None = None) -> None:
        """Take a tokenizer, and what the model can read.

        Args:
            tokenizer: of transformers.
            max_tokens: the most tokens that a prompt may have.
            vocabulary: how many tokens have an embedding; None where that is not known.
        """
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        self.vocabulary = vocabulary
        self._left: dict[str, bool] = {}
        self._pieces: dict[int, str] = {}
        if not getattr(self._tokenizer, "is_fast", False):
            raise InputError(
                "this model's tokenizer gives no character offsets, so subjects cannot be found",
                hint="convert the model with its tokenizer.json",
            )

    def encode(self, prompt: Prompt, template: str | None = None, chat: bool = False) -> Encoded:
        """Return a prompt's tokens and subject span.

        Args:
            prompt: as it stands in its file.
            template: of :func:`mlxjsd.prompts.template.fill`; None for none.
            chat: put it, with its template, as a user's turn of a chat.

        Raises:
            Unusable: with the reason, if this prompt cannot be measured.
            InputError: if no prompt can be put like this.
        """
        prompt = fill(template, prompt)
        # A chat template writes the end of the text itself, and all special tokens.
        flags = () if chat else ending_flags(prompt.text)
        if chat:
            prompt = self._chat.frame(prompt)
        return _with_span(self._in_tokens(_checked(prompt), special_tokens=not chat), flags)

    def with_subject(self, prompt: Prompt, subject: str, special_tokens: bool) -> Encoded:
        """Return a prompt as it would be read with another subject in its subject's place.

        Args:
            prompt: with all that is put around it, as in :attr:`Encoded.prompt`.
            subject: stands where the prompt's own did.
            special_tokens: whether the tokenizer adds its own, as it does but to a chat.

        Raises:
            Unusable: with the reason, if it cannot be measured.
        """
        start, end = prompt.place()
        text = prompt.text[:start] + subject + prompt.text[end:]
        other = replace(prompt, text=text, subject=subject, subject_start=start)
        return _with_span(self._in_tokens(_checked(other), special_tokens), ())

    @cached_property
    def _chat(self) -> Chat:
        return Chat(self._tokenizer)

    def _in_tokens(self, prompt: Prompt, special_tokens: bool) -> _Tokens:
        bos = self._tokenizer.bos_token
        encoding = self._tokenizer(
            prompt.text,
            # As MLX-LM: they are added unless the text brings its own.
            add_special_tokens=special_tokens and (bos is None or not prompt.text.startswith(bos)),
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            verbose=False,  # a prompt that is too long gets our own sentence
        )
        ids, offsets = tuple(encoding["input_ids"]), encoding["offset_mapping"]
        # The answer follows the prompt's own last token, not an end that is put behind it.
        added = encoding["special_tokens_mask"]
        while ids and added[len(ids) - 1] and len(set(offsets[len(ids) - 1])) == 1:
            ids = ids[:-1]
        offsets = offsets[: len(ids)]
        if len(ids) > self.max_tokens:
            raise Unusable(f"{len(ids)} tokens are more than {self.max_tokens}")
        self._refuse_unknown(ids)
        return _Tokens(prompt, ids, self._ranges(prompt.text, ids, offsets))

    def _refuse_unknown(self, ids: Sequence[int]) -> None:
        """Raise ``Unusable`` for a token that the model has no embedding of.

        MLX would look up whatever stands behind the table.
        """
        if self.vocabulary is None:
            return
        for token in ids:
            if not 0 <= token < self.vocabulary:
                piece = self._tokenizer.convert_ids_to_tokens(token)
                raise Unusable(
                    f"the token {piece!r} has the id {token}, and the model's embedding ends "
                    f"before {self.vocabulary}"
                )

    def _ranges(
        self, text: str, tokens: Sequence[int], offsets: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Return which characters [from, to) each token stands for, [0, 0) for none.

        These are the tokenizer's offsets with two corrections. The lone space that SentencePiece
        puts in front of a text stands for no character; its offsets cover the first letter. And
        characters that no offsets cover: a mark that normalization composes into its letter
        belongs to that letter, one of which nothing is left to no token, and any other to the
        token after it. An added token, such as one for the beginning, stands for itself alone.
        """
        ranges = [
            (0, 0) if a == b or self._is_put_in_front(token, text[a:b]) else (a, b)
            for token, (a, b) in zip(tokens, offsets, strict=True)
        ]
        claimed = {at for a, b in offsets for at in range(a, b)}
        free = [at for at, c in enumerate(text) if at not in claimed and not c.isspace()]
        words = [i for i, token in enumerate(tokens) if token not in self._added] if free else []
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
    def _added(self) -> frozenset[int]:
        """Ids of the tokens that stand beside the tokenizer's own vocabulary."""
        return frozenset([*self._tokenizer.added_tokens_decoder, *self._tokenizer.all_special_ids])

    @cached_property
    def puts_in_front(self) -> bool:
        """Whether a token of the tokenizer's own stands in front of every prompt."""
        found = self._tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
        return bool(found and found[0])

    def _leaves_something(self, character: str) -> bool:
        """Whether there is a token for a character by itself."""
        known = self._left.get(character)
        if known is None:
            ids = self._tokenizer(character, add_special_tokens=False)["input_ids"]
            pieces = (str(piece) for piece in self._tokenizer.convert_ids_to_tokens(ids))
            known = self._left[character] = any(piece.strip(_SPACE) for piece in pieces)
        return known

    def _is_put_in_front(self, token: int, covered: str) -> bool:
        piece = str(self._tokenizer.convert_ids_to_tokens(token))
        return not piece.strip(_SPACE) and not covered.isspace() and _SPACE not in covered

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``."""
        return str(self._tokenizer.decode(list(tokens)))

    def pieces(self, encoded: Encoded) -> tuple[str, ...]:
        """Return the text of each token of a prompt."""
        return tuple(map(self._piece, encoded.tokens))

    def _piece(self, token: int) -> str:
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self.decode([token])
        return known


def encode_prompts(
    encoder: Encoder,
    prompts: Sequence[Prompt],
    template: str | None = None,
    chat: bool = False,
    once: bool = True,
) -> Iterator[tuple[int, Prompt, Encoded | str]]:
    """Encode prompts one by one.

    Args:
        encoder: of the model.
        prompts: as they stand in their file, all of them.
        template: as in :meth:`Encoder.encode`.
        chat: as in :meth:`Encoder.encode`.
        once: leave out those that ask the same again, whose answers go to the first.

    Yields:
        The place among the prompts, the prompt, and what the model reads or, of a prompt that
        cannot be measured, the reason.

    Raises:
        InputError: if no prompt can be put like this.
    """
    repeated = asked_once(prompts) if once else {}
    for position, given in enumerate(prompts):
        prompt = repeated.get(position, given)
        found: Encoded | str = ASKED_ALREADY
        if prompt is None:
            yield position, given, found
            continue
        try:
            found = encoder.encode(prompt, template, chat)
        except Unusable as reason:
            found = str(reason)
        yield position, prompt, found


def _checked(prompt: Prompt) -> Prompt:
    """Return a prompt whose text a tokenizer can read and whose subject is more than spaces."""
    if not prompt.subject.strip():
        raise Unusable("the subject holds nothing but spaces")
    try:
        prompt.text.encode()
    except UnicodeEncodeError:
        raise Unusable("the text is not valid Unicode") from None
    return prompt


def _joins(before: str, character: str) -> bool:
    """Whether a character is a part of the one before: a mark, or what composes with it."""
    return (
        unicodedata.category(character)[0] == "M"
        or len(unicodedata.normalize("NFC", before + character)) == 1
    )


def _with_span(found: _Tokens, ending: tuple[str, ...]) -> Encoded:
    """Return a prompt with its subject's tokens: all that share a character with it.

    Args:
        found: the prompt in tokens.
        ending: what is odd about its end.
    """
    start, end = _without_spaces(found.prompt)
    # Special tokens cover no character.
    inside = [i for i, (a, b) in enumerate(found.ranges) if a < end and b > start]
    if not inside:
        raise Unusable("no token covers the subject")
    first, after = inside[0], inside[-1] + 1
    if after >= len(found.ids):
        raise Unusable("the subject reaches the last token")
    flags = []
    if first == 0:
        flags.append(AT_POSITION_0)
    if _occurs_twice(found.prompt.text, found.prompt.text[start:end]):
        flags.append(OCCURS_TWICE)
    return Encoded(found.prompt, found.ids, first, after, (*flags, *ending))


def _without_spaces(prompt: Prompt) -> tuple[int, int]:
    """Leave out spaces at the subject's ends: a tokenizer may put them into its neighbours."""
    start, end = prompt.place()
    subject = prompt.text[start:end]
    return end - len(subject.lstrip()), start + len(subject.rstrip())


def _occurs_twice(text: str, subject: str) -> bool:
    return text.find(subject, text.find(subject) + 1) >= 0
