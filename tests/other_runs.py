"""Runs of other rows and of several metrics, and the app that shows them."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from records import record, run_of
from waiting import settled

from mlxjsd.metrics import Metric
from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.rows import Row
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.run import RunScreen

CHANGE = Metric("change", "Change", "logits", low=-math.inf)
MLP = Row(
    "mlp", "MLP out.", "patch", "subject", "layer", "MLP replaced after block {layer}", "the MLP is"
)
SIZES = [(80, 24), (140, 40), (250, 60)]


def grid_of(*rows: str, metrics: tuple[str, ...] = ("jsd", "change"), layers: int = 32) -> Grid:
    return Grid(layers, metrics, rows)


def run_with(grid: Grid, count: int = 6) -> Run:
    """A run whose second metric is twice the first, less 0.9."""
    records = [record(i, grid.layers, grid) for i in range(count)]
    for made in records:
        made.cells[1:] -= np.float32(0.9)
    return replace(run_of(), grid=grid, records=records, total=count)


def state_of(grid: Grid, tmp_path: Path) -> RunState:
    return RunState.of(tmp_path / "run", run_with(grid))


async def shown(app: MlxjsdApp, pilot: Any, state: RunState) -> RunScreen:
    """The screen of a run that no folder holds."""
    await pilot.pause()
    screen = RunScreen(app.engine, state, None, start=False)
    await app.push_screen(screen)
    await settled(pilot)
    return screen
