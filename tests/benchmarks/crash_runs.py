"""Kill a real run at 100 random moments, go on each time, and compare with one left alone.

    python tests/benchmarks/crash_runs.py [--count 100] [--seed 0] [--output crashes.jsonl]

Every moment is recorded in the output, a line each. Exit code 1 if any result differs.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from crashes import crash, moments, run_whole

LIMIT = 6


def main() -> None:
    """Kill, go on, compare, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("crashes.jsonl"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, asked.output.open("w") as out:
        folder = Path(name)
        run_whole(folder / "whole", LIMIT)
        seconds = run_whole(folder / "again", LIMIT)  # with warm caches
        print(f"a run of {LIMIT} prompts takes {seconds:.1f} s; seed {asked.seed}", flush=True)
        equal = 0
        for number, moment in enumerate(moments(asked.seed, asked.count, seconds, LIMIT)):
            found = crash(moment, folder / f"{number}", LIMIT, folder / "whole", number % 2 == 0)
            out.write(json.dumps({"number": number, "seed": asked.seed, **found}) + "\n")
            out.flush()
            equal += bool(found["equal"])
    print(f"{equal} of {asked.count} went on to results that are equal bit for bit")
    sys.exit(equal != asked.count)


if __name__ == "__main__":
    main()
