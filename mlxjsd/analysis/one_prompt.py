"""Reading what was measured of one prompt: no average, no interval, and no category."""

from collections.abc import Sequence

import numpy as np

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.phases import reading
from mlxjsd.records import Record
from mlxjsd.rows import TOTAL
from mlxjsd.text import clean

#: A total effect (nats) below which the corrupted run says nearly the same as the clean one.
LITTLE = 0.02


def prediction_sentence(record: Record, predicted: Sequence[float]) -> str:
    """Say what becomes of the clean run's likeliest token.

    Args:
        record: the prompt.
        predicted: its probability in the clean run, in the corrupted one and, where a block
            attends, with the subject hidden.
    """
    clean_run, corrupted, *hidden = (f"{share:.1%}" for share in predicted)
    name = clean(record.prediction).strip() or repr(record.prediction)
    said = f"'{name}' has {clean_run}, {corrupted} with the subject corrupted"
    return f"{said}{''.join(f', and {share} with it hidden' for share in hidden)}."


def reading_of_one(record: Record, heatmap: Heatmap) -> list[str]:
    """Say what one prompt shows over the layers, a sentence for each row.

    Args:
        record: the prompt.
        heatmap: of its divergences.
    """
    total = record.number(TOTAL.key)
    if np.isfinite(total) and total < LITTLE:
        return [
            f"Corrupting the subject changes the prediction by {total:.3f} nats only, so there is "
            "little to follow through the layers."
        ]
    return reading(heatmap)
