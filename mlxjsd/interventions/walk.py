"""One walk over a model's blocks: the clean rows, the corrupted rows, and all open branches.

At each block it runs the clean rows and keeps their keys and values, runs the corrupted rows
over the clean prefix and keeps theirs, runs all open branches, batched by their suffix, and
opens those that leave here.
"""

from collections.abc import Sequence
from itertools import groupby

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.branches import CLEAN, Branch
from mlxjsd.interventions.clean_run import clean_block, state_of
from mlxjsd.interventions.common import last_direction, subject_norms
from mlxjsd.interventions.exchange import PartExchange
from mlxjsd.interventions.spec import Batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.masks import hide_keys, suffix_mask
from mlxjsd.model.stepping import BlockCall, Recorder
from mlxjsd.row_names import row_of


class Group:
    """Open branches of one suffix, in the order in which they were opened."""

    def __init__(self, start: int) -> None:
        self.start = start
        """The first position of the suffix, [start, T)."""
        self.branches: list[Branch] = []
        self.arrived: list[mx.array] = []
        """States of the branches, (B, some, T - start, hidden) each; one array after a block."""

    def open(self, states: mx.array, branches: Sequence[Branch]) -> None:
        """Add ``states`` (B, branches, T - start, hidden)."""
        self.arrived.append(states)
        self.branches += branches

    def states(self) -> mx.array:
        """Return the states of all branches, (B, branches, T - start, hidden)."""
        if len(self.arrived) > 1:
            self.arrived = [mx.concatenate(self.arrived, axis=1)]
        return self.arrived[0]


class Walk:
    """The state of one pass: the clean rows, the corrupted rows and all open branches."""

    def __init__(
        self,
        batch: Batch,
        planned: Sequence[Branch],
        blocks: Blocks,
        kept: list[tuple[mx.array, ...]] | None = None,
    ) -> None:
        self.batch, self.planned, self.kept = batch, planned, kept
        self.anatomy = blocks.anatomy
        self.exchange = PartExchange(batch, blocks, planned)
        # With a tail of one token two suffixes are one, and share every call.
        starts = dict.fromkeys(batch.start_of(branch.carries) for branch in planned)
        self.group_of = {start: Group(start) for start in starts}
        self.shared = batch.shared
        """Tokens that all prompts begin with, run once."""
        hidden = dict.fromkeys(branch.hidden for branch in planned if branch.hidden)
        self.masks = {positions: mx.array(batch.mask(positions)) for positions in hidden}
        self.subject = mx.array(batch.mask("subject"))
        self.clean: mx.array
        self.corrupted: mx.array
        self.norms: list[mx.array] = []
        self.directions: list[mx.array] = []

    def step(self, call: BlockCall) -> mx.array:
        """Run one block for every row of the pass; return the clean rows alone."""
        batch, layer = self.batch, call.index
        keeps = self.anatomy.blocks[layer].keys is not None
        x = self._split(call.x) if layer == 0 else call.x
        self._open(layer, x)
        with self.exchange.recorded(layer):
            x, kept = clean_block(call, x, self.shared, keeps)
            front = [mx.repeat(a, batch.samples, axis=0) for a in kept]
            corrupted = Recorder(batch.first, front)
            mask = suffix_mask(call.mask, batch.first, batch.length)
            self.corrupted = call.forward(self.corrupted, mask, corrupted, batch.first)
        if self.kept is not None:
            self.kept.append(kept)
        self.norms.append(subject_norms(x, self.subject))
        self.directions.append(last_direction(x))
        # Whose keys and values a branch may stand on: (B * (1 + S), heads, T, depth).
        sources = [
            mx.concatenate([a[:, None], self._by_sample(b)], axis=1).flatten(0, 1)
            for a, b in zip(kept, state_of(corrupted, call, keeps), strict=True)
        ]
        open_groups = [group for group in self.group_of.values() if group.branches]
        for group in open_groups:
            self._advance(group, sources, call)
        # The host builds the next block's graph while the device computes this one.
        seen = self.norms[-1], self.directions[-1]
        mx.async_eval(x, self.corrupted, *seen, *(g.arrived[0] for g in open_groups))
        self.clean = x
        return x if layer < len(self.anatomy.blocks) - 1 else x[:, -1:]

    def _split(self, x: mx.array) -> mx.array:
        """Split what enters block 0 into the clean rows, which are returned, and the corrupted."""
        batch = self.batch
        if batch.noise is None:
            self.corrupted = x[batch.size :, batch.first :]
            return x[: batch.size]
        noise = mx.array(batch.noise).astype(x.dtype)
        subject = x[:, None, batch.first : batch.end] + noise
        tail = mx.repeat(x[:, None, batch.end :], batch.samples, axis=1)
        rows = mx.concatenate([subject, tail], axis=2)
        self.corrupted = rows.reshape(-1, *rows.shape[2:])
        return x

    def _open(self, layer: int, x: mx.array) -> None:
        """Open the branches that enter block ``layer``, which the clean rows ``x`` enter."""
        entering = (branch for branch in self.planned if branch.enters == layer)
        for (carries, run), some in groupby(entering, key=lambda b: (b.carries, b.run)):
            branches, group = list(some), self.group_of[self.batch.start_of(carries)]
            states = self._states(run, group.start, x)
            still = [b for b in branches if not b.moved and (b.put is None or b.part)]
            if still:
                group.open(mx.repeat(states, len(still), axis=1), still)
            for branch in branches:
                if branch.moved:
                    group.open(self._moved(branch, states[:, 0], x)[:, None], [branch])
                elif branch.put is not None and not branch.part:
                    first = self._states(branch.put, group.start, x)[:, :, :1]
                    group.open(mx.concatenate([first, states[:, :, 1:]], axis=2), [branch])

    def _states(self, run: int, start: int, x: mx.array) -> mx.array:
        """Return the states of a run's tokens from ``start`` on, (B, 1, T - start, hidden)."""
        if run == CLEAN:
            return x[:, None, start:]
        return self._by_sample(self.corrupted)[:, run - 1 : run, start - self.batch.first :]

    def _moved(self, branch: Branch, states: mx.array, x: mx.array) -> mx.array:
        """Return ``states`` (B, tokens, hidden), edited by what is drawn for a branch."""
        draws, row = self.batch.draws, row_of(branch.row)
        assert draws is not None
        if row.kind == "noise":
            change = mx.array(draws.noise(row, branch.layer, branch.sample))
        else:
            # As far as the corrupted run moves each of them.
            edited = slice(self.batch.first, self.batch.end)
            corrupted = self._by_sample(self.corrupted)[:, branch.sample]
            apart = corrupted[:, : self.batch.end - self.batch.first] - x[:, edited]
            change = mx.array(draws.direction(row, branch.layer, branch.sample))
            change *= mx.linalg.norm(apart.astype(mx.float32), axis=-1, keepdims=True)
        rest = states.shape[1] - change.shape[1]
        return states + mx.pad(change.astype(states.dtype), [(0, 0), (0, rest), (0, 0)])

    def _by_sample(self, rows: mx.array) -> mx.array:
        """Split (B * S, ...) into (B, S, ...)."""
        return rows.reshape(self.batch.size, self.batch.samples, *rows.shape[1:])

    def _advance(self, group: Group, sources: list[mx.array], call: BlockCall) -> None:
        """Run one block for all open branches of one suffix, in one call."""
        start, total = group.start, self.batch.length
        mask = suffix_mask(call.mask, start, total)
        about = self.anatomy.blocks[call.index]
        if about.attends and (hidden := self._hidden(group, call.index)) is not None:
            seen = (self.batch.size, len(group.branches), total - start, total)
            mask = hide_keys(mask, mx.broadcast_to(hidden, seen).reshape(-1, *seen[2:]), about.rank)
        # Whole rows along the first axis: gathered along another, they are copied in crumbs.
        of_prompt = np.arange(self.batch.size)[:, None] * (1 + self.batch.samples)
        prefixes = np.array([branch.prefix for branch in group.branches])
        rows = mx.array((of_prompt + prefixes).reshape(-1))
        cache = Recorder(start, [part[rows] for part in sources])
        states = group.states()
        with self.exchange.made(call.index, group.branches, start):
            x = call.forward(states.flatten(0, 1), mask, cache, start)
        group.arrived = [x.reshape(states.shape)]

    def _hidden(self, group: Group, layer: int) -> mx.array | None:
        """Return which keys each branch may not see in a block, (B, branches, 1, T) bool."""
        found = None
        for name, mask in self.masks.items():
            blind = [b.hidden == name and layer in b.inside for b in group.branches]
            if any(blind):
                here = mx.array(blind)[None, :, None, None] & mask[:, None, None, :]
                found = here if found is None else found | here
        return found

    @property
    def norms_and_directions(self) -> dict[str, np.ndarray]:
        """What was seen of the clean run on the way, (B, L) and (B, L, hidden)."""
        return {
            "norms": np.array(mx.stack(self.norms, axis=1)),
            "directions": np.array(mx.stack(self.directions, axis=1)),
        }

    @property
    def branches(self) -> list[Branch]:
        """Every branch, in the order of :meth:`finished`."""
        return [branch for group in self.group_of.values() for branch in group.branches]

    def finished(self) -> tuple[mx.array, mx.array]:
        """Return the last-token states of all branches, and of the corrupted runs.

        (B, branches, hidden) and (B, S, hidden).
        """
        self._open(len(self.anatomy.blocks), self.clean)
        states = [group.states()[:, :, -1] for group in self.group_of.values() if group.branches]
        return mx.concatenate(states, axis=1), self._by_sample(self.corrupted)[:, :, -1]
