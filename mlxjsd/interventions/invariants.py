"""What must hold of the numbers of a batch on this machine, and how near is near enough.

Two ways to the same distribution round differently. The root of the Jensen-Shannon divergence
is a metric (Endres & Schindelin 2003), so if q and q' are one intervened run rounded in two ways,

    | sqrt JSD(p, q) - sqrt JSD(p, q') |  <=  sqrt JSD(q, q'),

and JSD(q, q') is what the null branch measures of the clean run: its *floor*. Two measurements
agree where their roots differ by at most four times the floor's root, and four units in the
last place of the data type, which rounding the logits alone can cost; or by 1e-5 nats.
"""

from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from mlxjsd.interventions.reference import total_effect
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.cpu import on_gpu
from mlxjsd.row_names import restored
from mlxjsd.rows import LAST, SUBJ
from mlxjsd.text import tiny

#: nats that float32 may cost.
NEAR = 1e-5
_EPSILON = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
#: nats that a run may differ from itself by. Float32 on a GPU may be multiplied in fewer bits.
_NULL = {"float32": 1e-6, "float16": 1e-3, "bfloat16": 1e-2}
_NULL_FLOAT32_ON_GPU = 1e-4


@dataclass(frozen=True)
class Invariant:
    """One thing that must hold, and what was measured."""

    name: str
    measured: str
    allowed: str
    passed: bool


def null_limit(dtype: str) -> float:
    """Return the largest divergence (nats) that a null branch may have in ``dtype``."""
    if dtype == "float32" and on_gpu():
        return _NULL_FLOAT32_ON_GPU
    return _NULL.get(dtype, _NULL["bfloat16"])


def epsilon(dtype: str) -> float:
    """Return the unit in the last place of a number near 1."""
    return _EPSILON.get(dtype, _EPSILON["bfloat16"])


def allowed_of_roots(dtype: str, floor: float) -> float:
    """Return by how much the roots of two measurements of one divergence may differ.

    Args:
        dtype: of the residual stream.
        floor: nats, the larger one of the two measurements.
    """
    return float(4 * np.sqrt(max(floor, 0.0)) + 4 * epsilon(dtype))


def agreement(name: str, a: np.ndarray, b: np.ndarray, dtype: str, floor: float) -> Invariant:
    """Compare two measurements of the same divergences, NaN where neither applies."""
    same_cells = bool((np.isnan(a) == np.isnan(b)).all())
    a, b = (np.maximum(values[np.isfinite(values)], 0) for values in (a, b))
    if not same_cells or len(a) != len(b):
        return Invariant(name, "other cells", "the same cells", False)
    roots = np.abs(np.sqrt(a) - np.sqrt(b))
    allowed = allowed_of_roots(dtype, floor)
    passed = bool(((np.abs(a - b) <= NEAR) | (roots <= allowed)).all())
    gap = float(np.abs(a - b).max()) if a.size else 0.0
    limit = f"{NEAR:.0e}, or {allowed:.1e} of the roots"
    return Invariant(name, f"{tiny(gap)} nats", limit, passed)


def clean_logits(blocks: Blocks, batch: Batch) -> np.ndarray:
    """Return the last token's logits of a batch's first prompts, from the model as it is."""
    logits = blocks.model(mx.array(batch.tokens[:2]))[:, -1]
    return np.array(logits.astype(mx.float32))


def check_measurement(
    blocks: Blocks,
    batch: Batch,
    found: Measurement,
    before: np.ndarray,
    dtype: str,
    finite: np.ndarray | None = None,
) -> list[Invariant]:
    """Return what can be checked of a measured batch for a few more forward passes.

    Args:
        blocks: of the model.
        batch: what was measured.
        found: its numbers, by either path.
        before: :func:`clean_logits` from before the measuring.
        dtype: of the residual stream.
        finite: (B,) bool, the prompts whose numbers are all finite; the others say nothing.
    """
    limit = null_limit(dtype)
    prompts = np.ones(batch.size, bool) if finite is None else finite
    rows, jsd, floor = found.grid.rows, found.jsd[prompts], found.floor[prompts]

    def small(name: str, values: np.ndarray) -> Invariant:
        highest = float(values.max())
        return Invariant(name, f"{tiny(highest)} nats", f"{limit:.0e}", highest <= limit)

    after = clean_logits(blocks, batch)
    same = np.array_equal(before, after, equal_nan=True)
    changed = 0.0 if same else float(np.nanmax(np.abs(after - before)))
    checks = [
        small("the null branch changes nothing", floor),
        Invariant("logits are as before", tiny(changed), "bit for bit", same),
    ]
    last_measured = found.grid.layers - 1 in found.grid.measured_layers
    if LAST.key in rows and last_measured:
        total = total_effect(blocks, batch)[prompts]
        name = "Last. at the last layer is the total effect"
        measured = jsd[:, rows.index(LAST.key), -1]
        checks.append(agreement(name, measured, total, dtype, float(floor.max())))
    if SUBJ.key in rows and last_measured:
        name = "Subj. at the last layer is nothing"
        checks.append(small(name, jsd[:, rows.index(SUBJ.key), -1]))
    if restored(LAST.key) in rows and last_measured:
        name = "the last token restored at the last layer is the clean run"
        checks.append(small(name, jsd[:, rows.index(restored(LAST.key)), -1]))
    return checks
