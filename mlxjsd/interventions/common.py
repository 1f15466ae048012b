"""What both ways of measuring report of the clean run, and where an edit applies."""

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.divergence import entropy, log_softmax
from mlxjsd.interventions.spec import Batch, blocks_of, part_blocks
from mlxjsd.maps import map_of
from mlxjsd.model.blocks import Blocks
from mlxjsd.records import Grid
from mlxjsd.row_names import row_of
from mlxjsd.settings import Settings


def applicable(
    grid: Grid, blocks: Blocks, settings: Settings, batch: Batch
) -> tuple[np.ndarray, np.ndarray]:
    """Say which cells there are: of a layer that is measured, and where an edit can do something.

    A knockout needs a block that attends, an exchange of parts one that has the part, and a control
    a span of its own.

    Returns:
        (B, rows, L) bool for the cells, and (B, whole) bool for the rows with one number.
    """
    layers = grid.layers

    def applies(name: str, layer: int) -> np.ndarray:
        row = row_of(name)
        inside = blocks_of(row, layer, settings, layers)
        if row.part is not None:
            somewhere = blocks.parts.applies(row.part, inside)
        else:
            somewhere = blocks.anatomy.applies(inside)
        if row.hidden == "control" and somewhere:
            return np.asarray(batch.mask("control").any(axis=1))
        return np.full(batch.size, somewhere)

    cells = np.zeros((batch.size, len(grid.rows), layers), bool)
    for at, name in enumerate(grid.rows):
        for layer in grid.measured_layers:
            cells[:, at, layer] = applies(name, layer)
    return cells, np.stack([applies(name, 0) for name in grid.whole], axis=1)


def blank(
    cells: np.ndarray,
    whole: np.ndarray,
    grid: Grid,
    blocks: Blocks,
    settings: Settings,
    batch: Batch,
) -> None:
    """Put NaN where an edit does not apply: into (B, metrics, rows, L) and (B, metrics, whole)."""
    by_cell, by_row = applicable(grid, blocks, settings, batch)
    cells[np.broadcast_to(~by_cell[:, None], cells.shape)] = np.nan
    whole[np.broadcast_to(~by_row[:, None], whole.shape)] = np.nan


def room_for_maps(grid: Grid, batch: Batch, blocks: Blocks, settings: Settings) -> np.ndarray:
    """Return zeros for the cells of maps, (B, maps, metrics, T, L), NaN where there are none.

    None are in layers that are not measured, and where no block of a window has the part.
    """
    shape = (batch.size, len(grid.maps), len(grid.metrics), batch.length, grid.layers)
    found = np.full(shape, np.nan, np.float32)
    for at, name in enumerate(grid.maps):
        found[:, at, ..., _map_layers(name, grid, blocks, settings)] = 0.0
    return found


def _map_layers(name: str, grid: Grid, blocks: Blocks, settings: Settings) -> list[int]:
    """Return the layers in which a map has numbers."""
    part = map_of(name).part
    return [
        layer
        for layer in grid.measured_layers
        if part is None or blocks.parts.applies(part, part_blocks(layer, settings, grid.layers))
    ]


def put_unedited(
    found: np.ndarray, grid: Grid, batch: Batch, clean: np.ndarray, corrupted: np.ndarray
) -> None:
    """Fill in the tokens in front of each subject, where both runs are the same."""
    for row, start in enumerate(batch.starts):
        for at, name in enumerate(grid.maps):
            numbers = corrupted if map_of(name).denoising else clean
            front = found[row, at, :, :start]
            found[row, at, :, :start] = np.where(
                np.isnan(front), front, numbers[row][:, None, None]
            )


def subject_norms(states: mx.array, subject: mx.array) -> mx.array:
    """Return the mean L2 norm of ``states`` (B, T, hidden) where ``subject`` (B, T): (B,)."""
    norms = mx.linalg.norm(states.astype(mx.float32), axis=-1)
    return mx.sum(mx.where(subject, norms, 0.0), axis=-1) / mx.sum(subject, axis=-1)


def last_direction(states: mx.array) -> mx.array:
    """Return the last token's state of ``states`` (B, T, hidden), scaled to length one.

    (B, hidden) float32; zero for a state that is zero.
    """
    last = states[:, -1].astype(mx.float32)
    length = mx.linalg.norm(last, axis=-1, keepdims=True)
    return last / mx.where(length > 0, length, 1.0)


def clean_numbers(logits: mx.array) -> dict[str, np.ndarray]:
    """Return prediction, probability and entropy (each (B,)) of clean ``logits`` (B, 1, V)."""
    logits = logits[:, -1]
    prediction = mx.argmax(logits, axis=-1)
    log_p = mx.take_along_axis(log_softmax(logits), prediction[:, None], axis=-1)[:, 0]
    return {
        "prediction": np.array(prediction.astype(mx.int32)),
        "probability": np.array(mx.exp(log_p)),
        "entropy": np.array(entropy(logits)),
    }
