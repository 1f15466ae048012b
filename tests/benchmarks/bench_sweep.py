"""The one pass against one forward pass for each cell, in one process, alternating.

    python tests/benchmarks/bench_sweep.py [--prompts 16] [--rounds 3]

Prints the medians, their ratio and the largest difference between the two; fails if the
ratio is under --at-least.
"""

import argparse
import platform
import statistics
import sys
import time

import numpy as np

from mlxjsd import load_model, plan_run, read_prompts, reference_batch
from mlxjsd.assets import PROMPTS
from mlxjsd.experiment import Plan, measure_batch
from mlxjsd.records import Record


def swept(plan: Plan) -> list[np.ndarray]:
    """Measure every batch of ``plan`` in one pass each."""
    records: list[Record] = [r for batch in plan.batches for r in measure_batch(plan, batch)]
    return [record.jsd for record in sorted(records, key=lambda r: r.position)]


def one_by_one(plan: Plan) -> list[np.ndarray]:
    """Measure every prompt by the reference, alone, one pass for each cell."""
    found = {}
    for batch in plan.batches:
        for prompt in batch:
            alone = plan.corruption.batch([prompt])
            numbers = reference_batch(plan.model.blocks, alone, plan.settings.window)
            found[plan.positions[prompt.prompt.id]] = numbers.jsd[0]
    return [found[position] for position in sorted(found)]


def timed(function, plan: Plan) -> tuple[float, list[np.ndarray]]:  # type: ignore[no-untyped-def]
    """Return seconds and result."""
    began = time.perf_counter()
    result = function(plan)
    return time.perf_counter() - began, result


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-least", type=float, default=12.0)
    options = parser.parse_args()

    model = load_model()
    plan = plan_run(model, read_prompts(PROMPTS), limit=options.prompts)
    swept(plan_run(model, read_prompts(PROMPTS), limit=2))  # warm up
    fast, slow, gap = [], [], 0.0
    for _ in range(options.rounds):
        seconds, ours = timed(swept, plan)
        fast.append(seconds)
        seconds, theirs = timed(one_by_one, plan)
        slow.append(seconds)
        gap = max(gap, *(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True)))
    ratio = statistics.median(slow) / statistics.median(fast)
    print(f"{platform.machine()}, {platform.system()}: {'; '.join(model.notes)}")
    for name, seconds in (("one pass", fast), ("one pass for each cell", slow)):
        rate = options.prompts / statistics.median(seconds)
        print(f"{name:<24} {statistics.median(seconds):8.2f} s {rate:8.2f} prompts/s")
    print(f"speed-up {ratio:.1f}, largest difference {gap:.1e} nats")
    if gap > 1e-5 or ratio < options.at_least:
        sys.exit(1)


if __name__ == "__main__":
    main()
