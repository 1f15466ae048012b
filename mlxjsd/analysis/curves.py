"""Curves beside the heatmap, by category, like the paper's Figures 3, 6 and 8."""

from dataclasses import dataclass

import numpy as np

from mlxjsd.analysis.answers import FACTUAL
from mlxjsd.analysis.groups import UNLABELLED, group, labelling_of
from mlxjsd.errors import InputError
from mlxjsd.results import Record, Run

KINDS = ("norms", "cosine", "probability")


@dataclass(frozen=True)
class Confidence:
    """How sure the model is of its answers in one category."""

    probability: np.ndarray
    """(n,) of the predicted token."""
    entropy: np.ndarray
    """(n,) of the clean next-token distribution, in nats."""


def norm_ratios(run: Run) -> dict[str, np.ndarray]:
    """Return the mean norm of the subject's states by layer (L), as a ratio to that of FA.

    Raises:
        InputError: if no prompt is a factual association.
    """
    means = {
        name: np.stack([record.norms for record in records]).mean(axis=0, dtype=np.float64)
        for name, records in _categories(run).items()
    }
    if FACTUAL not in means:
        raise InputError(
            "no answer of the run is right, so there is no norm to compare with",
            hint="try another --match",
        )
    return {name: mean / means[FACTUAL] for name, mean in means.items()}


def cosines(run: Run) -> dict[str, np.ndarray]:
    """Return the mean pairwise cosine of last-token states by layer (L), for each category.

    Raises:
        InputError: if the run is unfinished, or they were taken for other labels.
    """
    _categories(run)
    if not run.cosines:
        raise InputError(
            "cosines are taken when a run is finished", hint="finish it first with `mlxjsd resume`"
        )
    if run.cosines["labelling"] != labelling_of(run):
        raise InputError(
            "cosines hold for the labels that the run was made with",
            hint="leave out --match and --reliance-threshold",
        )
    found = run.cosines["groups"]
    return {
        name: np.array([np.nan if v is None else v for v in found[name]])
        for name in _categories(run)
        if name in found
    }


def confidences(run: Run) -> dict[str, Confidence]:
    """Return how sure the model is, for each category."""
    return {
        name: Confidence(
            np.array([record.probability for record in records]),
            np.array([record.entropy for record in records]),
        )
        for name, records in _categories(run).items()
    }


def _categories(run: Run) -> dict[str, list[Record]]:
    groups = group(run.records, "category", **labelling_of(run))
    groups.pop(UNLABELLED, None)
    if not groups:
        raise InputError(
            "no prompt of the run has a known answer, so there are no categories",
            hint="measure prompts with answers, and with --label",
        )
    return groups
