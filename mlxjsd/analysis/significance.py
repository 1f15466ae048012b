"""Which cells differ for sure: from their control, between groups of prompts, between runs.

A row's control makes an edit of the same size that has nothing to do with the subject: what is left
of an effect beyond it is the subject's. Rows are tested where both are there; the tests are those
of :mod:`mlxjsd.analysis.resampling`, and q-values are over all cells of one comparison.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mlxjsd.analysis.heatmap import known_means
from mlxjsd.analysis.resampling import RESAMPLES, adjusted, permutation, sign_flip
from mlxjsd.row_names import base_of
from mlxjsd.rows import ROWS

#: A cell differs for sure where its q-value is below.
LEVEL = 0.05
#: How a test is named in exports.
SIGN_FLIP, PERMUTATION = "paired sign-flip", "permutation"


@dataclass(frozen=True)
class Outcome:
    """Cells, compared with what they would be if nothing were the matter."""

    rows: tuple[str, ...]
    """Keys of the rows that are tested."""
    against: tuple[str, ...]
    """What each of them is compared with: a row, or the same row of other prompts or runs."""
    difference: np.ndarray
    """(rows, L) float64: the row's mean less that of the other one, over the prompts that count."""
    p: np.ndarray
    """(rows, L); NaN where there is nothing to compare."""
    q: np.ndarray
    """(rows, L): adjusted over all cells, see :func:`mlxjsd.analysis.resampling.adjusted`."""
    counts: np.ndarray
    """(rows, L) int: pairs or, between groups, prompts of both."""
    test: str = SIGN_FLIP

    @property
    def differs(self) -> np.ndarray:
        """Which cells differ for sure, (rows, L) bool."""
        found: np.ndarray = self.q < LEVEL
        return found

    def marks(self, rows: Sequence[str]) -> np.ndarray:
        """Return which cells of a heatmap with these ``rows`` differ for sure, (rows, L) bool."""
        found = np.zeros((len(rows), self.p.shape[1]), bool)
        for row, differs in zip(self.rows, self.differs, strict=True):
            found[list(rows).index(row)] = differs
        return found


def control_of(row: str, rows: Sequence[str]) -> str | None:
    """Return the row that is the control of another, of its window and direction; None without.

    ``attn:w9`` has ``attn-control:w9``.

    Args:
        row: its key.
        rows: those that were measured.
    """
    base = base_of(row)
    control = ROWS[base].control if base in ROWS else None
    wanted = None if control is None else control + row[len(base) :]
    return wanted if wanted in rows else None


def against_controls(
    cells: np.ndarray,
    rows: Sequence[str],
    resamples: int = RESAMPLES,
) -> Outcome | None:
    """Test every row that has a control against it, on the prompts that have both.

    Args:
        cells: (N, rows, L).
        rows: their keys.
        resamples: see :func:`mlxjsd.analysis.resampling.sign_flip`.

    Returns:
        None where no row has a control among them.
    """
    found = [(row, control_of(row, rows)) for row in rows]
    pairs = [(row, control) for row, control in found if control is not None]
    if not pairs:
        return None
    places = [(rows.index(row), rows.index(control)) for row, control in pairs]
    differences = np.stack(
        [cells[:, a].astype(np.float64) - cells[:, b] for a, b in places], axis=1
    )
    named, against = zip(*pairs, strict=True)
    return paired(differences, named, against, resamples)


def paired(
    differences: np.ndarray,
    rows: Sequence[str],
    against: Sequence[str],
    resamples: int = RESAMPLES,
) -> Outcome:
    """Test (N, rows, L) paired differences against 0; NaN where a prompt has none."""
    mean, counts = known_means(differences)
    p = sign_flip(differences, resamples)
    return Outcome(tuple(rows), tuple(against), mean, p, adjusted(p), counts)


def between(
    a: np.ndarray, b: np.ndarray, rows: Sequence[str], resamples: int = RESAMPLES
) -> Outcome:
    """Test (N, rows, L) cells of one group of prompts against (M, rows, L) of another."""
    (mean, count), (other, others) = known_means(a), known_means(b)
    p, named = permutation(a, b, resamples), tuple(rows)
    return Outcome(named, named, mean - other, p, adjusted(p), count + others, PERMUTATION)


#: What a group is compared with where there are too many for every two.
OTHERS = "all others"
#: Groups of which every two are compared.
_FEW = 4


def between_groups(
    groups: Mapping[str, np.ndarray], rows: Sequence[str], resamples: int = RESAMPLES
) -> dict[tuple[str, str], Outcome]:
    """Test groups of prompts against each other.

    Args:
        groups: (n, rows, L) cells by name.
        rows: their keys.
        resamples: see :func:`mlxjsd.analysis.resampling.permutation`.

    Returns:
        By two names: the differences are those of the second from the first. Of up to four
        groups, every two; of more, each group from all other prompts, ``all others``. Nothing for
        fewer than two.
    """
    if len(groups) <= _FEW:
        pairs = combinations(groups, 2)
        return {(a, b): between(groups[b], groups[a], rows, resamples) for a, b in pairs}
    found = {}
    for name, own in groups.items():
        others = np.concatenate([cells for other, cells in groups.items() if other != name])
        found[OTHERS, name] = between(own, others, rows, resamples)
    return found


def spans(which: np.ndarray, layers: Sequence[int]) -> str:
    """Write layers as people do: "layers 0-3, 7 and 9-12", "layer 5"; "" for none.

    Args:
        which: (L,) bool.
        layers: those that were measured; what follows on each other among them is one span.
    """
    chosen = np.concatenate([[0], which[list(layers)].astype(int), [0]])
    edges = np.flatnonzero(np.diff(chosen))
    ends = [(layers[a], layers[b - 1]) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    parts = [f"{a}-{b}" if b > a else f"{a}" for a, b in ends]
    written = " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
    return written and f"{'layer' if written.isdigit() else 'layers'} {written}"
