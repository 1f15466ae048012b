"""Which row of one run is compared with which of another."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlxjsd.row_names import base_of, is_denoising


@dataclass(frozen=True)
class Pairing:
    """The rows of two runs, A and B."""

    rows: tuple[tuple[str, str], ...]
    """What is compared: A's row and B's, in A's order."""
    only_a: tuple[str, ...]
    """Rows of A that B has nothing to compare with."""
    only_b: tuple[str, ...]
    """Rows of B that A has nothing to compare with."""

    @property
    def turned(self) -> tuple[bool, ...]:
        """Whether a row of A and its counterpart are of two directions.

        What one takes away, the other restores: their effects agree where one is minus the other.
        """
        return tuple(is_denoising(a) != is_denoising(b) for a, b in self.rows)


def pairing(a: Sequence[str], b: Sequence[str]) -> Pairing:
    """Pair the rows of two runs: by their names or, of what is left, by what they edit.

    So ``attn`` is compared with ``attn:w9``, and ``subj`` with ``subj:denoising``, if each is the
    only row of its kind that is left.
    """
    left_a, left_b = ([row for row in one if row not in other] for one, other in ((a, b), (b, a)))
    found = {row: row for row in a if row in b}
    for row in left_a:
        same = [other for other in left_b if base_of(other) == base_of(row)]
        alone = sum(base_of(other) == base_of(row) for other in left_a) == 1
        if alone and len(same) == 1:
            found[row] = same[0]
    return Pairing(
        tuple((row, found[row]) for row in a if row in found),
        tuple(row for row in a if row not in found),
        tuple(row for row in b if row not in found.values()),
    )
