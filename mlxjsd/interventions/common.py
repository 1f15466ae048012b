"""What both paths report of the clean run."""

from dataclasses import replace

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.divergence import entropy, log_softmax
from mlxjsd.interventions.spec import Measurement, knockout_blocks
from mlxjsd.model.anatomy import Anatomy
from mlxjsd.rows import ATTN


def only_where_it_applies(found: Measurement, anatomy: Anatomy, window: int) -> Measurement:
    """Put NaN, "not applicable", where no block that could be knocked out attends."""
    layers = len(anatomy.blocks)
    jsd, reliance = found.jsd, found.reliance
    for layer in range(layers):
        if not anatomy.applies(knockout_blocks(layer, window, layers)):
            jsd[:, ATTN, layer] = np.nan
    if not anatomy.applies(range(layers)):
        reliance = np.full_like(reliance, np.nan)
    return replace(found, jsd=jsd, reliance=reliance)


def subject_norms(states: mx.array, subject: mx.array) -> mx.array:
    """Return the mean L2 norm of ``states`` (B, T, hidden) where ``subject`` (B, T): (B,)."""
    norms = mx.linalg.norm(states.astype(mx.float32), axis=-1)
    return mx.sum(mx.where(subject, norms, 0.0), axis=-1) / mx.sum(subject, axis=-1)


def clean_numbers(logits: mx.array) -> dict[str, np.ndarray]:
    """Return prediction, probability and entropy (each (B,)) of clean ``logits`` (B, 1, V)."""
    logits = logits[:, -1]
    prediction = mx.argmax(logits, axis=-1)
    log_p = mx.take_along_axis(log_softmax(logits), prediction[:, None], axis=-1)[:, 0]
    return {
        "prediction": np.array(prediction.astype(mx.int32)),
        "probability": np.array(mx.exp(log_p)),
        "entropy": np.array(entropy(logits)),
    }
