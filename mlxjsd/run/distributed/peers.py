"""The other ranks of a run, seen from one of them: by their files and nothing else."""

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

#: Seconds between two looks at the other ranks' files.
LOOK_EVERY = 0.5
#: Seconds after which a rank that measures counts again what the others have done.
COUNT_EVERY = 5.0
#: Seconds in which a rank that holds its file's lock writes down which launch it is of.
SETTLING = 5.0
#: Seconds that the first rank, done with its own share, gives the others to begin theirs. They
#: give it none: it goes on without them.
GRACE = 30.0


@dataclass(frozen=True)
class Patience:
    """How long to wait for what; shorter in tests."""

    look_every: float = LOOK_EVERY
    settling: float = SETTLING
    grace: float = GRACE


def world(rank: Rank, plan: str) -> dict[str, Any]:
    """Return what ranks of one launch have in common, as JSON values.

    Two processes whose worlds agree never measure the same prompt: they deal the same batches
    to as many ranks, and no two of them can write the same file.

    Args:
        rank: of this process.
        plan: fingerprint of its batches.
    """
    return {"ranks": rank.size, "plan": plan}


def refuse_strangers(own: Path, ours: dict[str, Any], patience: Patience = Patience()) -> None:
    """Make sure that whoever else writes to the run folder now is of this launch.

    Args:
        own: the file that this process writes; it says already that it is of ``ours``.
        ours: see :func:`world`.

    Raises:
        InputError: if another process measures the same run in other shares.
    """
    for path in shard_files(own.parent):
        if path == own:
            continue
        until = time.monotonic() + patience.settling
        while (owner := owner_of(path)) and (theirs := read_header(path).get("world")) != ours:
            if time.monotonic() >= until:
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
            time.sleep(min(patience.look_every, 0.1))


class Tally:
    """How many prompts all ranks together have measured, and how many have failed.

    A process counts its own; those of the others are read from their files, which takes the
    longer the more they hold, and so only now and then.
    """

    def __init__(self, folder: Path, rank: Rank, there: Run) -> None:
        """Begin with what was just read from ``folder``."""
        self._folder, self._several = folder, rank.size > 1
        self.measured, self.failed = len(there.records), len(there.failed)
        self._looked = time.monotonic()

    def look(self) -> None:
        """Count what the files hold now."""
        measured, failed = read_tried(self._folder)
        self.measured, self.failed = len(measured), len(failed)
        self._looked = time.monotonic()

    def add(self, measured: int, failed: int) -> None:
        """Count what this process has just written."""
        if self._several and time.monotonic() > self._looked + COUNT_EVERY:
            self.look()
        else:
            self.measured += measured
            self.failed += failed

    @property
    def done(self) -> int:
        """How many have been tried."""
        return self.measured + self.failed


def await_others(
    folder: Path,
    rank: Rank,
    wanted: set[str],
    should_stop: Callable[[], bool],
    patience: Patience = Patience(),
) -> Generator[Event, None, bool]:
    """Wait until the other ranks have measured what is theirs.

    Args:
        folder: of the run.
        rank: of this process, which is done with its own share.
        wanted: ids of all prompts of the run.
        should_stop: asked at each look.

    Yields:
        ``Waiting`` when something has changed; in the end ``Stopped`` if asked to stop, or
        ``PeersLost`` if no rank is left that could measure the rest.

    Returns:
        Whether every prompt is measured.
    """
    total, told = len(wanted), None
    until = time.monotonic() + patience.grace
    while True:
        # Who is there comes first: a rank may end between the two looks, having measured all.
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
        if not living and (not absent or time.monotonic() >= until):
            yield PeersLost(folder, absent, done, total)
            return False
        now = Waiting(living or absent, done, total)
        if now != told:
            yield now
            told = now
        time.sleep(patience.look_every)
