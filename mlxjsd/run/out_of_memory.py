"""What to do when memory runs out: measure fewer prompts at a time, down to one.

A prompt's numbers do not depend on its batch, so nothing but time is lost.
"""

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

import mlx.core as mx

from mlxjsd.errors import is_out_of_memory, said_by

Item = TypeVar("Item")
Found = TypeVar("Found")


def in_memory(
    measure: Callable[[Sequence[Item]], Found], batch: Sequence[Item]
) -> tuple[list[Found], list[tuple[Item, str]]]:
    """Measure a batch, halved as often as memory asks for.

    Args:
        measure: of a part of the batch.
        batch: at least one item.

    Returns:
        What was found of each part, and the items that do not fit alone, with the reason.
    """
    waiting, found, too_large = [batch], [], []
    while waiting:
        part = waiting.pop()
        result = _tried(measure, part)
        if not isinstance(result, _Full):
            found.append(result)
        elif len(part) > 1:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]
        else:
            too_large.append((part[0], f"it does not fit into memory alone: {result.said}"))
    return found, too_large


class _Full:
    """Memory ran out."""

    def __init__(self, error: Exception) -> None:
        self.said = said_by(error, 200) or type(error).__name__


def _tried(measure: Callable[[Sequence[Item]], Found], part: Sequence[Item]) -> Found | _Full:
    try:
        return measure(part)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        full = _Full(error)
    # Only here, outside, has the error let go of the frames that hold the arrays.
    gc.collect()
    mx.clear_cache()
    return full
