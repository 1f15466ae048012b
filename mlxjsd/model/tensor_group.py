"""Ranks that hold one model together, each with its part of every attention and MLP.

Their forward passes meet in collectives, hidden inside the model's own blocks, so all of them
must do the same in the same order. The first rank leads: it runs the experiment as a single
process would, and says before each batch which prompts it is of; the others do as they hear.
After each batch the results must agree.

A collective whose peer is lost raises once or twice where ``mx.eval`` waits for it, passes in
silence with wrong numbers where NumPy does, and hangs after that; a peer that is frozen hangs it
as well. So whatever meets the others is under a time limit, no batch counts before all ranks have
been counted after it, and a rank that has lost another leaves the process at once: nothing that
could still be awaited is.
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

import mlx.core as mx  # isort: skip
import numpy as np

from mlxjsd.errors import InputError, MeasurementError, TeamBroken, said_by
from mlxjsd.rank import Rank

#: How the process ends that has lost another: as one that was interrupted.
LOST = 130
#: Seconds for the ranks to find each other, to load a model, and for a first batch.
CONNECTING, LOADING, COMPUTING = 120.0, 3600.0, 600.0
#: Later batches may take this many times what the slowest one took for a token, ...
TIMES = 20
#: ... but no fewer seconds than this, which is also what the first rank may need between two.
BETWEEN = 90.0
#: What the first rank can ask for.
STOP, MEASURE, MEASURE_FIRST, DIRECTIONS = range(1, 5)


class Team:
    """The ranks that hold one model together."""

    def __init__(self) -> None:
        """Find the other ranks.

        Raises:
            InputError: if no launcher started this process as one of several.
        """
        self.farewell: Callable[[], object] = lambda: None
        """What is left to do for a process that leaves at once."""
        with self.limited("the other ranks do not come", CONNECTING):
            try:
                self.group = mx.distributed.init(strict=True)
            except (RuntimeError, ValueError) as error:
                raise InputError(
                    "--tensor-parallel needs several ranks that find each other "
                    f"({said_by(error, 200)})",
                    hint="start them with `mlx.launch -n 2 -- mlxjsd run --tensor-parallel`, "
                    "or with a hostfile of IP addresses",
                ) from error
        self.rank = Rank(self.group.rank(), self.group.size())
        self._followed = False
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
    def limited(self, what: str, seconds: float | None = None) -> Iterator[None]:
        """Leave the process if the body takes longer than ``seconds``; ``BETWEEN`` if None."""
        seconds = BETWEEN if seconds is None else seconds
        told = f"{what} ({seconds:g} seconds without a sign)"
        watch = threading.Timer(seconds, self.leave, (told,))
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    @contextmanager
    def meeting(self, what: str, seconds: float | None = None) -> Iterator[None]:
        """Run a body that meets the other ranks.

        Raises:
            TeamBroken: in place of any error but a measurement that cannot be right, which is
                found on all ranks at the same point.
        """
        with self.limited(f"another rank is lost or frozen, {what}", seconds):
            try:
                yield
            except (MeasurementError, InputError):
                raise
            except Exception as error:
                self._followed = False  # no one can be told anything any more
                said = said_by(error, 200) or type(error).__name__
                raise TeamBroken(f"the ranks are out of step, {what}: {said}") from error

    def settle(self) -> None:
        """Wait for what MLX-LM began ahead as it generated.

        It computes the token after the last one on a stream of its own. What is left of that
        would meet the other ranks at the same time as the next forward pass, in either order.
        """
        from mlx_lm.generate import generation_stream

        mx.synchronize(generation_stream)

    def announce(self, kind: int, positions: Sequence[int] = ()) -> None:
        """Tell the others what comes next: one of the kinds above, of which prompts."""
        self._sum([kind, len(positions)])
        if positions:
            self._sum(positions)

    def heard(self) -> tuple[int, list[int]]:
        """Return what the first rank announces, as soon as it does."""
        kind, count = self._sum([0, 0])
        return kind, self._sum([0] * count) if count else []

    def _sum(self, values: Sequence[int]) -> list[int]:
        """Return the sums over all ranks, once each of them has been counted."""
        given = mx.array([1, *values], mx.int32)
        total = mx.distributed.all_sum(given, group=self.group, stream=mx.cpu)
        mx.eval(total)  # NumPy would not hear of an error
        count, *sums = (int(value) for value in np.array(total))
        if count != self.rank.size:
            raise RuntimeError(f"only {count} of {self.rank.size} ranks answered")
        return sums

    def same(self, words: Any) -> bool:
        """Say whether all ranks gave the same JSON values; all of them get the same answer."""
        digest = hashlib.sha256(json.dumps(words).encode()).digest()
        return self._spread(mx.array(np.frombuffer(digest, dtype="<i4").astype(np.int32))) == 0

    def spread(self, numbers: np.ndarray) -> float:
        """Return the largest difference between any two ranks' ``numbers`` of the same shape.

        NaN, for what there is none of, agrees with itself only.
        """
        given = np.where(np.isnan(numbers), -1e9, numbers).astype(np.float32).ravel()
        return self._spread(mx.array(given))

    def _spread(self, values: mx.array) -> float:
        highest = mx.distributed.all_max(values, group=self.group, stream=mx.cpu)
        lowest = mx.distributed.all_min(values, group=self.group, stream=mx.cpu)
        mx.eval(highest, lowest)
        # In float64, where the difference of two int32 does not wrap around.
        gaps = np.array(highest).astype(np.float64) - np.array(lowest).astype(np.float64)
        self._sum([])  # whoever answers now has answered before
        return float(gaps.max()) if gaps.size else 0.0

    def follow(self) -> None:
        """Say that from now on the others do what the first rank announces."""
        self._followed = True

    def together(
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
            compute: what to do; all ranks do it in the same order.
            what: that is, for a message.
        """
        followed, self._followed = self._followed, False
        began = time.monotonic()
        slowest = self._slowest
        seconds = COMPUTING if slowest is None else max(BETWEEN, TIMES * slowest * tokens)
        with self.meeting(what, seconds):
            if self.leads:
                self.announce(kind, positions)
            try:
                found = compute()
            except MeasurementError:
                self._sum([])  # with a rank lost, this would be an error of its own making
                raise
            self._sum([])  # and what was computed would mean nothing
        self._slowest = max(slowest or 0.0, (time.monotonic() - began) / tokens)
        self._followed = followed
        return found

    def dismiss(self) -> None:
        """Let the other ranks go, if they listen: not in the middle of a batch."""
        if self.leads and self._followed:
            with suppress(TeamBroken), self.meeting("letting the ranks go"):
                self.announce(STOP)

    def leave(self, why: str) -> NoReturn:
        """End the process at once, whatever other threads or collectives are waiting for."""
        with suppress(Exception):
            self.farewell()
            sys.stdout.flush()
            cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # a progress bar hides it
            print(
                f"{cursor}\nmlxjsd: {why}; what was committed stays, the same command goes on "
                "from there",
                file=sys.stderr,
                flush=True,
            )
        os._exit(LOST)
