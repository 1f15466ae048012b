"""Non-finite values: which prompts have them, and in which block they first appear.

Overflow in half precision, a broken weight or a faulty kernel show as NaN or infinity. The
measured numbers tell whether there is any, so that looking costs nothing; only then are the
runs of that prompt repeated, one at a time, to find the block.
"""

from collections.abc import Iterator

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.common import applicable
from mlxjsd.interventions.reference import Edit, corrupted_run, edits_of
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.metrics import METRICS
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.stepping import BlockCall, Visitor
from mlxjsd.settings import Settings


def finite_prompts(
    found: Measurement, blocks: Blocks, settings: Settings, batch: Batch
) -> np.ndarray:
    """Return (B,) bool: whether every number of a prompt is finite, where the edit applies.

    Args:
        found: what was measured of B prompts.
        blocks: of the model; where nothing attends, NaN stands for "not applicable".
        settings: of the run.
        batch: what was measured.
    """
    by_cell, by_row = applicable(found.grid, blocks, settings, batch)
    # A number of a token that a prompt has not is none, and says nothing.
    everybody = settings.target == "prediction"
    measured = [
        (metric := METRICS[key]).always and (everybody or not metric.targeted)
        for key in found.grid.metrics
    ]
    sound = (np.isfinite(found.cells[:, measured]) | ~by_cell[:, None]).all(axis=(1, 2, 3))
    sound &= (np.isfinite(found.whole[:, measured]) | ~by_row[:, None]).all(axis=(1, 2))
    for values in (found.probability, found.entropy):
        sound &= np.isfinite(values)
    return sound & np.isfinite(found.norms).all(axis=1)


def where_it_breaks(blocks: Blocks, batch: Batch, settings: Settings) -> str:
    """Say in which run, and which block of it, NaN or infinity first appears.

    Args:
        blocks: of the model.
        batch: one prompt, with its corruption.
        settings: of the run.
    """
    for name, tokens, visit in _runs(blocks, batch, settings):
        if place := _broken_block(blocks, tokens, visit):
            return f"NaN or infinity appears in {place} of {name}"
    return "NaN or infinity appeared once, and not again when the prompt was run alone"


def _runs(
    blocks: Blocks, batch: Batch, settings: Settings
) -> Iterator[tuple[str, mx.array, Visitor]]:
    """Yield the runs that a prompt's numbers come from, the plainest first."""
    yield "the clean run", mx.array(batch.tokens), lambda call: call.forward(call.x, call.mask)
    for sample in range(batch.samples):
        tokens, corrupt = corrupted_run(batch, sample)

        def corrupted(call: BlockCall, corrupt: Edit = corrupt) -> mx.array:
            return call.forward(corrupt(call.x) if call.index == 0 else call.x, call.mask)

        yield "the corrupted run", tokens, corrupted
    for name, tokens, edit in edits_of(blocks, batch, settings):
        yield f"the run of {name}", tokens, edit


def _broken_block(blocks: Blocks, tokens: mx.array, visit: Visitor) -> str | None:
    """Return the first block of a run after which not all states are finite, or None."""
    seen: list[mx.array] = []

    def look(call: BlockCall) -> mx.array:
        if call.index == 0:
            seen.append(_all_finite(call.x))
        out = visit(call)
        seen.append(_all_finite(out))
        return out

    logits = blocks.run(tokens, look)[:, -1]
    # Minus infinity bars a token; nothing else may be.
    seen.append(mx.all(mx.isfinite(logits) | (logits == -mx.inf)))
    mx.eval(seen)
    for at, good in enumerate(seen):
        if not good.item():
            if at == 0:
                return "the embeddings"
            return f"block {at - 1}" if at <= len(blocks) else "the logits"
    return None


def _all_finite(x: mx.array) -> mx.array:
    return mx.all(mx.isfinite(x))
