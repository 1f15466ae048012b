"""Three kinds of answer (Cheang et al. 2025, section 3).

*FA*, a factual association: the model's answer is right. *AH*, an associated hallucination: it
is wrong, but leans on the subject. *UH*, an unassociated hallucination: it is wrong and made up
without the subject. What separates the last two is reliance: the divergence when nothing after the
subject may attend to it. The threshold is the mean reliance of the FA prompts, so it depends on
all prompts of a run, and labels are worked out from the stored rows whenever they are asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlxjsd.analysis.aliases import further_names
from mlxjsd.analysis.judgements import Judgements
from mlxjsd.analysis.matching import begins, find, is_name
from mlxjsd.errors import InputError
from mlxjsd.records import Record
from mlxjsd.settings import MATCHES, Aliases

FACTUAL, ASSOCIATED, UNASSOCIATED, WRONG = "FA", "AH", "UH", "wrong"
#: What the categories are called where there is room.
CATEGORY_NAMES = {
    FACTUAL: "Factual associations",
    ASSOCIATED: "Associated hallucinations",
    UNASSOCIATED: "Unassociated hallucinations",
    WRONG: "Wrong answers",
}
#: Who judges where nobody else has.
RULE = "rule"
#: By how much the threshold is moved to see what hangs on it.
SHIFTS = (-0.25, -0.1, 0.1, 0.25)


@dataclass(frozen=True)
class Verdict:
    """What is said of an answer."""

    right: bool | None
    """None where it is not known."""
    why: str
    """Which accepted answer or alias it gives, or why it gives none."""
    judge: str = RULE
    """Who says so."""


def judge(
    record: Record,
    match: str = "contains",
    aliases: Aliases | None = None,
    judgements: Judgements | None = None,
) -> Verdict:
    """Say whether a record's answer is one of its prompt's, and why.

    Args:
        record: with ``answers``; and with ``answer``, unless the first token alone is asked for.
        match: ``contains`` (the answer holds an accepted one as whole words, and no negation of
            it), ``prefix`` (it begins with one) or ``first-token`` (the predicted token begins
            one); see :mod:`mlxjsd.analysis.matching`.
        aliases: further names of the accepted answers.
        judgements: of a person or another model, which go before the rules.

    Raises:
        InputError: for another ``match``.
    """
    if match not in MATCHES:
        raise InputError(f"--match is {', '.join(MATCHES)}, not {match!r}", hint="give one of them")
    if judgements is not None and (judged := judgements.of(record.id)) is not None:
        right, by = judged
        return Verdict(right, f"judged by {by}", by)
    accepted = tuple(answer for answer in record.answers if is_name(answer))
    if not accepted:
        return Verdict(None, "no accepted answer is known")
    further = further_names(accepted, aliases)
    names = (*accepted, *further)
    if match == "first-token":
        name, negated = begins(names, record.prediction), None
    elif record.answer is None:
        return Verdict(None, "no answer was generated")
    else:
        found = find(names, record.answer, match == "prefix")
        name, negated = found.name, found.negated
    if name is not None:
        if name in further and aliases is not None:
            return Verdict(True, f"alias {name!r} of {further[name]!r} ({aliases.name})")
        return Verdict(True, f"accepted answer {name!r}")
    if negated is not None:
        return Verdict(False, f"negated: {negated!r}")
    where = {"contains": "in it", "prefix": "at its beginning", "first-token": "begun by its token"}
    return Verdict(False, f"no accepted answer is {where[match]}")


def is_correct(
    record: Record,
    match: str = "contains",
    aliases: Aliases | None = None,
    judgements: Judgements | None = None,
) -> bool | None:
    """Say whether a record's answer is one of its prompt's; None where that is not known.

    See :func:`judge`, which also says why.
    """
    return judge(record, match, aliases, judgements).right


def verdict_on(
    record: Record,
    match: str = "contains",
    aliases: Aliases | None = None,
    judgements: Judgements | None = None,
) -> bool | None:
    """Say whether a record is right by its answer or, where none was generated, first token."""
    match = "first-token" if record.answer is None else match
    return is_correct(record, match, aliases, judgements)


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
    records: Sequence[Record],
    match: str = "contains",
    threshold: float | None = None,
    aliases: Aliases | None = None,
    judgements: Judgements | None = None,
) -> Labels:
    """Sort ``records`` into FA, AH and UH.

    Args:
        records: all of a run.
        match: see :func:`judge`, as for ``aliases`` and ``judgements``.
        threshold: of the reliance in nats; None for the mean over the FA records. Without an FA
            record there is none, and wrong answers are only called wrong.
        aliases: further names of the accepted answers.
        judgements: that go before the rules.

    Raises:
        InputError: for an unknown ``match``.
    """
    correct = [is_correct(record, match, aliases, judgements) for record in records]
    return categorise(correct, [record.reliance for record in records], threshold)


def side_changes(records: Sequence[Record], labels: Labels) -> Mapping[float, int]:
    """Return how many answers go from AH to UH or back when the threshold moves.

    Args:
        records: of a run.
        labels: of these.

    Returns:
        A count for each share of the threshold by which it moves, -0.25 to 0.25; none where there
        is no threshold.
    """
    if labels.threshold is None:
        return {}
    wrong = [
        (record.reliance, category == ASSOCIATED)
        for record, category in zip(records, labels.categories, strict=True)
        if category in (ASSOCIATED, UNASSOCIATED)
    ]
    return {
        shift: sum((lean > labels.threshold * (1 + shift)) != was for lean, was in wrong)
        for shift in SHIFTS
    }


def said_of_shifts(changes: Mapping[float, int]) -> str:
    """Say what hangs on the threshold, as one sentence without its stop; "" without one."""
    if not changes:
        return ""
    told = ", ".join(f"{count} at {shift:+.0%}" for shift, count in changes.items())
    return f"answers that change between AH and UH when it moves: {told}"


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
