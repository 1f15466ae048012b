"""Prompts: what is asked, and where in the text its subject stands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """One cloze prompt about one subject."""

    id: str
    """Unique within its file; the noise of a prompt depends on it."""
    text: str
    """What the model reads; the answer would follow."""
    subject: str
    """As it stands in the text."""
    subject_start: int | None = None
    """Character offset of the subject, where it is not its first occurrence."""
    answers: tuple[str, ...] = ()
    """Accepted answers, if known."""
    relation: str | None = None
    """What is asked of the subject; swaps stay within one relation."""
    popularity: float | None = None
    """How often the subject is looked up, where the data set says so: PopQA's page views."""

    def subject_chars(self) -> tuple[int, int] | None:
        """Return the subject's characters [from, to) in the text, or None if it is not there."""
        start = self.subject_start
        if start is None:
            start = self.text.find(self.subject)
        if start < 0 or self.text[start : start + len(self.subject)] != self.subject:
            return None
        return start, start + len(self.subject)


@dataclass(frozen=True)
class PromptFile:
    """The prompts of one file or folder, and which one it was."""

    path: Path
    sha256: str
    """Of the content; see :func:`mlxjsd.prompts.formats.files.content_hash`."""
    prompts: tuple[Prompt, ...]
    format: str = "jsonl"
    """One of :data:`mlxjsd.prompts.formats.FORMATS`."""

    def identity(self) -> dict[str, Any]:
        """Return what a run stores about its data, as JSON values."""
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "prompts": len(self.prompts),
            "format": self.format,
        }
