"""The residual streams of a model that keeps several for each token, as one state of a token."""

from dataclasses import dataclass

import mlx.core as mx

from mlxjsd.errors import UnsupportedModel


@dataclass(frozen=True)
class Streams:
    """How many residual streams a model keeps, and which axis of its states counts them.

    Together they are one state of a token: every edit replaces all of them.
    """

    count: int = 1
    axis: int | None = None
    """Which axis of four counts them; None for a single stream."""

    @classmethod
    def of(cls, x: mx.array, tokens: tuple[int, ...]) -> "Streams":
        """Find the streams in what a block reads.

        Args:
            x: (rows, tokens, hidden), or four axes of which one counts streams.
            tokens: (rows, tokens).

        Raises:
            UnsupportedModel: if it is not clear which axis that is.
        """
        if x.ndim == 3:
            return cls()
        places = [axis for axis in (0, 2) if x.ndim == 4 and _without(x.shape, axis) == tokens]
        if len(places) != 1:
            raise UnsupportedModel(
                f"a block reads an array of shape {x.shape}, not one of states",
                hint="measure another model, and report this one",
            )
        return cls(x.shape[places[0]], places[0])

    def fold(self, x: mx.array) -> mx.array:
        """Return states as (rows, tokens, hidden), the streams behind one another."""
        if self.axis is None:
            return x
        return mx.moveaxis(x, self.axis, 2).flatten(2)

    def unfold(self, x: mx.array) -> mx.array:
        """Undo :meth:`fold`."""
        if self.axis is None:
            return x
        return mx.moveaxis(x.reshape(*x.shape[:2], self.count, -1), 2, self.axis)


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Return the first two of four axes that are left without ``axis``."""
    return (*shape[:axis], *shape[axis + 1 :])[:2]
