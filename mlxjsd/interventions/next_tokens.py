"""What comes next in the clean run, in the corrupted one, and with the subject hidden.

The sweep says how far such runs are from each other; this says what each of them predicts, for a
pass of the whole prompt each.
"""

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.divergence import probabilities
from mlxjsd.interventions.reference import knock_out, recorded_runs
from mlxjsd.interventions.spec import Batch
from mlxjsd.model.blocks import Blocks

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
    clean, *corrupted = recorded_runs(blocks, batch)
    samples = [_next(run.logits) for run in corrupted]
    found: dict[str, np.ndarray] = {
        CLEAN: _next(clean.logits),
        CORRUPTED: np.asarray(np.mean(samples, axis=0), np.float32),
    }
    everywhere = range(len(blocks))
    if blocks.anatomy.applies(everywhere):
        tail, subject = (mx.array(batch.mask(positions)) for positions in ("tail", "subject"))
        edit = knock_out(everywhere, tail, subject, blocks.anatomy)
        found[HIDDEN] = _next(blocks.run(mx.array(batch.tokens), edit))
    return found


def _next(logits: mx.array) -> np.ndarray:
    return np.array(probabilities(logits[:, -1]))
