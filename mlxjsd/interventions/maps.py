"""Maps: the state of every token at every layer, exchanged between the clean and the corrupted run.

A token's exchange at block l changes no token in front of it, so that each cell is a branch of
[t, T) which leaves at block l (of parts, at the first block of l's window): about sum over t of
(T - t) L^2 / 2 token-blocks, where the plain way takes a pass of T L for each of the T L cells.
Tokens in front of the subject are the same in both runs; nothing is exchanged there, and nothing
computed.
"""

from dataclasses import replace

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.branches import map_branches
from mlxjsd.interventions.common import put_unedited, room_for_maps
from mlxjsd.interventions.metrics import numbers_of
from mlxjsd.interventions.spec import Batch
from mlxjsd.interventions.sweep import walked
from mlxjsd.interventions.walk import Walk
from mlxjsd.model.blocks import Blocks
from mlxjsd.records import Grid
from mlxjsd.settings import Settings

#: Bytes that a pass over some tokens of a map may take, beside the weights; with more, fewer tokens
#: are taken at a time. A number of its own, so that every machine takes the same steps.
PASS_BYTES = 1_000_000_000


def tokens_at_once(blocks: Blocks, batch: Batch, settings: Settings) -> int:
    """Return how many tokens of the maps go through the blocks together.

    As many as stay below ``PASS_BYTES``, by what a call of a block was seen to take.
    """
    grid = Grid.of(settings, len(blocks))
    each = len(grid.maps) * batch.samples * len(grid.measured_layers)
    embedded = blocks.embed(mx.zeros((1, 1), mx.int32))
    total, taken = 0.0, 0
    for token in range(batch.first, batch.length):
        queries = batch.length - token
        call = max(a.row(queries, batch.length) for a in blocks.allocations)
        # Before and after a block, and joined; of parts, what is put in, and what comes of it.
        states = (6 if settings.parts else 4) * queries * embedded.nbytes
        total += batch.size * each * states
        # Calls of several tokens follow on each other; the largest decides.
        if taken and total + batch.size * each * call > PASS_BYTES:
            break
        taken += 1
    return max(1, taken)


def sweep_maps(blocks: Blocks, batch: Batch, settings: Settings) -> np.ndarray:
    """Measure every map of every prompt of ``batch``, some tokens at a time.

    Args:
        blocks: of a model that takes the one pass.
        batch: B prompts of T tokens, with their corruption.
        settings: which maps, metrics and layers.

    Returns:
        (B, maps, metrics, T, L) float32, averaged over the samples: the same as
        :func:`mlxjsd.interventions.reference.reference_maps`, within 1e-5 in float32. NaN for
        layers that are not measured.
    """
    grid = Grid.of(settings, len(blocks))
    found = room_for_maps(grid, batch, blocks, settings)
    at_once = tokens_at_once(blocks, batch, settings)
    for begin in range(batch.first, batch.length, at_once):
        tokens = range(begin, min(begin + at_once, batch.length))
        walk = Walk(batch, map_branches(grid, settings, tokens, batch.samples), blocks)
        unedited, values = walked(blocks, batch, settings, walk)
        for branch, value in zip(walk.branches, np.moveaxis(values, -1, 0), strict=True):
            assert isinstance(branch.carries, int)
            at = grid.maps.index(branch.row)
            found[:, at, :, branch.carries, branch.layer] += value / batch.samples
    clean, corrupted = (
        np.array(mx.mean(numbers_of(logits, grid.metrics), axis=-1))
        for logits in (unedited, replace(unedited, edited=unedited.corrupted()))
    )
    put_unedited(found, grid, batch, clean, corrupted)
    return found
