r"""One sentence as it is typed, its subject in brackets: "The [Eiffel Tower] is in the city of".

``\[`` and ``\]`` are brackets of the text; any other backslash is itself.
"""

import re
from dataclasses import dataclass

from mlxjsd.errors import InputError
from mlxjsd.prompts.encode import Encoder
from mlxjsd.prompts.prompt import Prompt, find_subject

EXAMPLE = "The [Eiffel Tower] is located in the city of"
_HINT = f'mark one, as in "{EXAMPLE}"; \\[ is a bracket of the text'
_SIGNS = re.compile(r"\\[\[\]]|[\[\]]")
#: The name of a prompt that was typed: its noise depends on it, not on what is typed.
NAME = "sentence"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text with the place of its subject."""

    text: str
    """As the model reads it, without the marks."""
    start: int
    """First character of the subject."""
    end: int
    """First character after it."""

    @property
    def subject(self) -> str:
        """The subject as it stands in the text."""
        return self.text[self.start : self.end]

    def prompt(self, answers: tuple[str, ...] = ()) -> Prompt:
        """Return the sentence as a prompt, whose subject is the one that is marked."""
        return Prompt(NAME, self.text, self.subject, self.start, answers)


def without_marks(typed: str) -> tuple[str, tuple[int, int] | None]:
    """Return a text without the brackets that mark its subject, and the subject's characters.

    Returns:
        The text, and [from, to) of what is marked; None where nothing is.

    Raises:
        InputError: if more than one subject is marked, or the brackets do not fit together.
    """
    text, begin, place, at = "", None, None, 0
    for sign in _SIGNS.finditer(typed):
        text += typed[at : sign.start()]
        at = sign.end()
        if len(sign[0]) > 1:
            text += sign[0][1]
        elif sign[0] == "[":
            if begin is not None:
                raise InputError("a bracket opens inside of another one", hint=f"{_HINT}")
            if place is not None:
                raise InputError("two subjects are marked", hint=f"{_HINT}")
            begin = len(text)
        elif begin is None:
            raise InputError("a bracket closes that none has opened", hint=f"{_HINT}")
        else:
            place, begin = (begin, len(text)), None
    if begin is not None:
        raise InputError("the bracket that marks the subject does not close", hint=f"{_HINT}")
    return text + typed[at:], place


def read_sentence(typed: str, subject: str | None = None) -> Sentence:
    """Return a sentence whose subject is marked, or named.

    Args:
        typed: with its subject in brackets, or without any.
        subject: as it stands in the text; of several places a whole word goes first.

    Raises:
        InputError: if none is marked or named, or both; if it is not there, or nothing but
            spaces; or if nothing follows it.
    """
    text, place = without_marks(typed)
    if subject is not None:
        if place is not None:
            raise InputError(
                "the subject is both in brackets and named",
                hint="leave --subject out, or write \\[ for a bracket of the text",
            )
        start = find_subject(text, subject) if subject else 0
        if start < 0:
            raise InputError(
                f"the subject {subject!r} is not in the sentence", hint="name a part of it"
            )
        place = start, start + len(subject)
    if place is None:
        raise InputError("no subject is marked", hint=f'mark it, as in "{EXAMPLE}"')
    return sentence_at(text, *place)


def sentence_at(text: str, start: int, end: int) -> Sentence:
    """Return a text whose subject is the characters [start, end), without spaces at its ends.

    Raises:
        InputError: if these are nothing but spaces, or nothing follows them.
    """
    marked = text[start:end]
    if not marked.strip():
        raise InputError("the subject that is marked is empty", hint=f"{_HINT}")
    start += len(marked) - len(marked.lstrip())
    end = start + len(marked.strip())
    if not text[end:].strip():
        raise InputError(
            "the sentence ends with its subject, and what is measured is how the subject gets to "
            "the words behind it",
            hint=f'go on, as in "{EXAMPLE}"',
        )
    return Sentence(text, start, end)


def sentence_of_tokens(text: str, encoder: Encoder, first: int, last: int) -> Sentence:
    """Return a text whose subject are the tokens from ``first`` to ``last``, both included.

    They are counted as :meth:`mlxjsd.prompts.encode.Encoder.places` lists them.

    Raises:
        InputError: if there are no such tokens, or as :func:`sentence_at`.
    """
    places = encoder.places(text)
    if not 0 <= first <= last < len(places):
        raise InputError(
            f"there are no tokens {first}-{last}", hint=f"choose among 0-{len(places) - 1}"
        )
    return sentence_at(text, places[first][1], places[last][2])
