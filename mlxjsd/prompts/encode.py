"""From characters to tokens: which tokens of a prompt are its subject's."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.chat_template import Chat
from mlxjsd.prompts.flags import AT_POSITION_0, OCCURS_TWICE, ending_flags
from mlxjsd.prompts.offsets import Offsets, unspaced
from mlxjsd.prompts.prompt import Prompt, Unusable
from mlxjsd.prompts.template import fill

__all__ = ["Encoded", "Encoder", "Unusable"]

#: Prompts that are tokenized together, which takes a third less for each.
TOGETHER = 256


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
    begun: int = 0
    """How many tokens for the beginning stand in front: 1 where the first one is special."""

    @property
    def subject_tokens(self) -> tuple[int, ...]:
        """The subject's token ids."""
        return self.tokens[self.start : self.end]


@dataclass(frozen=True, slots=True)
class _Framed:
    """A prompt before it is tokenized, with all that is put around it."""

    prompt: Prompt
    chars: tuple[int, int]
    """The subject's characters [from, to), without spaces at its ends: a tokenizer may put them
    into its neighbours."""
    ending: tuple[str, ...]
    """What is odd about its end."""


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
        self._offsets = Offsets(tokenizer)
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
        return _usable(next(self.encode_all([prompt], template, chat)))

    def encode_all(
        self, prompts: Iterable[Prompt], template: str | None = None, chat: bool = False
    ) -> Iterator[Encoded | Unusable]:
        """Yield what :meth:`encode` returns, or raises, for each of many prompts.

        Raises:
            InputError: if no prompt can be put like this.
        """
        waiting = iter(prompts)
        while some := list(islice(waiting, TOGETHER)):
            # A chat template writes the end of the text itself, and all special tokens.
            framed = [self._framed(prompt, template, chat) for prompt in some]
            yield from self._read(framed, special_tokens=not chat)

    def _framed(self, prompt: Prompt, template: str | None, chat: bool) -> _Framed | Unusable:
        try:
            if template is not None or chat:
                prompt = fill(template, prompt)
            flags = () if chat else ending_flags(prompt.text)
            if chat:
                prompt = self._chat.frame(prompt)
            return _checked(prompt, flags)
        except Unusable as reason:
            return reason

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
        return _usable(next(self._read([_checked(other, ())], special_tokens)))

    @cached_property
    def _chat(self) -> Chat:
        return Chat(self._tokenizer)

    def _read(
        self, prompts: Sequence[_Framed | Unusable], special_tokens: bool
    ) -> Iterator[Encoded | Unusable]:
        """Yield prompts in tokens, or why they cannot be measured."""
        readings: dict[int, Any] = {}
        for added in (True, False) if special_tokens else (False,):
            texts = {
                at: framed.prompt.text
                for at, framed in enumerate(prompts)
                if not isinstance(framed, Unusable)
                and self._adds(framed.prompt.text, special_tokens) == added
            }
            if texts:
                found = self._in_tokens([*texts.values()], added)
                readings.update(zip(texts, found, strict=True))
        for at, framed in enumerate(prompts):
            if isinstance(framed, Unusable):
                yield framed
                continue
            try:
                yield self._encoded(framed, readings[at])
            except Unusable as reason:
                yield reason

    def _adds(self, text: str, special_tokens: bool) -> bool:
        """Whether special tokens are added: as MLX-LM does, unless the text brings its own."""
        bos = self._tokenizer.bos_token
        return special_tokens and not (bos and text.startswith(bos))

    def _in_tokens(self, texts: list[str], special_tokens: bool) -> Sequence[Any]:
        """Return what the tokenizer makes of each text, an ``Encoding``."""
        found: Sequence[Any] = self._tokenizer(
            texts,
            add_special_tokens=special_tokens,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,  # a prompt that is too long gets our own sentence
        ).encodings
        return found

    def _encoded(self, framed: _Framed, reading: Any) -> Encoded:
        """Return a prompt's tokens and its subject's place among them.

        Args:
            framed: the prompt.
            reading: what the tokenizer made of its text, an ``Encoding``.
        """
        ids, offsets = tuple(reading.ids), reading.offsets
        if ids and ids[-1] in self._offsets.added:
            # The answer follows the prompt's own last token, not an end that is put behind it.
            added = reading.special_tokens_mask
            while ids and added[len(ids) - 1] and len(set(offsets[len(ids) - 1])) == 1:
                ids = ids[:-1]
            offsets = offsets[: len(ids)]
        if len(ids) > self.max_tokens:
            raise Unusable(f"{len(ids)} tokens are more than {self.max_tokens}")
        self._refuse_unknown(ids)
        ranges = self._offsets.ranges(framed.prompt.text, ids, offsets)
        return _with_span(framed, ids, ranges, int(bool(ids) and ids[0] in self._special))

    def _refuse_unknown(self, ids: Sequence[int]) -> None:
        """Raise ``Unusable`` for a token that the model has no embedding of.

        MLX would look up whatever stands behind the table.
        """
        most = self.vocabulary
        if most is None or not ids or (min(ids) >= 0 and max(ids) < most):
            return
        token = next(token for token in ids if not 0 <= token < most)
        piece = self._tokenizer.convert_ids_to_tokens(token)
        raise Unusable(
            f"the token {piece!r} has the id {token}, and the model's embedding ends before {most}"
        )

    @cached_property
    def _special(self) -> frozenset[int]:
        return frozenset(self._tokenizer.all_special_ids)

    def following(self, encoded: Encoded, answer: str, special_tokens: bool) -> int | None:
        """Return the first token of an answer as it would follow a prompt; None where it has none.

        A space stands between them, unless the prompt ends in one, or either is written without.

        Args:
            encoded: the prompt.
            answer: what follows.
            special_tokens: as in :meth:`with_subject`.
        """
        text, answer = encoded.prompt.text, answer.strip()
        if not answer:
            return None
        spaced = not (text[-1:].isspace() or unspaced(text[-1:]) or unspaced(answer[0]))
        length = len(encoded.tokens)
        for between in (" ", "") if spaced else ("",):
            (reading,) = self._in_tokens(
                [text + between + answer], self._adds(text, special_tokens)
            )
            ids = tuple(reading.ids)
            if ids[:length] == encoded.tokens and len(ids) > length:
                found = ids[length]
                known = self.vocabulary is None or 0 <= found < self.vocabulary
                return found if known and found not in self._special else None
        return None

    def places(self, text: str) -> list[tuple[str, int, int]]:
        """Return the tokens of a text: what each says, and its characters [from, to).

        One that is put in front has none, [n, n).
        """
        (reading,) = self._in_tokens([text], self._adds(text, special_tokens=True))
        ranges = self._offsets.ranges(text, tuple(reading.ids), reading.offsets)
        return [(self.decode([i]), *place) for i, place in zip(reading.ids, ranges, strict=True)]

    @cached_property
    def puts_in_front(self) -> bool:
        """Whether a token of the tokenizer's own stands in front of every prompt."""
        found = self._tokenizer("a", return_special_tokens_mask=True)["special_tokens_mask"]
        return bool(found and found[0])

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``."""
        return str(self._tokenizer.decode(list(tokens)))

    def pieces(self, encoded: Encoded) -> tuple[str, ...]:
        """Return the text of each token of a prompt."""
        known = self._pieces
        for token in set(encoded.tokens).difference(known):
            known[token] = self.decode([token])
        return tuple([known[token] for token in encoded.tokens])


def _usable(found: Encoded | Unusable) -> Encoded:
    if isinstance(found, Unusable):
        raise found
    return found


def _checked(prompt: Prompt, ending: tuple[str, ...]) -> _Framed:
    """Return a prompt whose text a tokenizer can read and whose subject is more than spaces."""
    subject = prompt.subject
    bare = subject.strip()
    if not bare:
        raise Unusable("the subject holds nothing but spaces")
    try:
        prompt.text.encode()
    except UnicodeEncodeError:
        raise Unusable("the text is not valid Unicode") from None
    start, _ = prompt.place()
    start += subject.index(bare)
    return _Framed(prompt, (start, start + len(bare)), ending)


def _with_span(
    framed: _Framed, ids: tuple[int, ...], ranges: Sequence[tuple[int, int]], begun: int
) -> Encoded:
    """Return a prompt with its subject's tokens: all that share a character with it.

    Args:
        framed: the prompt.
        ids: of its tokens.
        ranges: of characters [from, to) that each token stands for; [n, n) for none.
        begun: how many of them are for the beginning.
    """
    start, end = framed.chars
    # Special tokens cover no character.
    inside = [i for i, (a, b) in enumerate(ranges) if a < end and b > start and a < b]
    if not inside:
        raise Unusable("no token covers the subject")
    first, after = inside[0], inside[-1] + 1
    if after >= len(ids):
        raise Unusable("the subject reaches the last token")
    flags = framed.ending
    text = framed.prompt.text
    if _occurs_twice(text, text[start:end]):
        flags = (OCCURS_TWICE, *flags)
    if first == 0:
        flags = (AT_POSITION_0, *flags)
    return Encoded(framed.prompt, ids, first, after, flags, begun)


def _occurs_twice(text: str, subject: str) -> bool:
    return text.find(subject, text.find(subject) + 1) >= 0
