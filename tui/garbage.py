"""Keeping the garbage collector away from records.

A full collection looks at every object that was ever made. With ten thousand records that takes a
third of a second, at any moment, also between a key and its answer. Records live as long as their
screen and hold no cycles: there is nothing to find among them.
"""

import gc

#: So few records are looked through too fast to be noticed.
_MANY = 1000
#: Records that may arrive until the next time.
_STEP = 250


class Shelf:
    """Takes records out of the collector's sight, a step at a time."""

    def __init__(self) -> None:
        self._kept = 0

    def keep(self, records: int) -> None:
        """Hear how many records there are by now."""
        if records >= _MANY and not 0 <= records - self._kept < _STEP:
            self._kept = records
            gc.collect(1)  # or what is garbage by now would be kept as well
            gc.freeze()

    def clear(self) -> None:
        """Give them back: the run is no longer shown."""
        if self._kept:
            self._kept = 0
            gc.unfreeze()
