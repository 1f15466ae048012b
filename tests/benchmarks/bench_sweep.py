"""The one pass against one forward pass for each cell, in one process, alternating.

    python tests/benchmarks/bench_sweep.py [--prompts 16] [--rounds 3] [--at-least 12]

Prints what ``mlxjsd bench`` prints for the bundled model; fails if the speed-up over the
reference, a prompt at a time, is under --at-least, or if the two differ by more than 1e-5.
"""

import argparse
import sys

from mlxjsd import load_model, plan_run, read_prompts
from mlxjsd.assets import PROMPTS
from mlxjsd.run.bench import describe, run_bench


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-least", type=float, default=12.0)
    options = parser.parse_args()
    model = load_model()  # before the rest: it takes the fast BLAS, if there is one
    bench = run_bench(plan_run(model, read_prompts(PROMPTS)), options.prompts, options.rounds)
    print(describe(bench))
    if bench.largest_difference > 1e-5 or bench.speedup < options.at_least:
        sys.exit(1)


if __name__ == "__main__":
    main()
