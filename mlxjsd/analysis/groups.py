"""Parting the prompts of a run, so that averaging them does not hide the finding."""

from collections.abc import Callable, Sequence
from typing import Any

from mlxjsd.analysis.answers import CATEGORY_NAMES, FACTUAL, WRONG, label
from mlxjsd.analysis.heatmap import Heatmap, aggregate
from mlxjsd.errors import InputError
from mlxjsd.results import Record, Run
from mlxjsd.settings import GROUPINGS, Labelling


def labelling_of(run: Run) -> dict[str, Any]:
    """Return ``match`` and ``threshold`` as the run was asked for them."""
    return {
        "match": run.labelling.get("match", Labelling.match),
        "threshold": run.labelling.get("reliance_threshold"),
    }


UNLABELLED = "unlabelled"


def group(
    records: Sequence[Record], by: str, match: str = "contains", threshold: float | None = None
) -> dict[str, list[Record]]:
    """Part ``records`` by category, relation or correctness; each group in its old order.

    Raises:
        InputError: for another ``by``.
    """
    if by not in GROUPINGS:
        raise InputError(f"--by is {', '.join(GROUPINGS)}, not {by!r}", hint="give one of them")
    labels = label(records, match, threshold)
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


def heatmaps_by(run: Run, by: str) -> dict[str, Heatmap]:
    """Return one heatmap for each group of a run, by the group's full name.

    Raises:
        InputError: for an unknown ``by``, or a run without a prompt.
    """
    groups = group(run.records, by, **labelling_of(run))
    if not groups:
        raise InputError(
            "the run holds no prompt yet, so there is nothing to part",
            hint="go on with `mlxjsd resume`",
        )
    named = {CATEGORY_NAMES.get(name, name): records for name, records in groups.items()}
    return {name: aggregate(records, run.layers) for name, records in named.items()}
