"""How fast the one pass is on this machine, against the ways that it replaces.

Four ways over the same prompts take turns in one process, so that whatever else the machine does
hits all of them: the sweep, the reference a prompt at a time (as the known tools do it), the
reference batched over prompts, and one plain forward pass.
"""

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.cost import (
    Shape,
    forward_token_blocks,
    reference_token_blocks,
    sweep_token_blocks,
)
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.loaded import weights_bytes
from mlxjsd.prompts.encode import Encoded
from mlxjsd.run.plan import Plan, versions


@dataclass(frozen=True)
class Bench:
    """What was measured; times are medians over the rounds, in seconds."""

    prompts: int
    """Measured in each round."""
    rounds: int
    sweep_seconds: float
    reference_seconds: float
    """One forward pass for each cell, a prompt at a time."""
    reference_batched_seconds: float
    """The same, a batch at a time."""
    forward_seconds: float
    """One plain forward pass over the same batches."""
    speedup: float
    """The reference's time over the sweep's."""
    speedup_batched: float
    """The batched reference's time over the sweep's."""
    token_blocks_ratio: float
    """The reference's token-blocks over the sweep's: the speed-up if all cost alike."""
    forward_passes: float
    """The sweep's time in plain forward passes."""
    efficiency: float
    """Token-blocks a second in the sweep, over those of the plain forward pass."""
    prompts_per_second: float
    peak_memory_bytes: int
    """The most that MLX held during a sweep, weights included."""
    weights_bytes: int
    largest_difference: float
    """Between the sweep and the reference, over all cells, in nats."""
    full_prompts: int
    """Prompts of the whole data file."""
    full_seconds: float
    """Estimated for all of them, by their token-blocks; without the answers of ``run``."""
    machine: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)


def run_bench(plan: Plan, prompts: int = 16, rounds: int = 3) -> Bench:
    """Time the four ways over the first batches of ``plan``.

    Args:
        plan: all prompts that the time is to be estimated for.
        prompts: how many are measured in each round at least, in whole batches.
        rounds: how often each way is timed.
    """
    blocks, settings = plan.model.blocks, plan.settings
    layers = len(blocks)
    chosen = _first_batches(plan, prompts)
    batches = [plan.corruption.batch(batch) for batch in chosen]
    alone = [plan.corruption.batch([prompt]) for batch in chosen for prompt in batch]

    def sweep() -> list[Measurement]:
        return [sweep_batch(blocks, batch, settings) for batch in batches]

    def reference(parts: Sequence[Batch]) -> list[Measurement]:
        return [reference_batch(blocks, part, settings) for part in parts]

    def forward() -> None:
        for batch in batches:
            mx.eval(blocks.model(mx.array(batch.tokens)))

    sweep()  # first calls compile, and fill caches
    forward()
    times: dict[str, list[float]] = {"sweep": [], "alone": [], "batched": [], "forward": []}
    peak, gap = 0, 0.0
    for _ in range(rounds):
        mx.reset_peak_memory()
        ours = _timed(times["sweep"], sweep)
        peak = max(peak, mx.get_peak_memory())
        _timed(times["forward"], forward)
        theirs = _timed(times["alone"], lambda: reference(alone))
        together = _timed(times["batched"], lambda: reference(batches))
        gap = max(gap, _gap(ours, theirs), _gap(ours, together))
    seconds = {name: statistics.median(taken) for name, taken in times.items()}
    shapes = [Shape.made(batch) for batch in batches]
    cost = sum(sweep_token_blocks(shape, settings, layers) for shape in shapes)
    plain = sum(forward_token_blocks(shape, layers) for shape in shapes)
    by_cell = sum(reference_token_blocks(shape, settings, layers) for shape in shapes)
    whole = sum(
        sweep_token_blocks(Shape.of(batch, settings), settings, layers) for batch in plan.passes
    )
    return Bench(
        prompts=len(alone),
        rounds=rounds,
        sweep_seconds=seconds["sweep"],
        reference_seconds=seconds["alone"],
        reference_batched_seconds=seconds["batched"],
        forward_seconds=seconds["forward"],
        speedup=seconds["alone"] / seconds["sweep"],
        speedup_batched=seconds["batched"] / seconds["sweep"],
        token_blocks_ratio=by_cell / cost,
        forward_passes=seconds["sweep"] / seconds["forward"],
        efficiency=(cost / seconds["sweep"]) / (plain / seconds["forward"]),
        prompts_per_second=len(alone) / seconds["sweep"],
        peak_memory_bytes=peak,
        weights_bytes=weights_bytes(blocks.model),
        largest_difference=gap,
        full_prompts=plan.total,
        full_seconds=seconds["sweep"] * whole / cost,
        machine=_machine(),
        notes=plan.model.notes,
    )


def _first_batches(plan: Plan, prompts: int) -> list[list[Encoded]]:
    """Return whole batches, in the plan's order, which mixes lengths and relations."""
    chosen: list[list[Encoded]] = []
    for batch in plan.passes:
        if sum(map(len, chosen)) >= prompts:
            break
        chosen.append(batch)
    return chosen


def _timed(taken: list[float], way: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    found = way()
    taken.append(time.perf_counter() - began)
    return found


def _gap(ours: Sequence[Measurement], theirs: Sequence[Measurement]) -> float:
    """Return the largest difference of a cell; the prompts stand in one order in both."""
    a, b = Measurement.join(ours), Measurement.join(theirs)
    return float(np.nanmax(np.abs(a.jsd - b.jsd), initial=0.0))


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {versions()['device']}"


def describe(bench: Bench) -> str:
    """Return what was measured as a page of text."""
    megabyte = 1e6
    rows = [
        ("one pass", bench.sweep_seconds),
        ("one pass for each cell, a prompt at a time", bench.reference_seconds),
        ("one pass for each cell, batched", bench.reference_batched_seconds),
        ("one plain forward pass", bench.forward_seconds),
    ]
    lines = [f"{bench.machine}: {'; '.join(bench.notes) or 'nothing to note'}", ""]
    lines += [
        f"{name:<44}{seconds:9.3f} s{bench.prompts / seconds:10.2f} prompts/s"
        for name, seconds in rows
    ]
    extra = bench.peak_memory_bytes - bench.weights_bytes
    lines += [
        "",
        f"speed-up {bench.speedup:.1f} a prompt at a time, {bench.speedup_batched:.1f} batched "
        f"(their token-blocks: {bench.token_blocks_ratio:.1f})",
        f"the whole heatmap for the price of {bench.forward_passes:.1f} forward passes",
        f"efficiency {bench.efficiency:.2f} of the plain forward pass's token-blocks a second",
        f"memory {bench.peak_memory_bytes / megabyte:.0f} MB at the most, "
        f"{extra / megabyte:.0f} MB over the weights",
        f"largest difference from the reference {bench.largest_difference:.1e} nats",
        f"all {bench.full_prompts} prompts would take {_spoken(bench.full_seconds)}, "
        "and the answers some more",
    ]
    return "\n".join(lines)


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
