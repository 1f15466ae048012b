"""Kill one of two ranks at random moments, let the other finish, and complete the run on one.

    python tests/benchmarks/kill_ranks.py [--count 20] [--seed 0] [--limit 24]

Each line of the output says when which rank was killed and what came of it; the exit code is 1
unless every run ends with the results of one that nobody disturbed, no prompt measured twice and
none lost. tests/test_ranks.py holds a short version.
"""

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from launching import ended, hostfile, start

from mlxjsd.assets import PROMPTS
from mlxjsd.model.load import load_model
from mlxjsd.output.export import to_json
from mlxjsd.prompts.read import read_prompts
from mlxjsd.rank import Rank
from mlxjsd.run.plan import Plan, plan_run
from mlxjsd.store.reader import read_run
from mlxjsd.store.shards import shard_files, shard_name

BATCH_SIZE = 2


def command(folder: Path, limit: int) -> list[str]:
    return ["run", "--limit", str(limit), "--batch-size", str(BATCH_SIZE), "--output", str(folder)]


def held(folder: Path) -> list[str]:
    """Return the ids of all rows in all files of a run."""
    found = []
    for path in shard_files(folder):
        with closing(sqlite3.connect(path)) as connection:
            found += [row[0] for row in connection.execute("SELECT id FROM results")]
    return found


def both(folder: Path, limit: int, hosts: Path) -> list["subprocess.Popen[str]"]:
    return [start(hosts, rank, *command(folder, limit)) for rank in (0, 1)]


def killed(folder: Path, limit: int, hosts: Path, victim: int, after: float, file: bool) -> Any:
    """Start both ranks and kill one; return the other, or None if it was over by then."""
    ranks = both(folder, limit, hosts)
    own = folder / shard_name(victim)
    while file and ranks[victim].poll() is None and not own.exists():
        time.sleep(0.001)
    with suppress(subprocess.TimeoutExpired):
        ranks[victim].wait(after)
    ranks[victim].kill()
    ranks[victim].communicate()
    if ranks[victim].returncode == -9:
        return ranks[1 - victim]
    ended(ranks[1 - victim])
    return None


def trial(
    number: int, rng: random.Random, seconds: float, plan: Plan, whole: Path, scratch: Path
) -> dict[str, Any]:
    victim, file = rng.randrange(2), number % 2 == 1
    after = rng.uniform(0, seconds / 3 if file else seconds)
    limit, hosts = plan.total, hostfile(scratch, 2)
    tries = 0
    while True:
        folder = scratch / f"run-{number}-{tries}"
        survivor = killed(folder, limit, hosts, victim, after, file)
        if survivor is not None:
            break
        after, tries = after / 2, tries + 1
    code, _, err = ended(survivor)
    before = held(folder)
    share = {e.prompt.id for batch in plan.share(Rank(1 - victim, 2)) for e in batch}
    finished = share <= set(before)

    again = [sys.executable, "-m", "mlxjsd", *command(folder, limit)]
    last = subprocess.run(again, capture_output=True, text=True, check=False)
    now, run, expected = held(folder), read_run(folder), read_run(whole)
    equal = (
        last.returncode == 0
        and to_json(run) == to_json(expected)
        and bool(run.cosines)
        and (folder / "heatmap.csv").read_bytes() == (whole / "heatmap.csv").read_bytes()
    )
    return {
        "killed": victim,
        "seconds": round(after, 3),
        "since": "its file" if file else "its start",
        "there": len(before),
        "survivor_exit_code": code,
        "survivor_finished_its_share": finished,
        "twice": len(now) - len(set(now)),
        "lost": limit - len(set(now)),
        "equal": equal,
        "good": finished and equal and sorted(now) == sorted(r.id for r in expected.records),
        "said": "" if equal and finished else (err + last.stderr)[-1500:],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, default=24)
    asked = parser.parse_args()
    plan = plan_run(load_model(), read_prompts(PROMPTS), limit=asked.limit, batch_size=BATCH_SIZE)
    rng, good = random.Random(asked.seed), 0
    with tempfile.TemporaryDirectory() as name:
        scratch, whole = Path(name), Path(name) / "whole"
        again = [sys.executable, "-m", "mlxjsd", *command(whole, asked.limit)]
        subprocess.run(again, check=True, capture_output=True)
        began = time.monotonic()
        for rank in both(scratch / "two", asked.limit, hostfile(scratch, 2)):
            ended(rank)
        seconds = time.monotonic() - began
        print(f"seed {asked.seed}; undisturbed, two ranks take {seconds:.1f} s", flush=True)
        for number in range(asked.count):
            found = trial(number, rng, seconds, plan, whole, scratch)
            good += found["good"]
            print(json.dumps(found), flush=True)
    print(f"{good} of {asked.count}")
    sys.exit(good < asked.count)


if __name__ == "__main__":
    main()
