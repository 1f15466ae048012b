"""The one pass: every cell of the heatmap from a single walk over the model's blocks.

Two facts make one pass exact. *Causality*: a token in front of the first edit cannot change,
so its keys and values are the clean run's. *Interchange*: once the whole subject carries the
corrupted run's states, its later states are the corrupted run's, so its keys and values are
too. Each cell is therefore a **branch**, a short suffix of the prompt that goes on over keys and
values that were computed once; :mod:`mlxjsd.interventions.branches` lists them, and
:mod:`mlxjsd.interventions.walk` takes them through the blocks.

:mod:`mlxjsd.interventions.reference` measures the same without any of this, and must agree.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

import mlx.core as mx
import numpy as np

from mlxjsd.errors import UnsupportedModel
from mlxjsd.interventions.branches import Branch, branches_of
from mlxjsd.interventions.common import blank, clean_numbers
from mlxjsd.interventions.metrics import Logits, numbers_of
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.interventions.walk import Walk
from mlxjsd.model.blocks import Blocks
from mlxjsd.records import Grid
from mlxjsd.settings import Settings

#: Logits held at one time, in elements: large vocabularies are read out in pieces.
READOUT_ELEMENTS = 16_000_000


def sweep_batch(
    blocks: Blocks,
    batch: Batch,
    settings: Settings,
    kept: list[tuple[mx.array, ...]] | None = None,
) -> Measurement:
    """Measure every cell for every prompt of ``batch`` in one pass over the blocks.

    Args:
        blocks: of a model whose blocks are attention blocks.
        batch: B prompts of T tokens, with their corruption.
        settings: which rows and metrics, and the window of the knockout.
        kept: where given, the clean run's keys and values of each block are added to it,
            (B, heads, T, depth) each.

    Returns:
        The same arrays as :func:`mlxjsd.interventions.reference.reference_batch`, within
        1e-5 in float32.

    Raises:
        UnsupportedModel: if the model needs the plain path.
    """
    if blocks.anatomy.trouble:
        raise UnsupportedModel(
            f"the one pass is not exact here: {blocks.anatomy.trouble}",
            hint="take the plain path, as `mlxjsd run` does",
        )
    grid = Grid.of(settings, len(blocks))
    walk = Walk(batch, branches_of(grid, settings, batch.samples), blocks, kept)
    unedited, values = walked(blocks, batch, settings, walk)
    cells, whole = _averaged(values, walk.branches, grid)
    blank(cells, whole, grid, blocks, settings, batch)
    return Measurement(
        grid, cells, whole, **walk.norms_and_directions, **clean_numbers(unedited.clean)
    )


def walked(
    blocks: Blocks, batch: Batch, settings: Settings, walk: Walk
) -> tuple[Logits, np.ndarray]:
    """Walk over the blocks once, and read out what comes of each branch.

    Returns:
        The logits, with the clean run in place of edits; and the numbers (B, metrics, branches)
        of ``walk.branches``.
    """
    tokens = batch.tokens
    if batch.source_tokens is not None:
        tokens = np.concatenate([tokens, batch.source_tokens])
    clean = blocks.run(mx.array(tokens), walk.step)
    states, corrupted = walk.finished()
    per_call = max(1, READOUT_ELEMENTS // (batch.size * clean.shape[-1]))
    unedited = Logits.of(batch, clean, clean, cache(partial(blocks.readout, corrupted)))
    numbers = []
    for at in range(0, states.shape[1], per_call):
        edited = replace(unedited, edited=blocks.readout(states[:, at : at + per_call]))
        numbers.append(numbers_of(edited, settings.metrics))
        mx.eval(numbers[-1])
    return unedited, np.array(mx.concatenate(numbers, axis=-1))


def _averaged(
    values: np.ndarray, branches: Sequence[Branch], grid: Grid
) -> tuple[np.ndarray, np.ndarray]:
    """Average the samples of each cell.

    Args:
        values: (B, metrics, branches).
        branches: what each of them belongs to.
        grid: names of the numbers.

    Returns:
        (B, metrics, rows, L) and (B, metrics, whole), float32.
    """
    keys = (*grid.rows, *grid.whole)
    place = np.array([(keys.index(branch.row), branch.layer) for branch in branches]).T
    shape = (len(keys), grid.layers)
    sums, counts = np.zeros((*shape, *values.shape[:2])), np.zeros((*shape, 1, 1))
    np.add.at(sums, tuple(place), np.moveaxis(values, -1, 0))
    np.add.at(counts, tuple(place), 1)
    means = np.moveaxis(sums / np.maximum(counts, 1), (0, 1), (2, 3)).astype(np.float32)
    return means[:, :, : len(grid.rows)].copy(), means[:, :, len(grid.rows) :, 0].copy()
