"""The divergence kernel against one log-softmax over the same logits, (97, 128256).

    python tests/benchmarks/bench_kernel.py

Exits 1 if the kernel takes more than three times its input's memory beside it, or more than
twice the time of the log-softmax.
"""

import statistics
import sys
import time
from collections.abc import Callable

import mlxjsd.model.blas  # isort: skip  # noqa: F401  (a fast BLAS before MLX)
import mlx.core as mx

from mlxjsd.interventions.divergence import js_divergence, log_softmax
from mlxjsd.model.load import OPENBLAS

ROWS, VOCABULARY, ROUNDS = 97, 128_256, 7


def main() -> None:
    """Run the benchmark in each data type that models have."""
    failed = False
    for dtype in (mx.float32, mx.float16, mx.bfloat16):
        mx.random.seed(0)
        clean = (mx.random.normal((1, VOCABULARY)) * 3).astype(dtype)
        rows = (mx.random.normal((ROWS, VOCABULARY)) * 3).astype(dtype)
        mx.eval(clean, rows)
        ways: dict[str, Callable[[], mx.array]] = {
            "kernel": lambda p=clean, q=rows: js_divergence(p, q),
            "log-softmax": lambda q=rows: log_softmax(q),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        extra = dict.fromkeys(ways, 0.0)
        for at in range(ROUNDS + 1):
            for name, way in ways.items():
                mx.clear_cache()
                mx.reset_peak_memory()
                before, began = mx.get_active_memory(), time.perf_counter()
                mx.eval(way())
                if at:  # the first call compiles
                    taken[name].append(time.perf_counter() - began)
                extra[name] = (mx.get_peak_memory() - before) / rows.nbytes
        kernel, plain = (statistics.median(times) for times in taken.values())
        print(
            f"{dtype}: kernel {kernel * 1e3:.0f} ms, log-softmax {plain * 1e3:.0f} ms, speed "
            f"{plain / kernel:.2f}; extra memory {extra['kernel']:.2f} times the input"
        )
        failed |= extra["kernel"] >= 3 or plain / kernel < 0.5
    sys.exit(failed)


if __name__ == "__main__":
    print("OpenBLAS" if OPENBLAS else "MLX's own BLAS")
    main()
