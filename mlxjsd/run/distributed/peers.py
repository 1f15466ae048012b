"""The other ranks of a run, as one of them sees them: by their files and nothing else."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.rank import Rank
from mlxjsd.results import Run
from mlxjsd.run.events import Event, PeersLost, Stopped, Waiting
from mlxjsd.store.lock import owner_of
from mlxjsd.store.reader import read_header, read_tried
from mlxjsd.store.shards import shard_files, shard_name

#: Under this key a run file says which launch its writer is of.
LAUNCH_KEY = "world"
#: Seconds between two looks at the other ranks' files, ...
POLL_SECONDS = 0.5
#: ... and between two counts of their results by a rank that still measures.
RECOUNT_SECONDS = 5.0


@dataclass(frozen=True)
class Timeouts:
    """How long to wait for what, in seconds; shorter in tests."""

    poll: float = POLL_SECONDS
    """Between two looks at the other ranks' files."""
    register: float = 5.0
    """For a rank that holds its file's lock to write down which launch it is of."""
    start: float = 30.0
    """For the other ranks to begin their shares, once the first rank is done with its own. The
    others do not wait for it: it goes on without them."""


def launch_id(rank: Rank, plan: str) -> dict[str, Any]:
    """Return what the ranks of one launch have in common, as JSON values.

    Two processes of the same launch never measure the same prompt: they distribute the same
    batches over the same number of ranks, and no two of them can write the same file.

    Args:
        rank: of this process.
        plan: fingerprint of its batches.
    """
    return {"ranks": rank.size, "plan": plan}


def check_same_launch(own: Path, ours: dict[str, Any], timeouts: Timeouts = Timeouts()) -> None:
    """Make sure that every process that writes to the run folder now is of this launch.

    Args:
        own: the file that this process writes; it says already that it is of ``ours``.
        ours: see :func:`launch_id`.
        timeouts: how long to wait.

    Raises:
        InputError: if another process measures the same run in other shares.
    """
    for path in shard_files(own.parent):
        if path == own:
            continue
        deadline = time.monotonic() + timeouts.register
        while (owner := owner_of(path)) and (theirs := read_header(path).get(LAUNCH_KEY)) != ours:
            if time.monotonic() >= deadline:
                size = (theirs or {}).get("ranks", 1)
                if size == ours["ranks"]:
                    raise InputError(
                        f"{path} is being written by {owner}, which puts the prompts together "
                        "in other batches",
                        hint="give all ranks the same --batch-size",
                    )
                raise InputError(
                    f"{path} is being written by {owner}, which measures this run as one of "
                    f"{size} ranks, not of {ours['ranks']}",
                    hint="wait until it has ended, or stop it",
                )
            time.sleep(min(timeouts.poll, 0.1))


class Tally:
    """How many prompts all ranks together have measured, and how many have failed.

    A process counts its own. Those of the others are read from their files every
    ``RECOUNT_SECONDS``, since that takes the longer the more they hold.
    """

    def __init__(self, folder: Path, rank: Rank, there: Run) -> None:
        """Begin with the run that was just read from ``folder``."""
        self._folder, self._several = folder, rank.size > 1
        self.measured, self.failed = len(there.records), len(there.failed)
        self._counted = time.monotonic()

    def recount(self) -> None:
        """Count what the files hold now."""
        measured, failed = read_tried(self._folder)
        self.measured, self.failed = len(measured), len(failed)
        self._counted = time.monotonic()

    def add(self, measured: int, failed: int) -> None:
        """Count what this process has just written."""
        if self._several and time.monotonic() > self._counted + RECOUNT_SECONDS:
            self.recount()
        else:
            self.measured += measured
            self.failed += failed

    @property
    def done(self) -> int:
        """How many prompts have been tried."""
        return self.measured + self.failed


def await_others(
    folder: Path,
    rank: Rank,
    wanted: set[str],
    should_stop: Callable[[], bool],
    timeouts: Timeouts = Timeouts(),
) -> Generator[Event, None, bool]:
    """Wait until the other ranks have measured their shares.

    Args:
        folder: of the run.
        rank: of this process, which is done with its own share.
        wanted: ids of all prompts of the run.
        should_stop: asked at each look.
        timeouts: how long to wait.

    Yields:
        ``Waiting`` when something has changed; in the end ``Stopped`` if asked to stop, or
        ``PeersLost`` if no rank is left that could measure the rest.

    Returns:
        Whether every prompt is measured.
    """
    total, last = len(wanted), None
    deadline = time.monotonic() + timeouts.start
    while True:
        # Locks are looked at before results: a rank may measure its last prompt and end meanwhile.
        paths = {r: folder / shard_name(r) for r in range(rank.size) if r != rank.index}
        living = tuple(r for r, path in paths.items() if owner_of(path) is not None)
        absent = tuple(r for r, path in paths.items() if r not in living and not path.exists())
        measured, failed = read_tried(folder)
        done = len(wanted & (measured | failed))
        if done >= total:
            return True
        if should_stop():
            yield Stopped(done, total)
            return False
        if not living and (not absent or time.monotonic() >= deadline):
            yield PeersLost(folder, absent, done, total)
            return False
        now = Waiting(living or absent, done, total)
        if now != last:
            yield now
            last = now
        time.sleep(timeouts.poll)
