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
from mlxjsd.text import tiny


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
    left_out: str
    """What was not measured of what was asked for, and why; "" for nothing."""
    machine: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return asdict(self)


def run_bench(
    plan: Plan,
    prompts: int = 16,
    rounds: int = 3,
    seconds: float = 60.0,
    progress: Callable[[str, int, int], object] = lambda *_: None,
) -> Bench:
    """Time the four ways over the first batches of ``plan``.

    Args:
        plan: all prompts that the time is to be estimated for.
        prompts: the most that are measured in each round.
        rounds: how often each way is timed.
        seconds: that it may take, about; fewer rounds and prompts are measured if they would take
            longer, but one of each at the least.
        progress: told what is timed, how many steps are done, and how many there are.
    """
    blocks, settings = plan.model.blocks, plan.settings
    layers, asked_rounds = len(blocks), rounds
    prompts = min(prompts, plan.total)
    progress("one prompt", 0, 1)
    fitting, rounds = _what_fits(plan, prompts, rounds, seconds)
    chosen, left_out = _first(plan, fitting), ""
    if fitting < prompts or rounds < asked_rounds:
        left_out = (
            f"{fitting} of {prompts} prompts and {rounds} of {asked_rounds} rounds, "
            f"since more would take over {seconds:.0f} seconds"
        )
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
    steps, peak, gap = 0, 0, 0.0

    def timed(name: str, what: str, way: Callable[[], Any]) -> Any:
        nonlocal steps
        progress(what, steps, 4 * rounds)
        steps += 1
        return _timed(times[name], way)

    for _ in range(rounds):
        mx.reset_peak_memory()
        ours = timed("sweep", "one pass", sweep)
        peak = max(peak, mx.get_peak_memory())
        timed("forward", "a plain forward pass", forward)
        theirs = timed("alone", "one pass for each cell", lambda: reference(alone))
        together = timed("batched", "one pass for each cell, batched", lambda: reference(batches))
        gap = max(gap, _gap(ours, theirs), _gap(ours, together))
    taken = {name: statistics.median(found) for name, found in times.items()}
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
        sweep_seconds=taken["sweep"],
        reference_seconds=taken["alone"],
        reference_batched_seconds=taken["batched"],
        forward_seconds=taken["forward"],
        speedup=taken["alone"] / taken["sweep"],
        speedup_batched=taken["batched"] / taken["sweep"],
        token_blocks_ratio=by_cell / cost,
        forward_passes=taken["sweep"] / taken["forward"],
        efficiency=(cost / taken["sweep"]) / (plain / taken["forward"]),
        prompts_per_second=len(alone) / taken["sweep"],
        peak_memory_bytes=peak,
        weights_bytes=weights_bytes(blocks.model),
        largest_difference=gap,
        full_prompts=plan.total,
        full_seconds=taken["sweep"] * whole / cost,
        left_out=left_out,
        machine=_machine(),
        notes=plan.model.notes,
    )


def _what_fits(plan: Plan, prompts: int, rounds: int, seconds: float) -> tuple[int, int]:
    """Return how many prompts and rounds take about so many seconds, by what one prompt takes.

    Nearly all of a round is one pass for each cell. Rounds give way before prompts do.
    """
    blocks, settings = plan.model.blocks, plan.settings
    one = plan.corruption.batch(plan.passes[0][:1])
    sweep_batch(blocks, one, settings)  # what is found out once about a model is no part of it
    taken: list[float] = []
    _timed(taken, lambda: reference_batch(blocks, one, settings))
    affordable = seconds / (_WAYS * taken[0])
    if affordable >= prompts:
        return prompts, min(rounds, int(affordable / prompts))
    return max(1, int(affordable)), 1


#: The time of all four ways, in that of one pass for each cell, a prompt at a time.
_WAYS = 1.5


def _first(plan: Plan, prompts: int) -> list[list[Encoded]]:
    """Return the first prompts, in passes and in the plan's order, which mixes relations."""
    chosen: list[list[Encoded]] = []
    for together in plan.passes:
        left = prompts - sum(map(len, chosen))
        if left < 1:
            break
        chosen.append(together[:left])
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
        f"largest difference from the reference {tiny(bench.largest_difference)} nats",
        *([f"measured: {bench.left_out}"] if bench.left_out else []),
        f"all {bench.full_prompts} prompts would take {_spoken(bench.full_seconds)}, "
        "and the answers some more",
    ]
    return "\n".join(lines)


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
