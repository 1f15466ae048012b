"""The exchange of what parts of blocks give: recorded in both runs, and put into the branches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.branches import Branch
from mlxjsd.interventions.spec import Batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.submodules import Edit


class PartExchange:
    """What the parts of one block give in the clean and the corrupted runs of a batch."""

    def __init__(self, batch: Batch, blocks: Blocks, planned: Sequence[Branch]) -> None:
        """Keep what the branches need; where none has parts exchanged, nothing is done."""
        self._batch = batch
        self._kinds = sorted({branch.part for branch in planned if branch.part})
        # They are found by running the model: not while it is being run.
        self._parts = blocks.parts if self._kinds else None
        self._given: dict[str, mx.array] = {}
        """By kind, (B, 1 + S, T - first, hidden): of the clean run, and each corrupted one."""

    @contextmanager
    def recorded(self, index: int) -> Iterator[None]:
        """Record what the parts of block ``index`` give: its clean run, then the corrupted ones."""
        if self._parts is None:
            yield
            return
        kinds = [kind for kind in self._kinds if kind in self._parts.blocks[index]]
        seen: dict[str, list[mx.array]] = {kind: [] for kind in kinds}

        def record(kind: str) -> Edit:
            def keep(given: mx.array) -> mx.array:
                seen[kind].append(given)
                return given

            return keep

        with self._parts.edited(index, {kind: record(kind) for kind in kinds}):
            yield
        # Where all prompts begin alike, the clean run has one more call in front.
        self._given = {kind: self._by_run(*calls[-2:]) for kind, calls in seen.items()}

    def _by_run(self, clean: mx.array, corrupted: mx.array) -> mx.array:
        """Put what a part gave in all runs beside each other, from the first edited token on."""
        shape = self._batch.size, self._batch.samples, *corrupted.shape[1:]
        return mx.concatenate([clean[:, None, -shape[2] :], corrupted.reshape(shape)], axis=1)

    @contextmanager
    def made(self, index: int, branches: Sequence[Branch], start: int) -> Iterator[None]:
        """Put into the branches of one suffix what the parts of block ``index`` gave elsewhere.

        Args:
            index: of the block.
            branches: whose states are run within, (B * branches, T - start, hidden).
            start: the first position of their suffix.
        """
        edits = {}
        for kind, given in self._given.items():
            chosen = [branch.part == kind and index in branch.inside for branch in branches]
            if any(chosen):
                edits[kind] = self._edit(given, branches, chosen, start)
        if self._parts is None or not edits:
            yield
            return
        with self._parts.edited(index, edits):
            yield

    def _edit(
        self, runs: mx.array, branches: Sequence[Branch], chosen: list[bool], start: int
    ) -> Edit:
        batch, first = self._batch, start - self._batch.first
        which = mx.array([b.put if here else 0 for b, here in zip(branches, chosen, strict=True)])
        where = np.zeros((batch.size, len(branches), batch.length - start, 1), bool)
        for at, branch in enumerate(branches):
            if not chosen[at]:
                continue
            if branch.edited is None:
                where[:, at, 0] = True
            else:
                where[:, at, :, 0] = batch.mask(branch.edited)[:, start:]

        def replaced(given: mx.array) -> mx.array:
            own = given.reshape(*where.shape[:3], -1)
            return mx.where(mx.array(where), runs[:, which, first:], own).reshape(given.shape)

        return replaced
