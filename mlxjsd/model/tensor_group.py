"""Ranks that hold one model together, each with its part of every attention and MLP.

Their forward passes exchange data in collectives, hidden inside the model's own blocks, so all
ranks must do the same in the same order. The first rank leads: it runs the experiment as a single
process would, and announces before each batch which prompts it is of; the others follow. After
each batch the results must agree.

A collective whose peer is lost raises once or twice where ``mx.eval`` waits for it, passes in
silence with wrong numbers where NumPy does, and hangs after that; a peer that is frozen hangs it
as well. So every collective is under a time limit, no batch counts before all ranks have been
counted after it, and a rank that has lost another ends its process at once: nothing that could
still be waited for is.
"""

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import mlx.core as mx
import numpy as np

from mlxjsd.errors import GroupBroken, InputError, MeasurementError, said_by
from mlxjsd.rank import Rank

#: The exit code of a process that has lost another rank: that of one that was interrupted.
EXIT_CODE = 130
#: Seconds for the ranks to find each other, to load a model, and for a first batch.
CONNECT_SECONDS, LOAD_SECONDS, FIRST_BATCH_SECONDS = 120.0, 3600.0, 600.0
#: Later batches may take this many times what the slowest one took for a token, ...
BATCH_FACTOR = 20
#: ... but no fewer seconds than this, which is also the limit of the first rank between two.
LEAST_SECONDS = 90.0
#: What the first rank can announce.
STOP, MEASURE, MEASURE_FIRST, DIRECTIONS = range(1, 5)


class TensorParallelGroup:
    """The ranks that hold one model together."""

    def __init__(self) -> None:
        """Connect to the other ranks.

        Raises:
            InputError: if no launcher started this process as one of several.
        """
        self.on_abort: Callable[[], object] = lambda: None
        """Called before :meth:`abort` ends the process."""
        with self.time_limit("the other ranks do not come", CONNECT_SECONDS):
            try:
                self.mlx_group = mx.distributed.init(strict=True)
            except (RuntimeError, ValueError) as error:
                raise InputError(
                    "--tensor-parallel needs several ranks that find each other "
                    f"({said_by(error, 200)})",
                    hint="start them with `mlx.launch -n 2 -- mlxjsd run --tensor-parallel`, "
                    "or with a hostfile of IP addresses",
                ) from error
        self.rank = Rank(self.mlx_group.rank(), self.mlx_group.size())
        self._followers_wait = False  # for an announcement
        self._slowest: float | None = None  # seconds for a token of a batch
        if self.rank.size < 2:
            raise InputError(
                "--tensor-parallel needs several ranks that find each other (there is one)",
                hint="start them with `mlx.launch -n 2 -- mlxjsd run --tensor-parallel`, or "
                "with a hostfile of IP addresses",
            )

    @property
    def leads(self) -> bool:
        """Whether this rank runs the experiment, writes and prints."""
        return self.rank.leads

    @contextmanager
    def time_limit(self, what: str, seconds: float | None = None) -> Iterator[None]:
        """Abort if the body takes longer than ``seconds``; ``LEAST_SECONDS`` if None."""
        seconds = LEAST_SECONDS if seconds is None else seconds
        reason = f"{what} ({seconds:g} seconds without a sign)"
        timer = threading.Timer(seconds, self.abort, (reason,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def collective(self, what: str, seconds: float | None = None) -> Iterator[None]:
        """Run a body in which all ranks exchange data, under a time limit.

        Args:
            what: the ranks do, for a message.
            seconds: for all of it; ``LEAST_SECONDS`` if None.

        Raises:
            GroupBroken: in place of any error but a measurement that cannot be right or an input
                that cannot be used, which all ranks find at the same point.
        """
        with self.time_limit(f"another rank is lost or frozen, {what}", seconds):
            try:
                yield
            except (MeasurementError, InputError):
                raise
            except Exception as error:
                self._followers_wait = False  # no announcement would reach them
                said = said_by(error, 200) or type(error).__name__
                raise GroupBroken(f"the ranks are out of step, {what}: {said}") from error

    def announce(self, kind: int, positions: Sequence[int] = ()) -> None:
        """Tell the followers what comes next: one of the kinds above, of which prompts."""
        self._sum([kind, len(positions)])
        if positions:
            self._sum(positions)

    def receive(self) -> tuple[int, list[int]]:
        """Wait for what the first rank announces; return it."""
        kind, count = self._sum([0, 0])
        return kind, self._sum([0] * count) if count else []

    def _sum(self, values: Sequence[int]) -> list[int]:
        """Return the sums over all ranks, once each of them has been counted."""
        given = mx.array([1, *values], mx.int32)
        total = mx.distributed.all_sum(given, group=self.mlx_group, stream=mx.cpu)
        mx.eval(total)  # raises where a rank is lost; NumPy would not
        count, *sums = (int(value) for value in np.array(total))
        if count != self.rank.size:
            raise RuntimeError(f"only {count} of {self.rank.size} ranks answered")
        return sums

    def all_equal(self, words: Any) -> bool:
        """Say whether all ranks gave the same JSON values; all of them get the same answer."""
        digest = hashlib.sha256(json.dumps(words).encode()).digest()
        values = mx.array(np.frombuffer(digest, dtype="<i4").astype(np.int32))
        return self._largest_difference(values) == 0

    def largest_difference(self, numbers: np.ndarray) -> float:
        """Return the largest difference between any two ranks' ``numbers`` of the same shape.

        NaN, which stands for a number that does not exist, equals only itself.
        """
        given = np.where(np.isnan(numbers), -1e9, numbers).astype(np.float32).ravel()
        return self._largest_difference(mx.array(given))

    def _largest_difference(self, values: mx.array) -> float:
        highest = mx.distributed.all_max(values, group=self.mlx_group, stream=mx.cpu)
        lowest = mx.distributed.all_min(values, group=self.mlx_group, stream=mx.cpu)
        mx.eval(highest, lowest)
        # In float64, where the difference of two int32 does not wrap around.
        gaps = np.array(highest).astype(np.float64) - np.array(lowest).astype(np.float64)
        self._sum([])  # a rank that answers now took part above
        return float(gaps.max()) if gaps.size else 0.0

    def start_following(self) -> None:
        """Note that from now on the followers wait for what the first rank announces."""
        self._followers_wait = True

    def compute_on_all(
        self,
        kind: int,
        positions: Sequence[int],
        tokens: int,
        compute: Callable[[], Any],
        what: str,
    ) -> Any:
        """Let all ranks compute the same, which the first one announces.

        Args:
            kind: one of the kinds above.
            positions: of the prompts.
            tokens: of all of them together.
            compute: called on each rank; what it does has the same order on all.
            what: that is, for a message.

        Raises:
            GroupBroken: if a rank is lost.
        """
        waited, self._followers_wait = self._followers_wait, False
        began = time.monotonic()
        slowest = self._slowest
        seconds = FIRST_BATCH_SECONDS
        if slowest is not None:
            seconds = max(LEAST_SECONDS, BATCH_FACTOR * slowest * tokens)
        with self.collective(what, seconds):
            if self.leads:
                self.announce(kind, positions)
            try:
                found = compute()
            except MeasurementError:
                self._sum([])  # raises if a rank is lost: wrong numbers come of that as well
                raise
            self._sum([])  # raises if a rank was lost meanwhile, which MLX may have passed over
        self._slowest = max(slowest or 0.0, (time.monotonic() - began) / tokens)
        self._followers_wait = waited
        return found

    def stop_followers(self) -> None:
        """Let the followers end, if they wait for an announcement: not in the middle of a batch."""
        if self.leads and self._followers_wait:
            with suppress(GroupBroken), self.collective("letting the ranks go"):
                self.announce(STOP)

    def abort(self, why: str) -> NoReturn:
        """End the process at once, whatever other threads or collectives wait for."""
        with suppress(Exception):
            self.on_abort()
            sys.stdout.flush()
            cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # a progress bar hides it
            print(
                f"{cursor}\nmlxjsd: {why}; what was committed stays, the same command goes on "
                "from there",
                file=sys.stderr,
                flush=True,
            )
        os._exit(EXIT_CODE)
