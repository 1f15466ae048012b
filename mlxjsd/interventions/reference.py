"""The plain definition: one forward pass for every cell, written to be read.

This file says what the numbers are. It knows nothing of prefixes, caches or branches: each
cell is the whole model run on the whole prompt with one edit. It is slow, and it is what
:func:`mlxjsd.interventions.sweep.sweep_batch` must equal.
"""

from collections.abc import Callable, Iterator

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.common import clean_numbers, only_where_it_applies, subject_norms
from mlxjsd.interventions.divergence import js_divergence
from mlxjsd.interventions.spec import Batch, Measurement, knockout_blocks
from mlxjsd.model.anatomy import Anatomy
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.masks import hide_keys
from mlxjsd.model.stepping import BlockCall, Visitor
from mlxjsd.rows import ATTN, LAST, SUBJ

Edit = Callable[[mx.array], mx.array]


def reference_batch(blocks: Blocks, batch: Batch, window: int) -> Measurement:
    """Measure every cell of every prompt of ``batch``, one forward pass for each.

    Args:
        blocks: of any model that calls each block once, in order.
        batch: B prompts of T tokens, with their corruption.
        window: of the knockout, in blocks.

    Returns:
        See :class:`~mlxjsd.interventions.spec.Measurement`.
    """
    layers, anatomy = len(blocks), blocks.anatomy
    tokens = mx.array(batch.tokens)
    subject, last, tail = _places(batch)

    clean_logits, clean_states = _record(blocks, tokens, lambda x: x)
    norms = np.stack([np.array(subject_norms(x, subject)) for x in clean_states], axis=1)

    def divergence(visit: Visitor) -> np.ndarray:
        logits = blocks.run(tokens, visit)[:, -1:]
        return np.array(js_divergence(clean_logits, logits))[:, 0]

    jsd = np.zeros((batch.size, 3, layers))
    for sample in range(batch.samples):
        _, corrupted = _record(blocks, *corrupted_run(batch, sample))
        for layer in range(layers):
            jsd[:, SUBJ, layer] += divergence(_patch(layer, subject, corrupted[layer]))
            jsd[:, LAST, layer] += divergence(_patch(layer, last, corrupted[layer]))
    jsd /= batch.samples
    for layer in range(layers):
        knocked_out = knockout_blocks(layer, window, layers)
        jsd[:, ATTN, layer] = divergence(_knock_out(knocked_out, last, subject, anatomy))
    reliance = divergence(_knock_out(range(layers), tail, subject, anatomy))
    floor = divergence(_unchanged)
    found = Measurement(
        jsd=jsd.astype(np.float32),
        reliance=reliance,
        floor=floor,
        norms=norms,
        **clean_numbers(clean_logits),
    )
    return only_where_it_applies(found, anatomy, window)


def total_effect(blocks: Blocks, batch: Batch) -> np.ndarray:
    """Return JSD(clean run, corrupted run) in nats, (B,): what Last. at the last layer must be."""
    clean, _ = _record(blocks, mx.array(batch.tokens), lambda x: x)
    samples = [
        js_divergence(clean, _record(blocks, *corrupted_run(batch, sample))[0])
        for sample in range(batch.samples)
    ]
    return np.array(mx.mean(mx.concatenate(samples, axis=1), axis=1))


def edits_of(blocks: Blocks, batch: Batch, window: int) -> Iterator[tuple[str, Visitor]]:
    """Yield the name and the edit of every run that :func:`reference_batch` makes."""
    layers, anatomy = len(blocks), blocks.anatomy
    subject, last, tail = _places(batch)
    for sample in range(batch.samples):
        _, corrupted = _record(blocks, *corrupted_run(batch, sample))
        for layer in range(layers):
            yield f"Subj. at layer {layer}", _patch(layer, subject, corrupted[layer])
            yield f"Last. at layer {layer}", _patch(layer, last, corrupted[layer])
    for layer in range(layers):
        inside = knockout_blocks(layer, window, layers)
        yield f"Attn. at layer {layer}", _knock_out(inside, last, subject, anatomy)
    yield "reliance", _knock_out(range(layers), tail, subject, anatomy)


def _places(batch: Batch) -> tuple[mx.array, mx.array, mx.array]:
    """Return where the subject, the last token and the tail stand, (B, T) bool each."""
    subject = mx.array(batch.subject_mask())
    at = mx.arange(batch.length)[None]
    last = mx.broadcast_to(at == batch.length - 1, subject.shape)
    return subject, last, mx.broadcast_to(at >= batch.end, subject.shape)


def _unchanged(call: BlockCall) -> mx.array:
    return call.forward(call.x, call.mask)


def corrupted_run(batch: Batch, sample: int) -> tuple[mx.array, Edit]:
    """Return the corrupted run's tokens, and what is done to the states that enter block 0."""
    if batch.source_tokens is not None:
        return mx.array(batch.source_tokens), lambda x: x
    assert batch.noise is not None
    noise = mx.array(batch.noise[:, sample])
    after = batch.length - batch.end
    noise = mx.pad(noise, [(0, 0), (batch.first, after), (0, 0)])
    return mx.array(batch.tokens), lambda x: x + noise.astype(x.dtype)


def _record(blocks: Blocks, tokens: mx.array, spoil: Edit) -> tuple[mx.array, list[mx.array]]:
    """Run the model; return last-token logits (B, 1, V) and the states that left each block."""
    states = []

    def visit(call: BlockCall) -> mx.array:
        x = spoil(call.x) if call.index == 0 else call.x
        states.append(call.forward(x, call.mask))
        return states[-1]

    return blocks.run(tokens, visit)[:, -1:], states


def _patch(layer: int, where: mx.array, source: mx.array) -> Visitor:
    """Interchange intervention: ``source`` replaces what leaves ``layer`` at ``where`` (B, T)."""

    def visit(call: BlockCall) -> mx.array:
        out = call.forward(call.x, call.mask)
        return mx.where(where[..., None], source, out) if call.index == layer else out

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
