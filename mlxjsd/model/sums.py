"""Which modules' outputs add up to what leaves a block, found by least squares."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import mlx.core as mx
import numpy as np

from mlxjsd.model.submodules import Call

#: How many units of rounding (the dtype's eps) of all that is added up a sum may be off by, at
#: every number: each addition and each product is rounded by half a unit.
ROUNDINGS = 4
#: How many outputs make a step: two nearly always. One is tried after two, since a module
#: around both would hide them.
_COUNTS = (2, 1, 3)


def float64(a: mx.array) -> np.ndarray:
    """Return numbers of any type as NumPy's float64."""
    return np.array(a.astype(mx.float32)).astype(np.float64)


@dataclass(frozen=True)
class Step:
    """What enters a block and what leaves it, (rows, tokens, hidden) in float64."""

    entered: np.ndarray
    left: np.ndarray
    eps: float
    """The coarsest rounding of all that is added up."""

    @classmethod
    def of(cls, entered: mx.array, left: mx.array, outputs: Sequence[mx.array]) -> "Step":
        """Look at one call of a block, and at what its modules gave."""
        eps = max(float(mx.finfo(a.dtype).eps) for a in (entered, left, *outputs))
        return cls(float64(entered), float64(left), eps)

    @property
    def size(self) -> np.ndarray:
        """What rounding is relative to."""
        return np.abs(self.entered) + np.abs(self.left)

    def is_sum(
        self, outputs: Sequence[np.ndarray], scales: Sequence[float], carried: float
    ) -> bool:
        """Whether what enters and ``outputs`` add up to what leaves, within rounding everywhere.

        Args:
            outputs: of modules, (rows, tokens, hidden).
            scales: what each of them is multiplied by.
            carried: what that which enters is multiplied by.
        """
        # One token refutes nearly all that are wrong.
        for part in (np.s_[:1, -1:], np.s_[:]):
            terms = [output[part] * scale for output, scale in zip(outputs, scales, strict=True)]
            entered, left = self.entered[part], self.left[part]
            size = sum(map(np.abs, terms), np.abs(entered) + np.abs(left))
            if not _near(left, sum(terms, entered * carried), size, self.eps):
                return False
        return True


def _near(a: np.ndarray, b: np.ndarray, size: np.ndarray, eps: float) -> bool:
    return bool((np.abs(a - b) <= ROUNDINGS * eps * size).all())


#: What the stream itself is multiplied by, and calls with what their outputs are multiplied by.
Sum = tuple[float, list[tuple[Call, float]]]


def sums_of(step: Step, calls: Sequence[Call]) -> Iterator[Sum]:
    """Yield the sums that make a step, those of the outermost modules first."""
    if step.is_sum([], [], 1.0):
        yield 1.0, []
        return
    apart = _apart(calls, step)
    solve = _LeastSquares(step, [out for _, out in apart])
    for count in _COUNTS:
        chosen = list(combinations(range(len(apart)), count))
        for these in sorted(chosen, key=lambda these: sum(len(apart[i][0].around) for i in these)):
            outputs = [apart[i][1] for i in these]
            for free in ([], list(these), [*these, solve.entered]):
                carried, *scales = solve.scales(these, free)
                if min(carried, *scales) > 0 and step.is_sum(outputs, scales, carried):
                    if _all_matter(step, outputs, scales, carried):
                        yield (
                            carried,
                            [(apart[i][0], by) for i, by in zip(these, scales, strict=True)],
                        )
                    break


class _LeastSquares:
    """Finds what each of several terms of a step is multiplied by."""

    def __init__(self, step: Step, outputs: Sequence[np.ndarray]) -> None:
        # Each number weighs as much as it is exact: a few of a real model's are thousands of
        # times larger than the others, and so is their rounding.
        weight = 1 / np.where(step.size > 0, step.size, np.inf)
        terms = np.array([(a * weight).ravel() for a in (*outputs, step.entered, step.left)])
        self._products = terms @ terms.T
        self.entered, self._left = len(outputs), len(outputs) + 1

    def scales(self, these: Sequence[int], free: Sequence[int]) -> list[float]:
        """Return the numbers for what enters and for ``these``; 1 for what is not ``free``."""
        found = dict.fromkeys((self.entered, *these), 1.0)
        if free:
            fixed = [i for i in found if i not in free]
            wanted = self._products[free, self._left] - self._products[np.ix_(free, fixed)].sum(1)
            solved = np.linalg.lstsq(self._products[np.ix_(free, free)], wanted, rcond=None)[0]
            found |= dict(zip(free, map(float, solved), strict=True))
        return list(found.values())


def _all_matter(step: Step, outputs: list[np.ndarray], scales: list[float], carried: float) -> bool:
    """Whether a sum fails without any of its terms, what enters the block among them."""
    if step.is_sum(outputs, scales, 0.0):
        return False
    return not any(
        step.is_sum([*outputs[:at], *outputs[at + 1 :]], [*scales[:at], *scales[at + 1 :]], carried)
        for at in range(len(outputs))
    )


def _apart(calls: Sequence[Call], step: Step) -> list[tuple[Call, np.ndarray]]:
    """Return one call, and its output, of each group whose outputs are the same but for a factor.

    It is the outermost (a module rather than its last projection); of several the last.
    """
    kept: list[tuple[Call, np.ndarray]] = []
    for call in calls:  # in the order in which they end: what is around comes later
        out = float64(call.out)
        if not out.any() or not np.isfinite(out).all():
            continue
        alike = [at for at, (_, other) in enumerate(kept) if _parallel(other, out, step.eps)]
        if alike and len(kept[alike[0]][0].around) < len(call.around):
            continue
        kept = [one for at, one in enumerate(kept) if at not in alike] + [(call, out)]
    return kept


def _parallel(a: np.ndarray, b: np.ndarray, eps: float) -> bool:
    factor = np.vdot(a, b) / np.vdot(a, a)
    return factor > 0 and _near(a * factor, b, np.abs(b), eps)
