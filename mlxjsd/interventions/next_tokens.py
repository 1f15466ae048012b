"""What comes next in the clean run, in the corrupted one, and with the subject hidden.

The sweep says how far such runs are from each other; this says what each of them predicts, for a
pass of the whole prompt each.
"""

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.divergence import probabilities
from mlxjsd.interventions.reference import corrupted_run
from mlxjsd.interventions.spec import Batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.masks import hide_keys
from mlxjsd.model.stepping import BlockCall

CLEAN, CORRUPTED, HIDDEN = "clean", "corrupted", "hidden"


def next_token_probabilities(blocks: Blocks, batch: Batch) -> dict[str, np.ndarray]:
    """Return the next-token distributions of a batch's runs, (B, V) float32 each.

    Args:
        blocks: of any model that calls each block once, in order.
        batch: B prompts of T tokens, with their corruption.

    Returns:
        ``clean``; ``corrupted``, the mean over the samples; and ``hidden``, the edit of the row
        ``reliance``, where no token after the subject attends to it in any block. The last one is
        left out where no block attends.
    """
    samples = [_next(_corrupted(blocks, batch, j)) for j in range(batch.samples)]
    found: dict[str, np.ndarray] = {
        CLEAN: _next(blocks.run(mx.array(batch.tokens), _plain)),
        CORRUPTED: np.asarray(np.mean(samples, axis=0), np.float32),
    }
    if any(block.attends for block in blocks.anatomy.blocks):
        found[HIDDEN] = _next(_hidden(blocks, batch))
    return found


def _next(logits: mx.array) -> np.ndarray:
    return np.array(probabilities(logits[:, -1]))


def _plain(call: BlockCall) -> mx.array:
    return call.forward(call.x, call.mask)


def _corrupted(blocks: Blocks, batch: Batch, sample: int) -> mx.array:
    tokens, corrupt = corrupted_run(batch, sample)

    def visit(call: BlockCall) -> mx.array:
        return call.forward(corrupt(call.x) if call.index == 0 else call.x, call.mask)

    return blocks.run(tokens, visit)


def _hidden(blocks: Blocks, batch: Batch) -> mx.array:
    queries, keys = mx.array(batch.mask("tail")), mx.array(batch.mask("subject"))
    hidden = queries[:, :, None] & keys[:, None, :]

    def visit(call: BlockCall) -> mx.array:
        block, mask = blocks.anatomy.blocks[call.index], call.mask
        if block.attends:
            mask = hide_keys(mask, hidden, block.rank)
        return call.forward(call.x, mask)

    return blocks.run(mx.array(batch.tokens), visit)
