"""Curves beside the heatmap, by category, like the paper's Figures 3, 6 and 8."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlxjsd.analysis.answers import FACTUAL
from mlxjsd.errors import InputError
from mlxjsd.records import Record

KINDS = ("norms", "cosine", "probability")

Categories = Mapping[str, Sequence[Record]]
"""The records of each category, see :meth:`mlxjsd.results.Run.categories`."""


@dataclass(frozen=True)
class Confidence:
    """How sure the model is of its answers in one category."""

    probability: np.ndarray
    """(n,) of the predicted token."""
    entropy: np.ndarray
    """(n,) of the clean next-token distribution, in nats."""


def norm_ratios(categories: Categories) -> dict[str, np.ndarray]:
    """Return the mean norm of the subject's states by layer (L), as a ratio to that of FA.

    Raises:
        InputError: if no prompt is a factual association.
    """
    means = {
        name: np.stack([record.norms for record in records]).mean(axis=0, dtype=np.float64)
        for name, records in categories.items()
    }
    if FACTUAL not in means:
        raise InputError(
            "no answer of the run is right, so there is no norm to compare with",
            hint="try another --match",
        )
    return {name: mean / means[FACTUAL] for name, mean in means.items()}


def cosines(
    categories: Categories, measured: Mapping[str, Any], criteria: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return the mean pairwise cosine of last-token states by layer (L), for each category.

    Args:
        categories: those that occur in the run.
        measured: :attr:`mlxjsd.results.Run.cosines`.
        criteria: what decides a prompt's category now, :attr:`mlxjsd.results.Run.criteria`.

    Raises:
        InputError: if the run is unfinished, or they were taken for other labels.
    """
    if not measured:
        raise InputError(
            "cosines are taken when a run is finished", hint="finish it first with `mlxjsd resume`"
        )
    if measured.get("labelling") != criteria:
        raise InputError(
            "cosines hold for the labels that the run was made with",
            hint="leave out --match, --reliance-threshold and --aliases, or take them anew with "
            "`mlxjsd resume`",
        )
    found = measured["groups"]
    return {
        name: np.array([np.nan if v is None else v for v in found[name]])
        for name in categories
        if name in found
    }


def confidences(categories: Categories) -> dict[str, Confidence]:
    """Return how sure the model is, for each category."""
    return {
        name: Confidence(
            np.array([record.probability for record in records]),
            np.array([record.entropy for record in records]),
        )
        for name, records in categories.items()
    }
