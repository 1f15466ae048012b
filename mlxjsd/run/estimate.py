"""How long the maps of a model on the plain path will take, said before they are measured."""

import time
from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.cost import Shape, map_token_blocks
from mlxjsd.model.anatomy import ONE_PASS
from mlxjsd.prompts.encode import Encoded
from mlxjsd.run.plan import Plan
from mlxjsd.text import time_of


def map_notes(plan: Plan, passes: Sequence[Sequence[Encoded]]) -> tuple[str, ...]:
    """Say how long the maps of some passes take, in one sentence; nothing on the one pass.

    One of the passes is run plainly and timed, and the others counted by their token-blocks.
    """
    layers, settings = plan.model.identity.layers, plan.settings
    # Ranks that hold a model together may not run it one without the other.
    if not settings.maps or plan.model.identity.path == ONE_PASS or plan.model.group is not None:
        return ()
    shapes = [Shape.of(batch, settings) for batch in passes]
    if not shapes:
        return ()
    work = [map_token_blocks(shape, settings, layers)[1] for shape in shapes]
    cells = [done // (s.size * s.length * layers) for done, s in zip(work, shapes, strict=True)]
    middle = sorted(range(len(work)), key=work.__getitem__)[len(work) // 2]
    shape = shapes[middle]
    rate = shape.size * shape.length * layers / _seconds(plan, passes[middle])
    return (
        f"Maps of this model take a forward pass for each cell, {sum(cells):,} of them: about "
        f"{time_of(sum(work) / rate)} on this machine, by one that was timed.",
    )


def _seconds(plan: Plan, batch: Sequence[Encoded]) -> float:
    """Return what a plain forward pass over a batch takes, once everything is loaded."""
    tokens = mx.array(np.array([encoded.tokens for encoded in batch], dtype=np.int32))
    mx.eval(plan.model.blocks.model(tokens))
    began = time.perf_counter()
    mx.eval(plan.model.blocks.model(tokens))
    return time.perf_counter() - began
