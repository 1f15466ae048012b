"""From characters to tokens: which tokens of a prompt are its subject's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.chat_template import Chat
from mlxjsd.prompts.flags import AT_POSITION_0, OCCURS_TWICE
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.prompts.template import fill

#: How SentencePiece writes a space.
_SPACE = "▁"


class Unusable(Exception):
    """A prompt that cannot be measured; its text is the reason."""


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


class Encoder:
    """Encodes prompts as MLX-LM does, with the place of the subject's tokens.

    Raises ``InputError`` for a tokenizer that cannot say where its tokens stand in the text.
    """

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        """Take a tokenizer of transformers, and the most tokens that a prompt may have."""
        self._tokenizer = tokenizer
        self._chat: Chat | None = None
        self.max_tokens = max_tokens
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
        chars = prompt.subject_chars()
        if chars is None:
            raise Unusable("the subject is not in the text")
        if chat:
            prompt = self._in_chat(prompt)
            chars = prompt.subject_chars() or chars
        chars = _without_spaces(prompt.text, chars)
        try:
            prompt.text.encode()
        except UnicodeEncodeError:
            raise Unusable("the text is not valid Unicode") from None
        bos = self._tokenizer.bos_token
        # As MLX-LM: special tokens are added unless the text brings its own.
        encoding = self._tokenizer(
            prompt.text,
            # A chat template writes all of them itself.
            add_special_tokens=not chat and (bos is None or not prompt.text.startswith(bos)),
            return_offsets_mapping=True,
            verbose=False,  # a prompt that is too long gets our own sentence
        )
        tokens, offsets = encoding["input_ids"], encoding["offset_mapping"]
        if len(tokens) > self.max_tokens:
            raise Unusable(f"{len(tokens)} tokens are more than {self.max_tokens}")
        ranges = self._ranges(prompt.text, tokens, offsets)
        # Every token that shares a character with the subject; special tokens cover none.
        inside = [i for i, (a, b) in enumerate(ranges) if a < chars[1] and b > chars[0]]
        if not inside:
            raise Unusable("no token covers the subject")
        start, end = inside[0], inside[-1] + 1
        if end >= len(tokens):
            raise Unusable("the subject reaches the last token")
        return Encoded(prompt, tuple(tokens), start, end, _flags(prompt, chars, start))

    def _ranges(
        self, text: str, tokens: Sequence[int], offsets: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Return which characters [from, to) each token stands for, [0, 0) for none.

        That is what the tokenizer says, but for two things. The lone space that SentencePiece
        puts in front of a text is said to cover the first letter, and stands for nothing. And
        a mark that normalization composed into its letter is said to be nobody's.
        """
        claimed = {at for a, b in offsets for at in range(a, b)}
        ranges = []
        for token, (a, b) in zip(tokens, offsets, strict=True):
            if a == b or self._is_put_in_front(token, text[a:b]):
                ranges.append((0, 0))
                continue
            while b < len(text) and b not in claimed and not text[b].isspace():
                b += 1
            ranges.append((a, b))
        return ranges

    def _is_put_in_front(self, token: int, covered: str) -> bool:
        piece = str(self._tokenizer.convert_ids_to_tokens(token))
        return not piece.strip(_SPACE) and not covered.isspace() and _SPACE not in covered

    def _in_chat(self, prompt: Prompt) -> Prompt:
        if self._chat is None:
            self._chat = Chat(self._tokenizer)
        framed = self._chat.frame(prompt)
        if framed is None:
            raise Unusable("the chat template changes the prompt")
        return framed

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``."""
        return str(self._tokenizer.decode(list(tokens)))


def _without_spaces(text: str, chars: tuple[int, int]) -> tuple[int, int]:
    """Leave out spaces at the subject's ends: a tokenizer may put them into its neighbours."""
    subject = text[chars[0] : chars[1]]
    if not subject.strip():
        raise Unusable("the subject holds nothing but spaces")
    start = chars[0] + len(subject) - len(subject.lstrip())
    return start, start + len(subject.strip())


def _flags(prompt: Prompt, chars: tuple[int, int], start: int) -> tuple[str, ...]:
    subject = prompt.text[chars[0] : chars[1]]
    first = prompt.text.find(subject)
    again = prompt.text.find(subject, first + 1) >= 0
    return (*([AT_POSITION_0] if start == 0 else []), *([OCCURS_TWICE] if again else []))
