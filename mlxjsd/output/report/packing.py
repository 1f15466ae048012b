"""Numbers as short text: base64 of little-endian integers or floats, for Python and for a page.

Cells and maps are levels of 16 bits, all of one metric together. Of neighbouring layers only the
difference is kept, and all high bytes stand before all low ones, so that deflate finds what they
have in common; a browser undoes it by itself (``DecompressionStream``). Nothing is lost by that.
"""

import base64
import binascii
import zlib
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mlxjsd.metrics import described
from mlxjsd.store.damage import Damage
from mlxjsd.store.values import Check, real, with_keys

#: Stands for NaN, "not applicable", among packed cells.
NOT_A_NUMBER = 0xFFFF
_LEVELS = NOT_A_NUMBER - 1
#: The smallest step, such as where all cells are alike.
_FINEST = 1e-12
#: Of the most packed numbers of one metric that are looked at, once they are unpacked.
MOST_BYTES = 1 << 27
_FLOAT, _LEVEL = np.dtype("<f4"), np.dtype("<u2")


@dataclass(frozen=True)
class Packing:
    """How the cells of one metric are packed: a cell is ``low + level * step``."""

    low: float
    step: float
    """In the metric's unit; a packed cell is within half of it of the measured one."""

    @classmethod
    def of(cls, metric: str, cells: np.ndarray) -> "Packing":
        """Return the finest packing of some cells, NaN among them or not."""
        known = cells[np.isfinite(cells)].astype(np.float64)
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        if described(metric).low == 0 <= low:
            low = 0.0  # so that 0 stays 0
        return cls(low, max((high - low) / _LEVELS, _FINEST))

    def levels(self, cells: np.ndarray) -> np.ndarray:
        """Return cells as levels, uint16 of the same shape."""
        known = np.isfinite(cells)
        found = np.rint((np.where(known, cells, self.low) - self.low) / self.step)
        return np.where(known, np.clip(found, 0, _LEVELS), NOT_A_NUMBER).astype(_LEVEL)

    def cells(self, levels: np.ndarray) -> np.ndarray:
        """Return levels as cells, float32 of the same shape."""
        found = (self.low + levels.astype(np.float64) * self.step).astype(np.float32)
        return np.where(levels == NOT_A_NUMBER, np.float32(np.nan), found)

    def is_finest(self, metric: str, cells: np.ndarray) -> bool:
        """Say whether these cells would be packed like this: nobody may pack more coarsely, and
        so have other numbers taken for the same."""
        finest = Packing.of(metric, cells)
        return self.step <= finest.step * (1 + 1e-4) + _FINEST

    def to_json(self) -> dict[str, float]:
        """Return the packing as JSON values."""
        return {"low": self.low, "step": self.step}


_checked: Check[dict[str, Any]] = with_keys(
    {"low": real(-1e30, 1e30), "step": real(1e-30, 1e30)}, ("low", "step")
)


def packing_from(value: Any, name: str) -> Packing:
    """Return the packing that JSON values say.

    Raises:
        Damage: if there is none like it.
    """
    found = _checked(value, name)
    return Packing(found["low"], found["step"])


def packed_levels(levels: np.ndarray) -> str:
    """Return levels of any shape, the last axis being layers, as text."""
    before = np.zeros((*levels.shape[:-1], 1), _LEVEL)
    steps = np.diff(levels.astype(_LEVEL), axis=-1, prepend=before).astype(_LEVEL)  # modulo 2^16
    low, high = np.frombuffer(steps.tobytes(), np.uint8).reshape(-1, 2).T
    return base64.b64encode(zlib.compress(high.tobytes() + low.tobytes(), 9)).decode("ascii")


def unpacked_levels(written: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return what :func:`packed_levels` made into text, uint16.

    Raises:
        Damage: if it is another count of numbers.
    """
    size = prod(shape) * _LEVEL.itemsize
    if not isinstance(written, str) or size > MOST_BYTES:
        raise Damage("packed numbers that are none")
    try:
        unpacking = zlib.decompressobj()
        # No more than is wanted, whatever the text would unpack to.
        content = unpacking.decompress(base64.b64decode(written, validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise Damage("packed numbers that are none") from None
    if len(content) != size or not unpacking.eof or unpacking.unused_data:
        raise Damage("packed numbers of another count")
    high, low = np.frombuffer(content, np.uint8).reshape(2, -1)
    steps = (high.astype(_LEVEL) << 8 | low).reshape(shape)
    return np.cumsum(steps, axis=-1, dtype=_LEVEL)


def packed_floats(numbers: np.ndarray) -> str:
    """Return numbers of any shape as text, float32 each."""
    found = np.array(numbers, _FLOAT)
    found[np.isnan(found)] = np.nan  # every NaN is the same one
    return _text(found)


def unpacked_floats(written: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return what :func:`packed_floats` made into text.

    Raises:
        Damage: if it is another count of numbers.
    """
    return _array(written, _FLOAT, shape)


def _text(numbers: np.ndarray) -> str:
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def _array(written: Any, kind: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    size = prod(shape) * kind.itemsize
    if not isinstance(written, str) or len(written) != 4 * -(-size // 3):
        raise Damage("packed numbers of another count")
    try:
        return np.frombuffer(base64.b64decode(written, validate=True), kind).reshape(shape)
    except (binascii.Error, ValueError):
        raise Damage("packed numbers that are none") from None
