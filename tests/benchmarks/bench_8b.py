"""One prompt through a sweep of a model of Llama-3-8B's shape, random weights at 4 bits.

    python tests/benchmarks/bench_8b.py [map ...]

Prints the time, whatever it is, and exits 1 if the peak memory is over the weights' size plus
1.5 GB; with names of maps it takes them, of a prompt of 20 tokens, and allows 2 GB.
On a CPU weights are widened as they are used, as when such a model is loaded.
"""

import json
import sys
import time

import mlxjsd.model.blas  # isort: skip  # noqa: F401  (a fast BLAS before MLX)
import mlx.core as mx
import numpy as np
from random_models import LLAMA_3_8B, random_llama, random_prompts

from mlxjsd.interventions.invariants import null_limit
from mlxjsd.interventions.maps import sweep_maps
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.anatomy import Anatomy
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.cpu import on_gpu, widen_as_used
from mlxjsd.model.loaded import weights_bytes
from mlxjsd.settings import Settings

EXTRA, EXTRA_OF_MAPS = 1.5e9, 2e9
MAP_TOKENS = 20


def _model(**sizes: float) -> Blocks:
    blocks = random_llama(quantized=True, dtype=mx.bfloat16, **sizes)
    if not on_gpu():
        widen_as_used(blocks.model)
    return blocks


def main() -> None:
    """Run the benchmark."""
    maps = tuple(sys.argv[1:])
    began = time.perf_counter()
    blocks = _model(**LLAMA_3_8B)
    weights = weights_bytes(blocks.model)
    print(f"made in {time.perf_counter() - began:.0f} s: {weights / 1e9:.2f} GB", flush=True)
    # Its blocks are alike, so one of them is examined, not all thirty-two.
    one = _model(**{**LLAMA_3_8B, "num_hidden_layers": 1})
    blocks.anatomy = Anatomy(one.anatomy.blocks * len(blocks), one.anatomy.trouble)
    del one
    mx.clear_cache()
    mx.reset_peak_memory()
    began = time.perf_counter()
    if maps:
        batch = random_prompts(blocks, size=1, length=MAP_TOKENS)
        settings = Settings(maps=maps)
        assert np.isfinite(sweep_maps(blocks, batch, settings)).all()
        floor = None
    else:
        batch = random_prompts(blocks, size=1)
        floor = float(sweep_batch(blocks, batch, Settings()).floor.max())
    seconds = time.perf_counter() - began
    peak = mx.get_peak_memory()
    print(
        json.dumps(
            {
                "seconds": round(seconds, 1),
                "weights_bytes": weights,
                "peak_memory_bytes": peak,
                "extra_bytes": peak - weights,
                "floor": floor,
                "tokens": batch.length,
                "from": batch.first,
                "floor_limit": null_limit("bfloat16"),
            }
        )
    )
    sys.exit(peak > weights + (EXTRA_OF_MAPS if maps else EXTRA))


if __name__ == "__main__":
    main()
