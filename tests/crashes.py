"""Killing a real ``mlxjsd run`` at some moment, going on with it, and comparing the results."""

import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from records import same

from mlxjsd.store.reader import count_tried, read_run
from mlxjsd.store.writer import FILE

#: Files that are there for moments only: a kill then meets a commit, or a product half written.
BRIEF = ("run.partial", "run.sqlite-journal", "run.sqlite", ".heatmap.partial-*")


@dataclass(frozen=True)
class Moment:
    """When a run is killed: some seconds after its start, or after something has come about."""

    after: float
    appears: str | None = None
    """A file of the run folder."""
    committed: int = 0
    """Prompts."""


def command(folder: Path, limit: int) -> list[str]:
    """A run of the bundled model in small batches, to have many commits."""
    options = ["--limit", str(limit), "--batch-size", "1", "--output", str(folder)]
    return [sys.executable, "-m", "mlxjsd", "run", *options]


def moments(seed: int, count: int, seconds: float, limit: int) -> list[Moment]:
    """Draw moments over the whole life of a run of ``limit`` prompts and so many seconds."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        if number % 4 == 0:
            found.append(Moment(rng.uniform(0, seconds)))
        elif number % 4 == 1:
            found.append(Moment(rng.uniform(0, 0.01), rng.choice(BRIEF)))
        else:
            found.append(Moment(rng.uniform(0, seconds / 6), committed=rng.randrange(1, limit)))
    return found


def run_whole(folder: Path, limit: int) -> float:
    """Run to the end; return the seconds that it took."""
    began = time.monotonic()
    subprocess.run(command(folder, limit), check=True, capture_output=True)
    return time.monotonic() - began


def kill_at(moment: Moment, folder: Path, limit: int) -> bool:
    """Start a run and kill it; return whether it was still alive."""
    process = subprocess.Popen(
        command(folder, limit), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if moment.appears is not None:
        while process.poll() is None and not any(folder.glob(moment.appears)):
            time.sleep(0.0002)
    while process.poll() is None and committed_in(folder) < moment.committed:
        time.sleep(0.005)
    if moment.after:
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment.after)
    process.kill()
    return process.wait() == -signal.SIGKILL


def committed_in(folder: Path) -> int:
    """How many prompts a run holds by now."""
    return count_tried(folder) if (folder / FILE).exists() else 0


def crash(
    moment: Moment, folder: Path, limit: int, whole: Path, by_resume: bool
) -> dict[str, object]:
    """Kill a run, go on with it, and say what came of it.

    Args:
        moment: of the kill.
        folder: of the run; it must not be there.
        limit: prompts.
        whole: folder of a run that nobody killed.
        by_resume: go on with ``mlxjsd resume``, where there is a run file, or the same command.
    """
    while not kill_at(moment, folder, limit):  # it was faster, so that nothing was killed
        moment = replace(moment, after=moment.after / 2)
        shutil.rmtree(folder, ignore_errors=True)
    left = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    there = len(read_run(folder).records) if FILE in left else 0
    again = command(folder, limit)
    if by_resume and FILE in left:
        again = [sys.executable, "-m", "mlxjsd", "resume", str(folder)]
    ended = subprocess.run(again, capture_output=True, text=True, check=False)
    equal = ended.returncode == 0 and same_results(folder, whole)
    return {
        **asdict(moment),
        "left": left,
        "there": there,
        "went_on_by": again[3],
        "exit_code": ended.returncode,
        "equal": equal,
        "said": "" if equal else ended.stderr[-2000:],
    }


def same_results(a: Path, b: Path) -> bool:
    """Whether two run folders hold the same products and exports, bit for bit."""
    names = sorted(path.name for path in a.iterdir()), sorted(path.name for path in b.iterdir())
    one, other = read_run(a), read_run(b)
    return (
        names[0] == names[1]
        and same(one, other)
        and (a / "heatmap.csv").read_bytes() == (b / "heatmap.csv").read_bytes()
    )
