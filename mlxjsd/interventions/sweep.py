"""The one pass: every cell of the heatmap from a single walk over the model's blocks.

Two facts make one pass exact. *Causality*: a token in front of the first edit cannot change,
so its keys and values are the clean run's. *Interchange*: once the whole subject carries the
corrupted run's states, its later states are the corrupted run's, so its keys and values are
too. Each cell is therefore a **branch**, a short suffix of the prompt that leaves the clean
run at one block and goes on over keys and values that were computed once:

    branch    leaves at                  carries            prefix keys            may not see
    Subj. l   output of l                clean tail         clean + corrupted      -
    Attn. l   input of l's window        clean last token   clean                  subject, in it
    Last. l   output of l                corrupted last     clean                  -
    reliance  input of block 0           clean tail         clean                  subject
    floor     input of block 0           clean last token   clean                  -

``mlxjsd.interventions.reference`` measures the same without any of this, and must agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np

from mlxjsd.errors import MeasurementError, UnsupportedModel
from mlxjsd.interventions.common import clean_numbers, only_where_it_applies, subject_norms
from mlxjsd.interventions.divergence import js_divergence
from mlxjsd.interventions.spec import Batch, Measurement, knockout_blocks
from mlxjsd.model.anatomy import Anatomy
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.masks import hide_keys, prefix_mask, suffix_mask
from mlxjsd.model.stepping import BlockCall, Recorder
from mlxjsd.rows import ATTN, LAST, SUBJ

RELIANCE, FLOOR = 3, 4
#: Logits held at one time, in elements: large vocabularies are read out in pieces.
READOUT_ELEMENTS = 16_000_000


def sweep_batch(blocks: Blocks, batch: Batch, window: int) -> Measurement:
    """Measure every cell for every prompt of ``batch`` in one pass over the blocks.

    Args:
        blocks: of a model whose blocks are attention blocks.
        batch: B prompts of T tokens, with their corruption.
        window: of the knockout, in blocks.

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
    walk = _Walk(batch, window, blocks.anatomy)
    tokens = batch.tokens
    if batch.source_tokens is not None:
        tokens = np.concatenate([tokens, batch.source_tokens])
    clean_logits = blocks.run(mx.array(tokens), walk.step)
    labels, states = walk.finished()
    norms = np.array(mx.stack(walk.norms, axis=1))
    per_call = max(1, READOUT_ELEMENTS // (batch.size * clean_logits.shape[-1]))
    divergences = []
    for at in range(0, states.shape[1], per_call):
        logits = blocks.readout(states[:, at : at + per_call])
        divergences.append(js_divergence(clean_logits, logits))
        mx.eval(divergences[-1])
    found = _collect(labels, mx.concatenate(divergences, axis=1), clean_logits, norms)
    return only_where_it_applies(found, blocks.anatomy, window)


@dataclass
class _Branches:
    """Open branches of one suffix length, in the order in which they were opened."""

    start: int
    """The first position of the suffix, [start, T)."""
    arrived: list[mx.array] = field(default_factory=list)
    """States of the branches, (B, some, T - start, hidden) each; one array after a block."""
    source: list[int] = field(default_factory=list)
    """Whose keys and values are in front: 0 the clean run's, 1 + j those of corrupted run j."""
    hidden: list[range] = field(default_factory=list)
    """The blocks in which the branch may not attend to the subject."""
    labels: list[tuple[int, int]] = field(default_factory=list)
    """(row, layer) of the cell that each branch belongs to."""

    def open(
        self,
        states: mx.array,
        label: tuple[int, int],
        source: Sequence[int] = (0,),
        hidden: range = range(0),
    ) -> None:
        """Add ``states`` (B, new, T - start, hidden), one branch for each of ``source``."""
        self.arrived.append(states)
        self.source += source
        self.hidden += [hidden] * len(source)
        self.labels += [label] * len(source)

    def states(self) -> mx.array:
        """Return the states of all branches, (B, branches, T - start, hidden)."""
        if len(self.arrived) > 1:
            self.arrived = [mx.concatenate(self.arrived, axis=1)]
        return self.arrived[0]


class _Walk:
    """The state of one pass: the clean rows, the corrupted rows and all open branches."""

    def __init__(self, batch: Batch, window: int, anatomy: Anatomy) -> None:
        self.batch, self.anatomy = batch, anatomy
        total, layers = batch.length, len(anatomy.blocks)
        self.windows = [knockout_blocks(layer, window, layers) for layer in range(layers)]
        # With a tail of one token both kinds have the same shape and share every call.
        self.last = _Branches(start=total - 1)
        one = batch.end == total - 1
        self.tail = self.last if one else _Branches(start=batch.end)
        self.groups = (self.last,) if one else (self.last, self.tail)
        self.shared = batch.shared
        self.subject = mx.array(batch.subject_mask())
        self.corrupted: mx.array
        self.norms: list[mx.array] = []

    def step(self, call: BlockCall) -> mx.array:
        """Run one block for every row of the pass; return the clean rows alone."""
        batch, layer, x = self.batch, call.index, call.x
        if layer == 0:
            x = self._depart(x)
        for cell, window in enumerate(self.windows):
            # An empty window edits nothing; its branch leaves at block 0 like the floor.
            if layer == (window[0] if window else 0):
                self.last.open(x[:, None, -1:], (ATTN, cell), hidden=window)

        x, kept = self._clean(x, call)
        self.norms.append(subject_norms(x, self.subject))
        front = [mx.repeat(a, batch.samples, axis=0) for a in kept]
        spoiled = Recorder(batch.first, front)
        mask = suffix_mask(call.mask, batch.first, batch.length)
        self.corrupted = call.forward(self.corrupted, mask, spoiled, batch.first)
        # Whose keys and values a branch may stand on: (B * (1 + S), heads, T, depth).
        sources = [
            mx.concatenate([a[:, None], self._by_sample(b)], axis=1).flatten(0, 1)
            for a, b in zip(kept, _state(spoiled, call, bool(kept)), strict=True)
        ]
        for branches in self.groups:
            self._advance(branches, sources, call)

        tail = mx.repeat(x[:, None, batch.end :], batch.samples, axis=1)
        self.tail.open(tail, (SUBJ, layer), source=range(1, 1 + batch.samples))
        spoiled_last = self._by_sample(self.corrupted)[:, :, -1:]
        self.last.open(spoiled_last, (LAST, layer), source=[0] * batch.samples)
        # The host builds the next block's graph while the device computes this one.
        mx.async_eval(x, self.corrupted, self.norms[-1], *(g.arrived[0] for g in self.groups))
        return x if layer < len(self.windows) - 1 else x[:, -1:]

    def _clean(self, x: mx.array, call: BlockCall) -> tuple[mx.array, tuple[mx.array, ...]]:
        """Run one block on the clean rows; return their states and their keys and values."""
        keeps = self.anatomy.blocks[call.index].keys is not None
        shared, batch = self.shared, self.batch
        if not shared:
            clean = Recorder()
            x = call.forward(x, call.mask, clean)
            return x, _state(clean, call, keeps)
        # What all prompts begin with goes through once.
        one = Recorder()
        begun = call.forward(x[:1, :shared], prefix_mask(call.mask, shared), one)
        rest = [(0, 0), (0, 0), (0, batch.length - shared), (0, 0)]
        under = [mx.repeat(mx.pad(a, rest), batch.size, axis=0) for a in _state(one, call, keeps)]
        clean = Recorder(shared, under)
        mask = suffix_mask(call.mask, shared, batch.length)
        x = call.forward(x[:, shared:], mask, clean, shared)
        x = mx.concatenate([mx.repeat(begun, batch.size, axis=0), x], axis=1)
        return x, _state(clean, call, keeps)

    def _by_sample(self, rows: mx.array) -> mx.array:
        """Split (B * S, ...) into (B, S, ...)."""
        return rows.reshape(self.batch.size, self.batch.samples, *rows.shape[1:])

    def _depart(self, x: mx.array) -> mx.array:
        """Split off the corrupted rows at block 0, and the branches that leave there."""
        batch = self.batch
        if batch.noise is None:
            clean, other = x[: batch.size], x[batch.size :]
            self.corrupted = other[:, batch.first :]
        else:
            clean = x
            noise = mx.array(batch.noise).astype(x.dtype)
            subject = clean[:, None, batch.first : batch.end] + noise
            tail = mx.repeat(clean[:, None, batch.end :], batch.samples, axis=1)
            rows = mx.concatenate([subject, tail], axis=2)
            self.corrupted = rows.reshape(-1, *rows.shape[2:])
        everywhere = range(len(self.windows))
        self.last.open(clean[:, None, -1:], (FLOOR, 0))
        self.tail.open(clean[:, None, batch.end :], (RELIANCE, 0), hidden=everywhere)
        return clean

    def _advance(self, branches: _Branches, sources: list[mx.array], call: BlockCall) -> None:
        """Run one block for all open branches of one suffix length, in one call."""
        start, total = branches.start, self.batch.length
        count = len(branches.source)
        mask = suffix_mask(call.mask, start, total)
        knocked = np.array([call.index in window for window in branches.hidden])
        about = self.anatomy.blocks[call.index]
        if knocked.any() and about.attends:
            hidden = mx.array(knocked)[None, :, None, None] & self.subject[:, None, None, :]
            seen = (self.batch.size, count, total - start, total)
            hidden = mx.broadcast_to(hidden, seen).reshape(-1, *seen[2:])
            mask = hide_keys(mask, hidden, about.rank)
        # Whole rows along the first axis: gathered along another, they are copied in crumbs.
        of_prompt = np.arange(self.batch.size)[:, None] * (1 + self.batch.samples)
        rows = mx.array((of_prompt + np.array(branches.source)).reshape(-1))
        cache = Recorder(start, [part[rows] for part in sources])
        states = branches.states()
        x = call.forward(states.flatten(0, 1), mask, cache, start)
        branches.arrived = [x.reshape(states.shape)]

    def finished(self) -> tuple[list[tuple[int, int]], mx.array]:
        """Return the cells' labels and their last-token states (B, branches, hidden)."""
        labels = [label for group in self.groups for label in group.labels]
        states = [group.states()[:, :, -1] for group in self.groups]
        return labels, mx.concatenate(states, axis=1)


def _state(cache: Recorder, call: BlockCall, keeps: bool) -> tuple[mx.array, ...]:
    """Return keys and values, or nothing for a block in which no token sees another."""
    if (cache.state is not None) != keeps:
        raise MeasurementError(
            f"block {call.index} does not keep what it was found to keep", hint="try `mlxjsd check`"
        )
    return cache.state or ()


def _collect(
    labels: list[tuple[int, int]], divergences: mx.array, clean: mx.array, norms: np.ndarray
) -> Measurement:
    """Average the samples of each cell."""
    values, layers = np.array(divergences), norms.shape[1]
    rows, cells = np.array(labels).T
    sums, counts = np.zeros((5, layers, len(values))), np.zeros((5, layers, 1))
    np.add.at(sums, (rows, cells), values.T)
    np.add.at(counts, (rows, cells), 1)
    means = np.moveaxis(sums / np.maximum(counts, 1), -1, 0).astype(np.float32)
    return Measurement(
        jsd=means[:, :3],
        reliance=means[:, RELIANCE, 0],
        floor=means[:, FLOOR, 0],
        norms=norms,
        **clean_numbers(clean),
    )
