"""The plain definition: one forward pass for every cell, written to be read.

This file says what the numbers are. It knows nothing of prefixes, caches or branches: each
cell is the whole model run on the whole prompt with one edit. It is slow, and it is what
:func:`mlxjsd.interventions.sweep.sweep_batch` must equal.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.common import (
    blank,
    clean_numbers,
    last_direction,
    put_unedited,
    room_for_maps,
    subject_norms,
)
from mlxjsd.interventions.divergence import js_divergence
from mlxjsd.interventions.metrics import Logits, numbers_of
from mlxjsd.interventions.spec import Batch, Measurement, blocks_of
from mlxjsd.maps import map_of
from mlxjsd.model.anatomy import Anatomy
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.masks import hide_keys
from mlxjsd.model.stepping import BlockCall, Visitor
from mlxjsd.records import Grid
from mlxjsd.rows import Row, row_of
from mlxjsd.settings import Settings

Edit = Callable[[mx.array], mx.array]


def reference_batch(blocks: Blocks, batch: Batch, settings: Settings) -> Measurement:
    """Measure every cell of every prompt of ``batch``, one forward pass for each.

    Args:
        blocks: of any model that calls each block once, in order.
        batch: B prompts of T tokens, with their corruption.
        settings: which rows and metrics, and the window of the knockout.

    Returns:
        See :class:`~mlxjsd.interventions.spec.Measurement`.
    """
    grid, tokens = Grid.of(settings, len(blocks)), mx.array(batch.tokens)
    subject = mx.array(batch.mask("subject"))
    clean, clean_states = _record(blocks, tokens, lambda x: x)
    about = {
        "norms": np.stack([np.array(subject_norms(x, subject)) for x in clean_states], axis=1),
        "directions": np.stack([np.array(last_direction(x)) for x in clean_states], axis=1),
    }
    corrupted = [_record(blocks, *corrupted_run(batch, j)) for j in range(batch.samples)]
    states = [clean_states, *(found for _, found in corrupted)]

    def other_logits() -> mx.array:
        return mx.concatenate([logits for logits, _ in corrupted], axis=1)

    def numbers(row: Row, layer: int) -> np.ndarray:
        """Return the numbers of one cell, (B, metrics), averaged over the samples."""
        found = np.zeros((batch.size, len(grid.metrics)))
        samples = batch.samples if row.drawn else 1
        for sample in range(samples):
            if row.kind == "corrupted":  # which is run already
                edited = corrupted[sample][0]
            else:
                run = _edited(blocks, batch, settings, row, layer, states, sample)
                edited = blocks.run(*run)[:, -1:]
            logits = Logits.of(batch, clean, edited, other_logits)
            found += np.array(numbers_of(logits, grid.metrics))[..., 0]
        return found / samples

    cells, whole = grid.cells(batch.size), grid.numbers(batch.size)
    for at, name in enumerate(grid.rows):
        for layer in grid.measured_layers:
            cells[:, :, at, layer] = numbers(row_of(name), layer)
    for at, name in enumerate(grid.whole):
        whole[:, :, at] = numbers(row_of(name), 0)
    blank(cells, whole, grid, blocks.anatomy, settings, batch)
    return Measurement(grid, cells, whole, **about, **clean_numbers(clean))


def _edited(
    blocks: Blocks,
    batch: Batch,
    settings: Settings,
    row: Row,
    layer: int,
    states: Sequence[list[mx.array]],
    sample: int,
) -> tuple[mx.array, Visitor]:
    """Return the run of one cell: its tokens, and the edit as it is made on the whole prompt.

    Args:
        blocks: of the model.
        batch: the prompts.
        settings: the window of a knockout.
        row: what is edited.
        layer: of the cell.
        states: as they leave each block, (B, T, hidden) each: of the clean run, and of each
            corrupted one.
        sample: which corrupted run, or which draw.
    """
    tokens, corrupted = mx.array(batch.tokens), states[1 + sample]
    if row.kind == "null":
        return tokens, _plain
    here = mx.array(batch.mask(row.positions))
    if row.kind == "knockout":
        assert row.hidden is not None
        inside = blocks_of(row, layer, settings, len(blocks))
        return tokens, _knock_out(inside, here, mx.array(batch.mask(row.hidden)), blocks.anatomy)
    if row.kind == "patch" and row.states == "clean":
        return _corrupted(batch, sample, _patch(layer, here, states[0][layer]))
    if row.kind == "patch":
        return tokens, _patch(layer, here, corrupted[layer])
    assert batch.draws is not None
    if row.kind == "noise":
        change = mx.array(batch.draws.noise(row, layer, sample))
    else:
        change = mx.array(batch.draws.direction(row, layer, sample))
    before = batch.length - 1 if row.positions == "last" else batch.first
    after = batch.length - before - change.shape[1]
    change = mx.pad(change, [(0, 0), (before, after), (0, 0)])
    if row.kind == "random":
        moved = (corrupted[layer] - states[0][layer]).astype(mx.float32)
        change = change * mx.linalg.norm(moved, axis=-1, keepdims=True)
    return tokens, _add(layer, change)


def reference_maps(blocks: Blocks, batch: Batch, settings: Settings) -> np.ndarray:
    """Measure every map of every prompt of ``batch``, one forward pass for each cell.

    Returns:
        (B, maps, metrics, T, L) float32; see :func:`mlxjsd.interventions.maps.sweep_maps`.
    """
    grid, tokens = Grid.of(settings, len(blocks)), mx.array(batch.tokens)
    clean, clean_states = _record(blocks, tokens, lambda x: x)
    corrupted = [_record(blocks, *corrupted_run(batch, j)) for j in range(batch.samples)]
    found = room_for_maps(grid, batch)

    def other_logits() -> mx.array:
        return mx.concatenate([logits for logits, _ in corrupted], axis=1)

    def numbers(logits: mx.array) -> np.ndarray:
        given = Logits.of(batch, clean, logits[:, -1:], other_logits)
        return np.array(numbers_of(given, grid.metrics))[..., 0]

    for at, name in enumerate(grid.maps):
        for token in range(batch.first, batch.length):
            here = mx.array(np.arange(batch.length) == token)[None]
            for layer in grid.measured_layers:
                cell = np.zeros((batch.size, len(grid.metrics)))
                for sample, (_, states) in enumerate(corrupted):
                    if map_of(name).denoising:
                        run = _corrupted(batch, sample, _patch(layer, here, clean_states[layer]))
                    else:
                        run = tokens, _patch(layer, here, states[layer])
                    cell += numbers(blocks.run(*run))
                found[:, at, :, token, layer] = cell / batch.samples
    total = np.mean([numbers(logits) for logits, _ in corrupted], axis=0)
    put_unedited(found, grid, batch, numbers(clean), total)
    return found


def total_effect(blocks: Blocks, batch: Batch) -> np.ndarray:
    """Return JSD(clean run, corrupted run) in nats, (B,): what Last. at the last layer must be."""
    clean, _ = _record(blocks, mx.array(batch.tokens), lambda x: x)
    samples = [
        js_divergence(clean, _record(blocks, *corrupted_run(batch, sample))[0])
        for sample in range(batch.samples)
    ]
    return np.array(mx.mean(mx.concatenate(samples, axis=1), axis=1))


def edits_of(
    blocks: Blocks, batch: Batch, settings: Settings
) -> Iterator[tuple[str, mx.array, Visitor]]:
    """Yield the name, the tokens and the edit of every run that :func:`reference_batch` makes."""
    grid = Grid.of(settings, len(blocks))
    states = [_record(blocks, mx.array(batch.tokens), lambda x: x)[1]]
    states += [_record(blocks, *corrupted_run(batch, j))[1] for j in range(batch.samples)]
    for row in grid.measured:
        if row.kind in ("null", "corrupted"):
            continue
        for layer in grid.layers_of(row):
            name = f"{row.label} at layer {layer}" if row.by_layer else row.label.lower()
            for sample in range(batch.samples if row.drawn else 1):
                yield name, *_edited(blocks, batch, settings, row, layer, states, sample)


def corrupted_run(batch: Batch, sample: int) -> tuple[mx.array, Edit]:
    """Return the corrupted run's tokens, and what is done to the states that enter block 0."""
    if batch.source_tokens is not None:
        return mx.array(batch.source_tokens), lambda x: x
    assert batch.noise is not None
    noise = mx.array(batch.noise[:, sample])
    after = batch.length - batch.end
    noise = mx.pad(noise, [(0, 0), (batch.first, after), (0, 0)])
    return mx.array(batch.tokens), lambda x: x + noise.astype(x.dtype)


def _plain(call: BlockCall) -> mx.array:
    return call.forward(call.x, call.mask)


def _corrupted(batch: Batch, sample: int, visit: Visitor) -> tuple[mx.array, Visitor]:
    """Return a run of the corrupted prompt in which each block is visited."""
    tokens, corrupt = corrupted_run(batch, sample)

    def corrupted(call: BlockCall) -> mx.array:
        return visit(replace(call, x=corrupt(call.x)) if call.index == 0 else call)

    return tokens, corrupted


def _record(blocks: Blocks, tokens: mx.array, corrupt: Edit) -> tuple[mx.array, list[mx.array]]:
    """Run the model; return last-token logits (B, 1, V) and the states that left each block."""
    states = []

    def visit(call: BlockCall) -> mx.array:
        x = corrupt(call.x) if call.index == 0 else call.x
        states.append(call.forward(x, call.mask))
        return states[-1]

    return blocks.run(tokens, visit)[:, -1:], states


def _patch(layer: int, where: mx.array, source: mx.array) -> Visitor:
    """Interchange intervention: ``source`` replaces what leaves ``layer`` at ``where`` (B, T)."""

    def visit(call: BlockCall) -> mx.array:
        out = call.forward(call.x, call.mask)
        return mx.where(where[..., None], source, out) if call.index == layer else out

    return visit


def _add(layer: int, change: mx.array) -> Visitor:
    """Add ``change`` (B, T, hidden) to what leaves ``layer``."""

    def visit(call: BlockCall) -> mx.array:
        out = call.forward(call.x, call.mask)
        return out + change.astype(out.dtype) if call.index == layer else out

    return visit


def _knock_out(inside: range, queries: mx.array, keys: mx.array, anatomy: Anatomy) -> Visitor:
    """Attention knockout ``inside`` some blocks: ``queries`` do not see ``keys``, (B, T) each."""
    hidden = queries[:, :, None] & keys[:, None, :]

    def visit(call: BlockCall) -> mx.array:
        block, mask = anatomy.blocks[call.index], call.mask
        if call.index in inside and block.attends:
            mask = hide_keys(mask, hidden, block.rank)
        return call.forward(call.x, mask)

    return visit
