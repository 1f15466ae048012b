"""The plain definition: one forward pass for every cell, written to be read.

This file says what the numbers are. It knows nothing of prefixes, caches or branches: each
cell is the whole model run on the whole prompt with one edit. It is slow, and it is what
:func:`mlxjsd.interventions.sweep.sweep_batch` must equal.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

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
from mlxjsd.interventions.spec import Batch, Measurement, blocks_of, part_blocks
from mlxjsd.maps import Map, map_of
from mlxjsd.model.anatomy import Anatomy
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.masks import hide_keys
from mlxjsd.model.stepping import BlockCall, Visitor
from mlxjsd.records import Grid
from mlxjsd.row_names import row_of
from mlxjsd.rows import Row
from mlxjsd.settings import Settings

Edit = Callable[[mx.array], mx.array]


@dataclass(frozen=True)
class Recorded:
    """One plain run of the model."""

    logits: mx.array
    """Of the last token, (B, 1, V)."""
    states: list[mx.array]
    """As they leave each block, (B, T, hidden) each."""
    outputs: dict[str, dict[int, mx.array]]
    """What the parts of the blocks give, by kind and block, (B, T, hidden) each."""


def reference_batch(blocks: Blocks, batch: Batch, settings: Settings) -> Measurement:
    """Measure every cell of every prompt of ``batch``, one forward pass for each.

    Args:
        blocks: of any model that calls each block once, in order.
        batch: B prompts of T tokens, with their corruption.
        settings: which rows and metrics, and the window of the knockout.

    Returns:
        See :class:`~mlxjsd.interventions.spec.Measurement`.
    """
    grid = Grid.of(settings, len(blocks))
    subject = mx.array(batch.mask("subject"))
    clean, *corrupted = runs = recorded_runs(blocks, batch, settings)
    about = {
        "norms": np.stack([np.array(subject_norms(x, subject)) for x in clean.states], axis=1),
        "directions": np.stack([np.array(last_direction(x)) for x in clean.states], axis=1),
    }

    def other_logits() -> mx.array:
        return mx.concatenate([run.logits for run in corrupted], axis=1)

    def numbers(row: Row, layer: int) -> np.ndarray:
        """Return the numbers of one cell, (B, metrics), averaged over the samples."""
        found = np.zeros((batch.size, len(grid.metrics)))
        samples = batch.samples if row.drawn else 1
        for sample in range(samples):
            if row.kind == "corrupted":  # which is run already
                edited = corrupted[sample].logits
            else:
                run = _edited(blocks, batch, settings, row, layer, runs, sample)
                edited = blocks.run(*run)[:, -1:]
            logits = Logits.of(batch, clean.logits, edited, other_logits)
            found += np.array(numbers_of(logits, grid.metrics))[..., 0]
        return found / samples

    cells, whole = grid.cells(batch.size), grid.numbers(batch.size)
    for at, name in enumerate(grid.rows):
        for layer in grid.measured_layers:
            cells[:, :, at, layer] = numbers(row_of(name), layer)
    for at, name in enumerate(grid.whole):
        whole[:, :, at] = numbers(row_of(name), 0)
    blank(cells, whole, grid, blocks, settings, batch)
    return Measurement(grid, cells, whole, **about, **clean_numbers(clean.logits))


def _edited(
    blocks: Blocks,
    batch: Batch,
    settings: Settings,
    row: Row,
    layer: int,
    runs: Sequence[Recorded],
    sample: int,
) -> tuple[mx.array, Visitor]:
    """Return the run of one cell: its tokens, and the edit as it is made on the whole prompt.

    Args:
        blocks: of the model.
        batch: the prompts.
        settings: the window of a knockout, and of parts.
        row: what is edited.
        layer: of the cell.
        runs: the clean run, and each corrupted one.
        sample: which corrupted run, or which draw.
    """
    tokens, clean, corrupted = mx.array(batch.tokens), runs[0], runs[1 + sample]
    if row.kind == "null":
        return tokens, _plain
    here = mx.array(batch.mask(row.positions))
    if row.kind == "knockout":
        assert row.hidden is not None
        inside = blocks_of(row, layer, settings, len(blocks))
        return tokens, knock_out(inside, here, mx.array(batch.mask(row.hidden)), blocks.anatomy)
    if row.kind == "patch":
        inside = blocks_of(row, layer, settings, len(blocks))
        source = clean if row.states == "clean" else corrupted
        visit = _exchange(blocks, row.part, layer, inside, here, source)
        return _corrupted(batch, sample, visit) if row.states == "clean" else (tokens, visit)
    assert batch.draws is not None
    if row.kind == "noise":
        change = mx.array(batch.draws.noise(row, layer, sample))
    else:
        change = mx.array(batch.draws.direction(row, layer, sample))
    before = batch.length - 1 if row.positions == "last" else batch.first
    after = batch.length - before - change.shape[1]
    change = mx.pad(change, [(0, 0), (before, after), (0, 0)])
    if row.kind == "random":
        moved = (corrupted.states[layer] - clean.states[layer]).astype(mx.float32)
        change = change * mx.linalg.norm(moved, axis=-1, keepdims=True)
    return tokens, _add(layer, change)


def reference_maps(blocks: Blocks, batch: Batch, settings: Settings) -> np.ndarray:
    """Measure every map of every prompt of ``batch``, one forward pass for each cell.

    Returns:
        (B, maps, metrics, T, L) float32; see :func:`mlxjsd.interventions.maps.sweep_maps`.
    """
    grid, tokens = Grid.of(settings, len(blocks)), mx.array(batch.tokens)
    clean, *corrupted = recorded_runs(blocks, batch, settings)
    found = room_for_maps(grid, batch, blocks, settings)

    def other_logits() -> mx.array:
        return mx.concatenate([run.logits for run in corrupted], axis=1)

    def numbers(logits: mx.array) -> np.ndarray:
        given = Logits.of(batch, clean.logits, logits[:, -1:], other_logits)
        return np.array(numbers_of(given, grid.metrics))[..., 0]

    def cell(about: Map, token: int, layer: int) -> np.ndarray:
        """Return the numbers of one cell, (B, metrics), averaged over the samples."""
        here = mx.array(np.arange(batch.length) == token)[None]
        inside = part_blocks(layer, settings, len(blocks))
        sums = np.zeros((batch.size, len(grid.metrics)))
        for sample, run in enumerate(corrupted):
            source = clean if about.denoising else run
            visit = _exchange(blocks, about.part, layer, inside, here, source)
            edited = _corrupted(batch, sample, visit) if about.denoising else (tokens, visit)
            sums += numbers(blocks.run(*edited))
        return sums / batch.samples

    for at, name in enumerate(grid.maps):
        for token in range(batch.first, batch.length):
            for layer in grid.measured_layers:
                if not np.isnan(found[0, at, 0, token, layer]):
                    found[:, at, :, token, layer] = cell(map_of(name), token, layer)
    total = np.mean([numbers(run.logits) for run in corrupted], axis=0)
    put_unedited(found, grid, batch, numbers(clean.logits), total)
    return found


def total_effect(blocks: Blocks, batch: Batch) -> np.ndarray:
    """Return JSD(clean run, corrupted run) in nats, (B,): what Last. at the last layer must be."""
    clean, *corrupted = recorded_runs(blocks, batch)
    samples = [js_divergence(clean.logits, run.logits) for run in corrupted]
    return np.array(mx.mean(mx.concatenate(samples, axis=1), axis=1))


def edits_of(
    blocks: Blocks, batch: Batch, settings: Settings
) -> Iterator[tuple[str, mx.array, Visitor]]:
    """Yield the name, the tokens and the edit of every run that :func:`reference_batch` makes."""
    grid, runs = Grid.of(settings, len(blocks)), recorded_runs(blocks, batch, settings)
    for row in grid.measured:
        if row.kind in ("null", "corrupted"):
            continue
        for layer in grid.layers_of(row):
            name = f"{row.label} at layer {layer}" if row.by_layer else row.label.lower()
            for sample in range(batch.samples if row.drawn else 1):
                yield name, *_edited(blocks, batch, settings, row, layer, runs, sample)


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


def recorded_runs(blocks: Blocks, batch: Batch, settings: Settings | None = None) -> list[Recorded]:
    """Run the clean prompts and each corruption of them.

    Args:
        blocks: of the model.
        batch: the prompts.
        settings: which parts of the blocks are recorded; None for none.
    """
    kinds = settings.parts if settings else ()
    clean = _record(blocks, mx.array(batch.tokens), lambda x: x, kinds)
    return [clean] + [
        _record(blocks, *corrupted_run(batch, j), kinds) for j in range(batch.samples)
    ]


def _record(blocks: Blocks, tokens: mx.array, corrupt: Edit, kinds: Sequence[str]) -> Recorded:
    """Run the model, and record what leaves each block, and what its parts of ``kinds`` give."""
    parts = blocks.parts if kinds else None
    run = Recorded(mx.zeros(0), [], {kind: {} for kind in kinds})

    def keep(kind: str, index: int) -> Edit:
        def edit(given: mx.array) -> mx.array:
            run.outputs[kind][index] = given
            return given

        return edit

    def visit(call: BlockCall) -> mx.array:
        x, index = corrupt(call.x) if call.index == 0 else call.x, call.index
        if parts is None:
            run.states.append(call.forward(x, call.mask))
        else:
            edits = {kind: keep(kind, index) for kind in kinds if kind in parts.blocks[index]}
            with parts.edited(index, edits):
                run.states.append(call.forward(x, call.mask))
        return run.states[-1]

    return replace(run, logits=blocks.run(tokens, visit)[:, -1:])


def _exchange(
    blocks: Blocks,
    part: str | None,
    layer: int,
    inside: range,
    where: mx.array,
    source: Recorded,
) -> Visitor:
    """Put in what ``source`` has at ``where`` (B, T): the state that leaves ``layer`` or, of a
    part, what it gives in the blocks ``inside``."""
    if part is None:
        return _patch(layer, where, source.states[layer])
    outputs, parts = source.outputs[part], blocks.parts

    def visit(call: BlockCall) -> mx.array:
        if call.index not in inside or call.index not in outputs:
            return call.forward(call.x, call.mask)

        def edit(given: mx.array) -> mx.array:
            return mx.where(where[..., None], outputs[call.index], given)

        with parts.edited(call.index, {part: edit}):
            return call.forward(call.x, call.mask)

    return visit


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


def knock_out(inside: range, queries: mx.array, keys: mx.array, anatomy: Anatomy) -> Visitor:
    """Attention knockout ``inside`` some blocks: ``queries`` do not see ``keys``, (B, T) each."""
    hidden = queries[:, :, None] & keys[:, None, :]

    def visit(call: BlockCall) -> mx.array:
        block, mask = anatomy.blocks[call.index], call.mask
        if call.index in inside and block.attends:
            mask = hide_keys(mask, hidden, block.rank)
        return call.forward(call.x, mask)

    return visit
