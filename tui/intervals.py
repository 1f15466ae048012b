"""Bootstrap intervals, worked out beside the screen.

Resampling ten thousand prompts takes seconds, and nearly all of it is drawing the samples, which
every cell shares. So all cells of a view are done at once, on a thread of their own, and moving
the cursor only looks one up.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.tui.run_data import Interval, Measured, View
from mlxjsd.tui.run_state import RunState, Status

#: Up to this many prompts, waking a thread would take as long as resampling them.
AT_ONCE = 100
#: While a run goes on, resampling takes at most this share of the time.
SHARE = 1 / 5

Known = Callable[[Measured, View, Interval], object]


class Intervals:
    """Works out the interval of the view that is shown, one at a time."""

    def __init__(self, tell: Known) -> None:
        """Prepare; ``tell`` hears of a result, on the thread that worked it out."""
        self._tell = tell
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="mlxjsd-intervals")
        self._closed = False
        self._working = False
        self._rest_until = 0.0

    def ask(self, state: RunState) -> float | None:
        """Work out what is missing; to be asked again after each result.

        Returns:
            Seconds after which to ask again, if this came too early; None otherwise.
        """
        measured, view = state.measured, state.view
        known = measured.intervals.get(view)
        count, total = state.heatmap.count, len(measured.records)
        if count < 2 or (known is not None and known.total == total):
            return None
        if count <= AT_ONCE:
            ends = bootstrap_interval(measured.values(*view))
            measured.intervals[view] = Interval(ends, count, total)
            return None
        if self._working or self._closed:
            return None  # its result leads to the next question
        rest = self._rest_until - time.monotonic()
        if state.status is Status.RUNNING and rest > 0:
            return rest
        self._working = True
        self._executor.submit(self._work, measured, view, measured.values(*view), count, total)
        return None

    def close(self) -> None:
        """Wait for the one that is being worked out; nothing is after this."""
        self._closed = True
        self._executor.shutdown(cancel_futures=True)

    def _work(
        self, measured: Measured, view: View, values: np.ndarray, count: int, total: int
    ) -> None:
        began = time.monotonic()
        ends = bootstrap_interval(values)
        now = time.monotonic()
        self._rest_until = now + (1 / SHARE - 1) * (now - began)
        self._working = False
        self._tell(measured, view, Interval(ends, count, total))
