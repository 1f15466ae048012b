"""A map as branches against a forward pass for each of its cells, in one process, in turn.

    python tests/benchmarks/bench_maps.py [--model M] [--data D] [--prompts 2] [--rounds 2]
        [--map residual,mlp,attention] [--layers 0-29:5]

Prints one JSON object: token-blocks and seconds of both ways, and their largest difference; exits
1 if that is over 1e-5 nats. The plain way is timed for the cells of a few layers alone, and its
share of the whole map is by the number of cells, each of which is a pass of its own.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from mlxjsd import Settings, load_model, plan_run, read_prompts
from mlxjsd.assets import PROMPTS
from mlxjsd.interventions.cost import Shape, map_token_blocks
from mlxjsd.interventions.maps import sweep_maps
from mlxjsd.interventions.reference import reference_maps
from mlxjsd.ranges import parse_layers


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--data", default=PROMPTS)
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--map", default="residual")
    parser.add_argument("--layers")
    options = parser.parse_args()
    model = load_model(options.model) if options.model else load_model()
    settings = Settings(maps=tuple(options.map.split(",")))
    plan = plan_run(model, read_prompts(options.data), settings, sample=options.prompts)
    batches = [plan.corruption.batch([one]) for together in plan.passes for one in together]
    layers = len(model.blocks)
    chosen = parse_layers(options.layers) if options.layers else tuple(range(layers))
    some = replace(settings, layers=chosen)
    sweep_maps(model.blocks, batches[0], some)  # first calls compile, and fill caches
    ours, theirs, gap = [], [], 0.0
    for _ in range(options.rounds):
        began = time.perf_counter()
        found = [sweep_maps(model.blocks, batch, settings) for batch in batches]
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        plain = [reference_maps(model.blocks, batch, some) for batch in batches]
        theirs.append((time.perf_counter() - began) * layers / len(chosen))
        apart = (
            a[..., list(chosen)] - b[..., list(chosen)] for a, b in zip(found, plain, strict=True)
        )
        gap = max(gap, *(float(np.abs(x).max()) for x in apart))
    shapes = [Shape.made(batch) for batch in batches]
    swept, by_cell = map(
        sum, zip(*(map_token_blocks(s, settings, layers) for s in shapes), strict=True)
    )
    seconds, plain_seconds = statistics.median(ours), statistics.median(theirs)
    print(
        json.dumps(
            {
                "prompts": len(batches),
                "tokens": [batch.length for batch in batches],
                "token_blocks": swept,
                "plain_token_blocks": by_cell,
                "token_blocks_ratio": round(by_cell / swept, 1),
                "seconds": round(seconds, 2),
                "plain_seconds": round(plain_seconds, 2),
                "speedup": round(plain_seconds / seconds, 1),
                "plain_layers": len(chosen),
                "largest_difference": gap,
            }
        )
    )
    sys.exit(gap > 1e-5)


if __name__ == "__main__":
    main()
