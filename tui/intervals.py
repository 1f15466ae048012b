"""Bootstrap intervals, worked out beside the screen.

Resampling ten thousand prompts takes seconds, and nearly all of it is drawing the samples, which
every cell shares. So all cells of a group are done at once, on a thread of their own, and moving
the cursor only looks one up.
"""

import threading
import time
from collections.abc import Callable

import numpy as np

from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.tui.run_data import Interval, Measured
from mlxjsd.tui.run_state import RunState, Status

#: Up to so many prompts, waking a thread would take as long as resampling them.
AT_ONCE = 100
#: While a run goes on, resampling takes at most one part in so many of the time.
PACE = 5

Known = Callable[[Measured, str, Interval], object]


class Intervals:
    """Works out the interval of the group that is shown, one at a time."""

    def __init__(self, tell: Known) -> None:
        """Prepare; ``tell`` hears of a result, on the thread that worked it out."""
        self._tell = tell
        self._working = False
        self._rest_until = 0.0

    def ask(self, state: RunState) -> float | None:
        """Work out what is missing; to be asked again after each result.

        Returns:
            Seconds after which to ask again, if this came too early; None otherwise.
        """
        measured, group = state.measured, state.group
        known = measured.intervals.get(group)
        count, total = measured.count(group), len(measured.records)
        if count < 2 or (known is not None and known.total == total):
            return None
        if count <= AT_ONCE:
            ends = bootstrap_interval(measured.rows(group))
            measured.intervals[group] = Interval(ends, count, total)
            return None
        if self._working:
            return None  # its result leads to the next question
        rest = self._rest_until - time.monotonic()
        if state.status is Status.RUNNING and rest > 0:
            return rest
        self._working = True
        arguments = (measured, group, measured.rows(group), total)
        # A daemon, so that leaving the app need not wait for it.
        threading.Thread(target=self._work, args=arguments, daemon=True).start()
        return None

    def _work(self, measured: Measured, group: str, rows: np.ndarray, total: int) -> None:
        began = time.monotonic()
        ends = bootstrap_interval(rows)
        now = time.monotonic()
        self._rest_until = now + (PACE - 1) * (now - began)
        self._working = False
        self._tell(measured, group, Interval(ends, len(rows), total))
