"""A made-up run of rows with controls and of both directions, whose findings are known."""

from dataclasses import replace

import numpy as np
from records import record, run_of

from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.rows import ALWAYS

LAYERS = 8
ROWS = ("subj", "attn", "last", "attn-control", "subj-random", "subj:denoising")
GRID = Grid(LAYERS, ("jsd", "logit_diff"), ROWS, (*ALWAYS, "total"))
#: Where the planted effect of ``attn`` is.
PLANTED = slice(3, 6)
#: Prompts that have no span for the control; the one without a pair; the one without an effect.
UNCONTROLLED, UNPAIRED, UNCHANGED = (2, 5), 7, 9


def controlled(count: int = 40, grid: Grid = GRID) -> Run:
    """A run in which ``attn`` is 0.1 nats above its control in layers 3-5, and nowhere else.

    Of ``logit_diff``, every prompt has 4 logits in the clean run and -2 in the corrupted one.
    ``subj`` takes 3 of these 6 away in each layer, and ``subj:denoising`` restores 1.5.
    """
    rng = np.random.default_rng(0)
    records = []
    for position in range(count):
        cells = 0.2 + rng.normal(0, 0.05, (2, len(ROWS), LAYERS))
        cells[0, ROWS.index("attn"), PLANTED] += 0.1
        noise = rng.normal(0, 0.1, (len(ROWS), LAYERS))
        cells[1] = 4 + noise
        cells[1, ROWS.index("subj")] -= 3
        cells[1, ROWS.index("subj:denoising")] += -6 + 1.5
        # floor, reliance, total
        whole = np.array([[0.0, 0.3, 0.4], [4.0, 1.0, -2.0]])
        if position in UNCONTROLLED:
            cells[:, ROWS.index("attn-control")] = np.nan
        if position == UNPAIRED:
            cells[1], whole[1] = np.nan, np.nan
        if position == UNCHANGED:
            whole[:, 2] = whole[:, 0] + [0.01, 0.1]
        chosen = [ROWS.index(row) for row in grid.rows]
        named = [GRID.whole.index(row) for row in grid.whole]
        metrics = [GRID.metrics.index(metric) for metric in grid.metrics]
        made = record(
            position,
            LAYERS,
            grid,
            cells=cells[metrics][:, chosen].astype(np.float32),
            whole=whole[metrics][:, named].astype(np.float32),
        )
        records.append(made)
    return replace(run_of(0), grid=grid, records=records, total=count)
