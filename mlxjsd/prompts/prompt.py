"""Prompts: what is asked, and where in the text its subject stands."""

import hashlib
import json
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.text import clean


class Unusable(Exception):
    """A prompt that cannot be measured; its text is the reason."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """What a prompt is compared with: the same words about another subject."""

    text: str
    """The whole of it."""
    subject: str | None = None
    """As it stands there; None for what differs."""
    answers: tuple[str, ...] = ()
    """Accepted answers, if known."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One cloze prompt about one subject."""

    id: str
    """Unique within its file; the noise of a prompt depends on it."""
    text: str
    """What the model reads; the answer would follow."""
    subject: str
    """As it stands in the text."""
    subject_start: int | None = None
    """Character offset of the subject, where it is not where :func:`find_subject` finds it."""
    answers: tuple[str, ...] = ()
    """Accepted answers, if known."""
    relation: str | None = None
    """What is asked of the subject; swaps stay within one relation."""
    popularity: float | None = None
    """How often the subject is looked up, where the data set says so: PopQA's page views."""
    counterfactual: Counterfactual | None = None
    """Its pair, if it brings one."""

    def subject_chars(self) -> tuple[int, int] | None:
        """Return the subject's characters [from, to) in the text, or None if it is not there."""
        start = self.subject_start
        if start is None:
            start = find_subject(self.text, self.subject)
        if start < 0 or self.text[start : start + len(self.subject)] != self.subject:
            return None
        return start, start + len(self.subject)

    def place(self) -> tuple[int, int]:
        """Return the subject's characters [from, to) in the text.

        Raises:
            Unusable: if it is not there.
        """
        chars = self.subject_chars()
        if chars is None:
            raise Unusable("the subject is not in the text")
        return chars


def find_subject(text: str, subject: str) -> int:
    """Return where a subject stands in a text: whole words go before parts of words.

    In "The country north of Nigeria called Niger" it is the last word. In a script without spaces
    it is the first occurrence.

    Returns:
        The character offset; -1 if it is nowhere.
    """
    first = at = text.find(subject)
    while at >= 0:
        end = at + len(subject)
        if not (_in_word(text[at - 1 : at]) or _in_word(text[end : end + 1])):
            return at
        at = text.find(subject, at + 1)
    return first


def _in_word(character: str) -> bool:
    # Marks are parts of words, such as the vowel signs of Hindi.
    return (
        character.isalnum()
        or character == "_"
        or (character != "" and unicodedata.category(character)[0] == "M")
    )


@dataclass(frozen=True)
class PromptFile:
    """The prompts of one file or folder, and which one it was."""

    path: Path
    sha256: str
    """Of the content; see :func:`mlxjsd.prompts.formats.files.content_hash`."""
    prompts: tuple[Prompt, ...]
    format: str | None = None
    """One of :data:`mlxjsd.prompts.formats.FORMATS`, or "fields" if they were named; None for
    prompts that are in no file."""
    fields: str | None = None
    """Which fields hold what, if they were named; see :mod:`mlxjsd.prompts.mapping`."""
    asks: str | None = None
    """Which of several texts are asked; see :attr:`mlxjsd.prompts.formats.Format.asks`."""
    revision: str | None = None
    """Of a data set of the Hub: the commit."""
    notes: tuple[str, ...] = ()
    """Sentences on what was not read."""

    @classmethod
    def of(cls, prompts: Iterable[Prompt], name: str = "prompts") -> "PromptFile":
        """Return prompts that are in no file, as if they were.

        Args:
            prompts: each with an id of its own, in the order in which they are measured.
            name: takes the place of the file's name.

        Raises:
            InputError: if there is none, or two have one id.
        """
        given = tuple(prompts)
        if not given:
            raise InputError("there is no prompt to measure", hint="give at least one")
        digest, ids = hashlib.sha256(), set[str]()
        for prompt in given:
            if prompt.id in ids:
                raise InputError(
                    f"two prompts have the id {prompt.id!r}", hint="give each an id of its own"
                )
            ids.add(prompt.id)
            said = asdict(prompt)
            if prompt.counterfactual is None:  # as before there were pairs
                del said["counterfactual"]
            digest.update(f"{json.dumps(said, sort_keys=True)}\n".encode())
        return cls(Path(name), digest.hexdigest(), given, None)

    def described(self) -> list[str]:
        """Return sentences on how the file was read: as what, and what was left out."""
        notes = (f"{note[0].upper()}{note[1:]}." for note in map(clean, self.notes))
        return [f"Read as {self.format or 'prompts'}.", *notes]

    def identity(self) -> dict[str, Any]:
        """Return what a run stores about its data, as JSON values."""
        # Those that say nothing are left out: older runs did not know them.
        further = {"fields": self.fields, "asks": self.asks, "revision": self.revision}
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "prompts": len(self.prompts),
            "format": self.format,
            **{name: value for name, value in further.items() if value is not None},
        }
