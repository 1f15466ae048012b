"""Verdicts of people or of other models, which go before the rules; and who gave them."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Source:
    """One table of verdicts that was taken over."""

    file: str
    """Its name, without the folder."""
    sha256: str
    """Of its content."""
    verdicts: Mapping[str, tuple[bool, str]]
    """Whether the answer to a prompt is right, and who says so, by the prompt's id."""


@dataclass(frozen=True)
class Judgements:
    """All tables that were taken over; of two verdicts on an answer, the later one counts."""

    sources: tuple[Source, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._verdicts)

    def of(self, prompt: str) -> tuple[bool, str] | None:
        """Return whether the answer to a prompt is right, and who says so; None if nobody does."""
        return self._verdicts.get(prompt)

    @cached_property
    def _verdicts(self) -> dict[str, tuple[bool, str]]:
        return {key: value for source in self.sources for key, value in source.verdicts.items()}

    @property
    def digest(self) -> str:
        """A hash of all verdicts: what was worked out by others is stale."""
        verdicts = sorted((key, right) for key, (right, _) in self._verdicts.items())
        return hashlib.sha256(json.dumps(verdicts).encode()).hexdigest()

    def add(self, source: Source) -> "Judgements":
        """Return these with one more table."""
        return Judgements((*self.sources, source))

    def said(self, ids: Iterable[str]) -> str:
        """Say who has judged the answers to some prompts, as one sentence; "" if the rules did.

        Args:
            ids: of all prompts that are shown.
        """
        known = [self._verdicts.get(prompt) for prompt in ids]
        counts = Counter(found[1] for found in known if found is not None)
        if not counts:
            return ""
        told = [f"{count} by {name}" for name, count in counts.items()]
        noun = "answer" if sum(counts.values()) == 1 else "answers"
        others = ", the others by rule" if sum(counts.values()) < len(known) else ""
        verb = "was" if noun == "answer" else "were"
        return f"{sum(counts.values())} {noun} {verb} judged {_listed(told)}{others}."

    def to_json(self) -> list[dict[str, Any]]:
        """Return the tables as JSON values."""
        return [
            {
                "file": source.file,
                "sha256": source.sha256,
                "verdicts": {key: list(value) for key, value in source.verdicts.items()},
            }
            for source in self.sources
        ]

    @classmethod
    def from_json(cls, values: Sequence[Mapping[str, Any]]) -> "Judgements":
        """Build judgements from :meth:`to_json`."""
        return cls(
            tuple(
                Source(
                    one["file"],
                    one["sha256"],
                    {key: (bool(right), str(by)) for key, (right, by) in one["verdicts"].items()},
                )
                for one in values
            )
        )

    @classmethod
    def joined(cls, parts: Iterable["Judgements"]) -> "Judgements":
        """Return the tables of several, each once; the verdicts of the first one count most."""
        found: list[Source] = []
        for part in parts:
            found = [source for source in part.sources if source not in found] + found
        return cls(tuple(found))


def _listed(parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return parts[0].partition(" ")[2]
    return f"({', '.join(parts)})"
