"""Whole runs of 10 to 10,000 synthetic prompts: does the time grow along a line?

    python tests/benchmarks/bench_linear.py [--most 10000]

Each run is what `mlxjsd run` does, store and noise included, on a small random model behind the
bundled tokenizer. Exits 1 if a run's time is over 10 % off the line through all of them, if the
memory that MLX held differs by more than 10 % from 100 prompts on, or if the time does not
follow the tail and the samples as the model of costs says, within a quarter.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from pathlib import Path

import mlxjsd.model.blas  # isort: skip  # noqa: F401  (a fast BLAS before MLX)
import mlx.core as mx
import numpy as np
from random_models import random_llama, random_prompts

from mlxjsd.model.load import load_model

sys.path.insert(0, str(Path(__file__).parent.parent))
from models import in_place_of

from mlxjsd.interventions.cost import Shape, sweep_token_blocks
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.experiment import run_experiment
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Labelling, Settings

SYLLABLES = ("ba", "co", "di", "fu", "ga", "he", "ki", "lo", "mu", "na", "pe", "ro", "sa", "tu")
SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 8,
    "intermediate_size": 192,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 1024,
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=10_000)
    options = parser.parse_args()
    model = in_place_of(load_model(), random_llama(**SIZES).model, "llama")
    counts = [n for n in (10, 100, 300, 1000, 3000, 10_000) if n <= options.most]
    _run(model, 50)  # compiles
    found = [_run(model, count) for count in counts]
    seconds, peaks = (np.array(values) for values in zip(*found, strict=True))
    # Relative errors count alike, so small runs matter as much as large ones.
    weights = 1 / seconds
    slope, start = np.polyfit(counts, seconds, 1, w=weights)
    off = seconds / (slope * np.array(counts) + start) - 1
    for count, taken, peak, gap in zip(counts, seconds, peaks, off, strict=True):
        print(f"{count:>6} prompts {taken:9.3f} s, {gap:+6.1%} off the line, {peak / 1e6:.1f} MB")
    print(f"the line: {start:.3f} s and {slope * 1e3:.2f} ms a prompt")
    flat = peaks[1:].max() / peaks[1:].min() - 1
    print(f"memory differs by {flat:.1%} from {counts[1]} prompts on")
    worst = _shapes()
    sys.exit(bool(np.abs(off).max() > 0.1 or flat > 0.1 or worst > 0.25))


def _run(model, count: int) -> tuple[float, int]:  # type: ignore[no-untyped-def]
    """Measure so many prompts into a new folder; return seconds and the most that MLX held."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "prompts.jsonl"
        with data.open("w", encoding="utf-8") as file:
            for at in range(count):
                name = "".join(SYLLABLES[at // 14**k % 14] for k in range(4)).capitalize()
                file.write(json.dumps({"prompt": f"The capital of {name} is", "subject": name}))
                file.write("\n")
        gc.collect()
        mx.clear_cache()
        mx.reset_peak_memory()
        began = time.perf_counter()
        plan = plan_run(model, read_prompts(data), labelling=Labelling(None))
        for _ in run_experiment(plan, Path(folder) / "run"):
            pass
        return time.perf_counter() - began, mx.get_peak_memory()


def _shapes() -> float:
    """Compare the cost of depths, lengths, tails and samples with the model of costs.

    Returns:
        The worst gap of a shape's time for each token-block from the median one's.
    """
    found: dict[tuple[int, int, int, int], tuple[int, float]] = {}
    print(" layers tokens   tail samples token-blocks  seconds  us each")
    for layers, shapes in SHAPES.items():
        blocks = random_llama(**{**SIZES, "hidden_size": 256, "num_hidden_layers": layers})
        for length, tail, samples in shapes:
            batch = random_prompts(blocks, 8, length=length, tail=tail, samples=samples)
            shape = Shape.made(batch)
            sweep_batch(blocks, batch, Settings())
            times = []
            for _ in range(3):
                began = time.perf_counter()
                sweep_batch(blocks, batch, Settings())
                times.append(time.perf_counter() - began)
            cost = sweep_token_blocks(shape, Settings(), layers)
            found[layers, length, tail, samples] = cost, min(times)
            numbers = "".join(f"{value:>7}" for value in (layers, length, tail, samples))
            print(f"{numbers}{cost:>14}{min(times):>9.3f}{min(times) / cost * 1e6:>9.2f}")
    each = [seconds / cost for cost, seconds in found.values()]
    usual = float(np.median(each))
    return max(abs(one / usual - 1) for one in each)


#: (length, tail, samples) of the batches that are timed, by the model's depth.
SHAPES = {
    16: [(18, 1, 1), (18, 2, 1), (18, 4, 1), (18, 8, 1), (18, 2, 2), (18, 2, 4), (36, 2, 1)],
    8: [(18, 2, 1)],
    32: [(18, 2, 1)],
}


if __name__ == "__main__":
    main()
