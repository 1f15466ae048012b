"""Three kinds of answer (Cheang et al. 2025, section 3).

*FA*, a factual association: the model's answer is right. *AH*, an associated hallucination: it
is wrong, but leans on the subject. *UH*, an unassociated hallucination: it is wrong and made up
without the subject. What separates the last two is reliance: the divergence when nothing after the
subject may attend to it. The threshold is the mean reliance of the FA prompts, so it depends on
all prompts of a run, and labels are worked out from the stored rows whenever they are asked for.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.records import Record
from mlxjsd.settings import MATCHES

FACTUAL, ASSOCIATED, UNASSOCIATED, WRONG = "FA", "AH", "UH", "wrong"
#: What the categories are called where there is room.
CATEGORY_NAMES = {
    FACTUAL: "Factual associations",
    ASSOCIATED: "Associated hallucinations",
    UNASSOCIATED: "Unassociated hallucinations",
    WRONG: "Wrong answers",
}
_ARTICLES = {"a", "an", "the"}
_NEGATIONS = {"not", "never", "no", "nor", "neither", "isn", "wasn", "aren"}


def normalise(text: str) -> list[str]:
    """Return the words of ``text`` without case, accents, punctuation and articles."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in apart if not unicodedata.combining(c))
    words = re.sub(r"[\W_]+", " ", plain).split()
    return [word for word in words if word not in _ARTICLES] or words


def is_correct(record: Record, match: str = "contains") -> bool | None:
    """Say whether a record's answer is one of its prompt's; None where that is not known.

    Args:
        record: with ``answers``; and with ``answer``, unless the first token alone is asked for.
        match: ``contains`` (the answer holds an accepted one as whole words that no negation
            stands before), ``prefix`` (it begins with one) or ``first-token`` (the predicted
            token begins one).

    Raises:
        InputError: for another ``match``.
    """
    if match not in MATCHES:
        raise InputError(f"--match is {', '.join(MATCHES)}, not {match!r}", hint="give one of them")
    accepted = [words for answer in record.answers if (words := normalise(answer))]
    if not accepted:
        return None
    if match == "first-token":
        said = "".join(normalise(record.prediction))
        return bool(said) and any("".join(words).startswith(said) for words in accepted)
    if record.answer is None:
        return None
    words = normalise(record.answer)
    starts = range(1) if match == "prefix" else range(len(words))
    return any(
        words[at : at + len(wanted)] == wanted and not _NEGATIONS & set(words[max(0, at - 2) : at])
        for wanted in accepted
        for at in starts
    )


def verdict_on(record: Record, match: str = "contains") -> bool | None:
    """Say whether a record is right by its answer or, where none was generated, first token."""
    return is_correct(record, "first-token" if record.answer is None else match)


@dataclass(frozen=True)
class Labels:
    """The category of every record of a run."""

    categories: tuple[str | None, ...]
    """FA, AH, UH, or wrong where there is no threshold; None where nothing is known."""
    threshold: float | None
    """Reliance (nats) above which a wrong answer is an associated one."""
    given: bool
    """Whether the threshold was given, not worked out."""

    def count(self, category: str) -> int:
        """Return how many records have ``category``."""
        return self.categories.count(category)

    def present(self) -> list[str]:
        """Return the categories that occur, in the paper's order."""
        return [c for c in CATEGORY_NAMES if c in self.categories]


def label(
    records: Sequence[Record], match: str = "contains", threshold: float | None = None
) -> Labels:
    """Sort ``records`` into FA, AH and UH.

    Args:
        records: all of a run.
        match: see :func:`is_correct`.
        threshold: of the reliance in nats; None for the mean over the FA records. Without an FA
            record there is none, and wrong answers are only called wrong.

    Raises:
        InputError: for an unknown ``match``.
    """
    correct = [is_correct(record, match) for record in records]
    return categorise(correct, [record.reliance for record in records], threshold)


def why_no_threshold(records: Sequence[Record]) -> str:
    """Say why the records of a run give no reliance threshold."""
    nothing_attends = np.isnan(records[0].reliance)
    why = "no block attends" if nothing_attends else "no answer is right"
    return f"{why}, so there is no reliance threshold"


def categorise(
    correct: Sequence[bool | None], reliance: Sequence[float], threshold: float | None = None
) -> Labels:
    """Sort answers that have been judged, as :func:`label` does.

    Args:
        correct: of every prompt, from :func:`is_correct`.
        reliance: of every prompt, in nats; NaN where no block attends.
        threshold: see :func:`label`.
    """
    given = threshold is not None
    pairs = list(zip(correct, reliance, strict=True))
    if threshold is None:
        # Where no block attends there is no reliance, and no two kinds of wrong answer.
        known = [lean for right, lean in pairs if right and not np.isnan(lean)]
        threshold = float(np.mean(known)) if known else None

    def category(right: bool | None, lean: float) -> str | None:
        if right is None:
            return None
        if right:
            return FACTUAL
        if threshold is None or np.isnan(lean):
            return WRONG
        return ASSOCIATED if lean > threshold else UNASSOCIATED

    return Labels(tuple(category(*pair) for pair in pairs), threshold, given)
