"""Made-up runs with maps, whose numbers can be told from their places."""

from dataclasses import replace

import numpy as np
from records import record, run_of

from mlxjsd.records import Grid, Record
from mlxjsd.results import Run

LAYERS = 8
GRID = Grid(LAYERS, maps=("residual", "residual:denoising"))


def with_maps(position: int, tokens: int = 5, span: tuple[int, int] = (2, 4)) -> Record:
    """A prompt in whose maps token t has (position + 1) * t / 100 at layer 0, and 0.01 more at
    each layer after it; the second one is twice the first."""
    layers = np.arange(LAYERS) / 100
    cells = (position + 1) * np.arange(tokens)[:, None] / 100 + layers
    maps = np.stack([cells, 2 * cells])[:, None].astype(np.float32)
    names = ("<s>", *(f" t{at}" for at in range(1, tokens)))
    return record(position, LAYERS, GRID, maps=maps, tokens=names, subject_span=span)


def run_with(*records: Record) -> Run:
    return replace(run_of(grid=GRID), records=list(records), total=len(records))
