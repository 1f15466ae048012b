"""Prompts as a model's tokenizer reads them, before anything is measured: `mlxjsd prompts`."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rich.text import Text

from mlxjsd.errors import InputError
from mlxjsd.prompts.answers import AnswersTally, known_of
from mlxjsd.prompts.encode import Encoded, Encoder
from mlxjsd.prompts.encode_file import encode_prompts
from mlxjsd.prompts.flags import AT_POSITION_0, flag_sentences
from mlxjsd.prompts.prompt import Prompt, PromptFile
from mlxjsd.text import clean

_SUBJECT = "bold white on #2171b5"
_EDGE = "dim"


@dataclass(frozen=True)
class Seen:
    """One prompt: its tokens and its subject's place, or why it has none."""

    id: str
    tokens: tuple[str, ...]
    """The text of each token, with all that is put around the prompt; of a skipped prompt, the
    text as it stands in its file."""
    span: tuple[int, int] = (0, 0)
    """Tokens [start, end) of the subject."""
    flags: tuple[str, ...] = ()
    reason: str | None = None
    """Why it would be skipped; None if it can be measured."""
    prompt: Prompt | None = None
    """As the model reads it, with its answers and its relation; None if it would be skipped."""


def look_at(
    data: PromptFile,
    encoder: Encoder,
    template: str | None = None,
    chat: bool = False,
    limit: int | None = None,
) -> Iterator[Seen]:
    """Encode the prompts of a file one by one, as a run would.

    Args:
        data: all prompts of the file.
        encoder: of the model that would be measured.
        template: of :func:`mlxjsd.prompts.template.fill`; None for none.
        chat: put prompts in the model's chat template.
        limit: only the first N prompts of the file; None for all.

    Raises:
        InputError: for a limit below 1, or a chat without a chat template.
    """
    if limit is not None and limit < 1:
        raise InputError(
            f"the limit must be at least 1, not {limit}", hint="leave --limit out for all prompts"
        )
    found = islice(encode_prompts(encoder, data.prompts, template, chat), limit)
    return (_seen(encoder, prompt, read) for _, prompt, read in found)


def _seen(encoder: Encoder, prompt: Prompt, read: Encoded | str) -> Seen:
    if isinstance(read, str):
        return Seen(prompt.id, (prompt.text,), reason=read)
    span = read.start, read.end
    return Seen(prompt.id, encoder.pieces(read), span, read.flags, prompt=read.prompt)


def seen_text(seen: Seen) -> Text:
    """Return two or three lines: a prompt's name with what is odd, its tokens, and its answers.

    Bars separate the tokens; the subject's are highlighted.
    """
    text = Text()
    text.append(clean(seen.id), "bold")
    text.append(_odd(seen), "yellow")
    text.append("\n  ")
    start, end = seen.span
    for place, token in enumerate(seen.tokens):
        if place:
            text.append("|", _EDGE)
        text.append(clean(token), _SUBJECT if start <= place < end else "")
    text.append(_known(seen), _EDGE)
    return text


def seen_lines(seen: Seen) -> str:
    """Return what :func:`seen_text` does without colour: the subject's tokens are in brackets."""
    tokens = list(seen.tokens)
    start, end = seen.span
    if start < end:
        tokens[start] = f"[{tokens[start]}"
        tokens[end - 1] += "]"
    return f"{clean(seen.id)}{_odd(seen)}\n  {clean('|'.join(tokens))}{_known(seen)}"


def _odd(seen: Seen) -> str:
    odd = seen.flags if seen.reason is None else (f"skipped: {seen.reason}",)
    return "".join([f"  {clean(said)}" for said in odd])


def _known(seen: Seen) -> str:
    known = "" if seen.prompt is None else known_of(seen.prompt)
    return f"\n  = {known}" if known else ""


class SeenTally:
    """Counts prompts as they go by."""

    def __init__(self, begun: bool = True) -> None:
        """Begin to count.

        Args:
            begun: whether the tokenizer puts a token of its own in front of every prompt.
        """
        self._begun = begun
        self._answers = AnswersTally()
        self._reasons: Counter[str] = Counter()
        self._flags: list[tuple[str, ...]] = []

    def passing(self, prompts: Iterable[Seen]) -> Iterator[Seen]:
        """Yield ``prompts``, counted."""
        for seen in prompts:
            if seen.reason is None:
                self._flags.append(seen.flags)
                if seen.prompt is not None:
                    self._answers.add(seen.prompt)
            else:
                self._reasons[seen.reason] += 1
            yield seen

    def lines(self) -> Sequence[str]:
        """Return what was counted, as sentences."""
        usable, skipped = len(self._flags), self._reasons.total()
        lines = [f"{usable} of {usable + skipped} prompts can be measured."]
        if skipped:
            listed = "; ".join(f"{n} because {why}" for why, n in self._reasons.most_common())
            lines.append(f"{skipped} would be skipped: {listed}.")
        if self._answers.total:
            lines.append(self._answers.sentence())
        lines += flag_sentences(self._flags)
        if not self._begun and any(AT_POSITION_0 in flags for flags in self._flags):
            lines.append(
                "This model's tokenizer puts no token in front; a template such as "
                "--prompt-template 'Fact: {prompt}' takes the subject off the first place."
            )
        return lines
