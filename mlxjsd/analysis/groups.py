"""The prompts of a run in groups, so that averaging does not hide the finding."""

from collections.abc import Callable, Sequence

from mlxjsd.analysis.answers import CATEGORY_NAMES, FACTUAL, WRONG, Labels
from mlxjsd.errors import InputError
from mlxjsd.records import Record
from mlxjsd.settings import GROUPINGS

UNLABELLED = "unlabelled"


def group(records: Sequence[Record], labels: Labels, by: str) -> dict[str, list[Record]]:
    """Group ``records`` by category, relation or correctness; each group in its old order.

    Args:
        records: of one run.
        labels: of these records.
        by: one of :data:`mlxjsd.settings.GROUPINGS`.

    Raises:
        InputError: for another ``by``.
    """
    if by not in GROUPINGS:
        raise InputError(f"--by is {', '.join(GROUPINGS)}, not {by!r}", hint="give one of them")
    key: Callable[[int], str]
    if by == "relation":
        key = lambda i: records[i].relation or "no relation"  # noqa: E731
        order = sorted({key(i) for i in range(len(records))})
    elif by == "category":
        key = lambda i: labels.categories[i] or UNLABELLED  # noqa: E731
        order = [*CATEGORY_NAMES, UNLABELLED]
    else:
        names = {None: UNLABELLED, FACTUAL: "correct"}
        key = lambda i: names.get(labels.categories[i], WRONG)  # noqa: E731
        order = ["correct", WRONG, UNLABELLED]
    groups: dict[str, list[Record]] = {name: [] for name in order}
    for index, record in enumerate(records):
        groups[key(index)].append(record)
    return {name: found for name, found in groups.items() if found}
