"""Efficiency of the sweep on a random Llama of 32 layers and width 512, and where the rest goes.

    python tests/benchmarks/bench_efficiency.py [--width 512] [--size 16] [--rounds 5]

Efficiency is token-blocks a second in the sweep, over those of the model's own plain forward
pass over the same prompts. Exits 1 if it is under 0.8.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import mlxjsd.model.blas  # isort: skip  # noqa: F401  (a fast BLAS before MLX)
import mlx.core as mx
from random_models import random_llama, random_prompts

from mlxjsd.interventions import sweep
from mlxjsd.interventions.cost import Shape, forward_token_blocks, sweep_token_blocks
from mlxjsd.model.blas import calm_openblas
from mlxjsd.model.load import OPENBLAS
from mlxjsd.model.stepping import BlockCall
from mlxjsd.settings import Settings

AT_LEAST, LAYERS, SETTINGS = 0.8, 32, Settings()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--size", type=int, default=16, help="prompts of a batch")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if OPENBLAS:
        calm_openblas(options.width)
    blocks = random_llama(
        hidden_size=options.width,
        num_hidden_layers=LAYERS,
        intermediate_size=3 * options.width,
        num_attention_heads=options.width // 64,
        num_key_value_heads=max(1, options.width // 128),
        vocab_size=8192,
    )
    batch = random_prompts(blocks, options.size)
    tokens = mx.array(batch.tokens)
    shape = Shape.made(batch)
    ratio = sweep_token_blocks(shape, SETTINGS, LAYERS) / forward_token_blocks(shape, LAYERS)

    def forward() -> None:
        mx.eval(blocks.model(tokens))

    def whole() -> None:
        sweep.sweep_batch(blocks, batch, SETTINGS)

    whole(), forward()
    swept, plain = [], []
    for _ in range(options.rounds):
        swept.append(_seconds(whole))
        plain.append(statistics.median(_seconds(forward) for _ in range(5)))
    efficiencies = [ratio * b / a for a, b in zip(swept, plain, strict=True)]
    efficiency = statistics.median(efficiencies)
    print(f"{'OpenBLAS' if OPENBLAS else 'own BLAS'}, width {options.width}, {batch.size} prompts")
    print(f"sweep {statistics.median(swept):.3f} s, forward {statistics.median(plain):.4f} s")
    print(f"efficiency {efficiency:.2f} ({min(efficiencies):.2f} to {max(efficiencies):.2f})")
    _profile(whole)
    sys.exit(efficiency < AT_LEAST)


def _profile(whole: Callable[[], None]) -> None:
    """Say how a sweep's time divides, with every part waited for."""
    parts: dict[str, float] = {}
    forward, readout, metrics = BlockCall.forward, sweep.Blocks.readout, sweep.numbers_of

    def timed(name: str, way: Callable[..., mx.array]) -> Callable[..., mx.array]:
        def run(*arguments: object, **named: object) -> mx.array:
            waiting = [a for a in arguments if isinstance(a, mx.array)]
            mx.eval(waiting)
            began = time.perf_counter()
            out = way(*arguments, **named)
            mx.eval(out)
            parts[name] = parts.get(name, 0.0) + time.perf_counter() - began
            return out

        return run

    BlockCall.forward = timed("the model's own blocks", forward)  # type: ignore[method-assign]
    sweep.Blocks.readout = timed("the model's norm and head", readout)  # type: ignore[method-assign]
    sweep.numbers_of = timed("the metrics", metrics)
    try:
        total = _seconds(whole)
    finally:
        BlockCall.forward = forward  # type: ignore[method-assign]
        sweep.Blocks.readout = readout  # type: ignore[method-assign]
        sweep.numbers_of = metrics
    parts["opening branches, gathering prefixes, masks"] = total - sum(parts.values())
    for name, seconds in parts.items():
        print(f"  {name:<46}{seconds / total:7.1%}")


def _seconds(way: Callable[[], None]) -> float:
    began = time.perf_counter()
    way()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
