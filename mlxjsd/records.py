"""What is measured of one prompt, free of MLX."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlxjsd.above import Shown
from mlxjsd.maps import named as maps_named
from mlxjsd.metrics import JSD
from mlxjsd.row_names import named, row_of
from mlxjsd.rows import ALWAYS, FLOOR, RELIANCE, TOTAL, Row
from mlxjsd.settings import Settings


@dataclass(frozen=True)
class Grid:
    """Which numbers there are of a prompt, by name: its axes."""

    layers: int
    metrics: tuple[str, ...] = Settings.metrics
    """The numbers of each cell."""
    rows: tuple[str, ...] = Settings.rows
    """Rows with a cell for each layer, from the top."""
    whole: tuple[str, ...] = (*ALWAYS, TOTAL.key)
    """Rows with one number, which reach through the whole model."""
    only: tuple[int, ...] | None = None
    """The layers that have cells; None for all."""
    maps: tuple[str, ...] = ()
    """Maps with a number for each token and each layer."""

    @classmethod
    def of(cls, settings: Settings, layers: int) -> "Grid":
        """Return what a run with these settings measures on a model of so many layers."""
        names = [
            name
            for key in settings.rows
            for name in named(key, settings.direction, settings.windows)
        ]
        by_layer = tuple(name for name in names if row_of(name).by_layer)
        always = (*ALWAYS, TOTAL.key) if settings.baselines else ALWAYS
        whole = tuple(dict.fromkeys([*always, *(n for n in names if n not in by_layer)]))
        maps = tuple(n for key in settings.maps for n in maps_named(key, settings.direction))
        return cls(layers, settings.metrics, by_layer, whole, settings.layers, maps)

    @property
    def measured_layers(self) -> tuple[int, ...]:
        """The layers that have cells."""
        return tuple(range(self.layers)) if self.only is None else self.only

    @cached_property
    def measured(self) -> tuple[Row, ...]:
        """Every row, in the order in which they are measured."""
        return tuple(row_of(name) for name in (*self.whole, *self.rows))

    def layers_of(self, row: Row) -> tuple[int, ...]:
        """Return the layers of which a row has a number; layer 0 stands for the whole model."""
        return self.measured_layers if row.by_layer else (0,)

    def cells(self, prompts: int) -> np.ndarray:
        """Return room for the cells of N prompts, (N, metrics, rows, layers) NaN."""
        shape = (prompts, len(self.metrics), len(self.rows), self.layers)
        return np.full(shape, np.nan, np.float32)

    def numbers(self, prompts: int) -> np.ndarray:
        """Return room for the rows with one number of N prompts, (N, metrics, whole) NaN."""
        return np.full((prompts, len(self.metrics), len(self.whole)), np.nan, np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return the axes as JSON values."""
        return {
            "layers": self.layers,
            "metrics": list(self.metrics),
            "rows": list(self.rows),
            "whole": list(self.whole),
            **({} if self.only is None else {"only": list(self.only)}),
            **({"maps": list(self.maps)} if self.maps else {}),
        }


@dataclass(frozen=True)
class Record(Shown):
    """One measured prompt."""

    id: str
    position: int
    """Its place in the data file."""
    text: str
    subject: str
    relation: str | None
    answers: tuple[str, ...]
    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    """The text of each token."""
    subject_span: tuple[int, int]
    """Tokens [start, end) of the subject."""
    source: dict[str, Any]
    """What the subject's states were replaced from."""
    prediction: str
    """Text of the clean run's most probable next token."""
    probability: float
    entropy: float
    """Of the clean next-token distribution, in nats."""
    grid: Grid
    """The names of the numbers below."""
    cells: np.ndarray
    """(metrics, rows, layers) float32; NaN where an edit does not apply, such as a knockout where
    no block of the window attends, and for layers that are not measured."""
    whole: np.ndarray
    """(metrics, whole) float32: rows that reach through the whole model; NaN as above."""
    norms: np.ndarray
    """(layers,) float32: mean L2 norm of the subject's clean states as they leave each block."""
    answer: str | None = None
    """What the model writes after the prompt, greedily, cut at the first sentence; None if it
    was not asked to."""
    flags: tuple[str, ...] = ()
    """What is odd about the subject's place; see :mod:`mlxjsd.prompts.flags`."""
    popularity: float | None = None
    """See :attr:`mlxjsd.prompts.prompt.Prompt.popularity`."""
    maps: np.ndarray | None = None
    """(maps, metrics, tokens, layers) float32; NaN for layers that are not measured. None where
    no map was asked for."""

    def map(self, name: str, metric: str = JSD.key) -> np.ndarray:
        """Return one map of one metric, (tokens, layers).

        Raises:
            ValueError: if it was not measured.
        """
        if self.maps is None:
            raise ValueError("no map was measured")
        return self.maps[self.grid.maps.index(name), self.grid.metrics.index(metric)]

    def of(self, metric: str) -> np.ndarray:
        """Return the cells of one metric, (rows, layers).

        Raises:
            ValueError: if it was not measured.
        """
        return self.cells[self.grid.metrics.index(metric)]

    def number(self, row: str, metric: str = JSD.key) -> float:
        """Return the number of a row that reaches through the whole model; NaN without one."""
        if row not in self.grid.whole:
            return float("nan")
        return float(self.whole[self.grid.metrics.index(metric), self.grid.whole.index(row)])

    @property
    def jsd(self) -> np.ndarray:
        """The divergences, (rows, layers) in nats."""
        return self.of(JSD.key)

    @property
    def reliance(self) -> float:
        """JSD in nats when nothing after the subject may attend to it; NaN where none attends."""
        return self.number(RELIANCE.key)

    @property
    def floor(self) -> float:
        """JSD in nats when nothing is edited."""
        return self.number(FLOOR.key)


@dataclass(frozen=True)
class Skipped:
    """A prompt that was not measured, or could not be."""

    id: str
    position: int
    reason: str
