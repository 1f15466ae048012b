"""What a run screen shows, apart from how it is drawn: plain Python and NumPy, no widgets."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mlxjsd.analysis.heatmap import Heatmap, aggregate, floor_warning
from mlxjsd.asked import Asked
from mlxjsd.metrics import JSD, Metric, described
from mlxjsd.records import Grid, Record, Skipped
from mlxjsd.results import Run
from mlxjsd.run.events import BatchDone
from mlxjsd.run.job import Job
from mlxjsd.settings import Settings
from mlxjsd.tui.colours import COLOUR_MAPS, DIVERGING, Scale, usual_map
from mlxjsd.tui.map_sheet import MapSheet
from mlxjsd.tui.run_data import ALL, Interval, Measured, View
from mlxjsd.tui.scales import AUTOMATIC, automatic, scales_of
from mlxjsd.tui.status import Status
from mlxjsd.tui.text import row_label

__all__ = ["LAYERS", "RunState", "Status"]

_Name = TypeVar("_Name", bound=str | None)
#: Shown until the model's are known.
LAYERS = 32


@dataclass
class RunState:
    """A run as it is shown."""

    folder: Path
    status: Status = Status.LOADING
    doing: str = "starting"
    """What is going on while ``status`` is loading."""
    total: int = 0
    settings: Settings = field(default_factory=Settings)
    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    failed: tuple[Skipped, ...] = ()
    floor_limit: float | None = None
    """nats; see :attr:`mlxjsd.results.Run.floor_limit`."""
    notes: tuple[str, ...] = ()
    sentence: str = ""
    """The one sentence that is shown, in no folder; "" for a run."""
    asked: Asked | None = None
    """What was measured of it."""
    failure: str = ""
    """Why the run has ended before its end, and what to do; "" if it has not."""
    place: dict[str, Any] = field(default_factory=dict)
    """Where a run that is about to begin was left earlier; see :mod:`mlxjsd.tui.places`."""
    measured: Measured = field(default_factory=lambda: Measured(Grid(LAYERS)))

    seconds: float = 0.0
    """Spent on the prompts of this session."""
    fresh: int = 0
    """Prompts measured in this session."""
    peak_memory: int = 0

    row: int = 0
    layer: int = 0
    group: str = ALL
    """Whose average is shown, and which prompts are listed: All, FA, AH, UH or wrong."""
    metric: str = JSD.key
    """Which numbers are shown."""
    selected: Record | None = None
    """The prompt whose own heatmap is shown; None for the average."""
    map: str | None = None
    """The map whose tokens, or roles, are shown in place of the rows; one of the grid's."""
    map_row: int = 0  # of the cursor there
    as_lines: bool = False
    bands: bool = False
    """Whether the lines stand in bands, the 95 % intervals of the means."""
    scale_name: str = AUTOMATIC
    """One of :func:`mlxjsd.tui.scales.scales_of`."""
    chosen_colours: str | None = None
    """The colour map of every metric that is not signed; None for the one of the background."""
    dark: bool = True
    """Whether the background is."""

    @classmethod
    def asking(cls, job: Job, sentence: str) -> "RunState":
        """Return the state of one sentence that is about to be measured; it has no folder."""
        return replace(cls.awaiting(job), folder=Path(), sentence=sentence)

    def answer(self, asked: Asked) -> None:
        """Show one sentence: there is no average to go back to."""
        self.asked = asked
        self.show(asked.run)
        self.selected = self.measured.records[0]

    @classmethod
    def awaiting(cls, job: Job) -> "RunState":
        """Return the state of a run that is about to begin."""
        grid = Grid.of(job.settings, LAYERS)
        return cls(job.folder, settings=job.settings, measured=Measured(grid))

    @classmethod
    def of(cls, folder: Path, run: Run) -> "RunState":
        """Return the state that shows a run read from disk."""
        state = cls(folder)
        state.show(run)
        return state

    @classmethod
    def before(cls, folder: Path, header: Mapping[str, Any]) -> "RunState":
        """Return the state of a run of which only the header is read; :meth:`show` follows."""
        state = cls(folder, Status.READING)
        state.settings = Settings.from_json(header["settings"])
        state.measured = Measured(Grid.of(state.settings, header["layers"]))
        state.model, state.data = header["model"], header["data"]
        state.total = header["total"]
        return state

    def show(self, run: Run, measured: Measured | None = None) -> None:
        """Show a run read from disk; see :meth:`open`."""
        self.open(run, measured=measured)
        self.status = Status.FINISHED if run.finished else Status.STOPPED

    def open(self, run: Run, notes: tuple[str, ...] = (), measured: Measured | None = None) -> None:
        """Show ``run``, with what was measured earlier.

        Args:
            run: as it is on disk.
            notes: said beside it.
            measured: its numbers, where another thread has put them together.
        """
        self.total, self.settings = run.total, run.settings
        self.model, self.data, self.notes = run.model, run.data, notes
        self.skipped, self.failed = tuple(run.skipped), tuple(run.failed)
        self.floor_limit = run.floor_limit
        self.measured = Measured.of(run) if measured is None else measured
        self._leave_empty_group()
        self.go_to(self.row, self.layer)
        if self.map not in run.grid.maps:
            self.map = None
        if self.metric not in run.grid.metrics:
            self.show_metric(run.grid.metrics[0])
        self.seconds, self.fresh = 0.0, 0

    def add(self, batch: BatchDone) -> None:
        self.measured.add(batch.records)
        self.failed += batch.failed
        self._leave_empty_group()
        self.fresh += len(batch.records)
        self.seconds += batch.seconds
        self.peak_memory = batch.peak_memory

    @property
    def grid(self) -> Grid:
        """The names of the numbers."""
        return self.measured.grid

    @property
    def rows(self) -> tuple[str, ...]:
        """Keys of the rows, from the top."""
        return self.grid.rows

    @property
    def labels(self) -> tuple[str, ...]:
        """What the rows are called."""
        return tuple(map(row_label, self.rows))

    @property
    def marked(self) -> range:
        """The rows that stand out: none does."""
        return range(0)

    @property
    def sheet(self) -> "RunState | MapSheet":
        """What is drawn, and what the cursor moves on: the rows, or a map."""
        return self if self.map is None else MapSheet(self, self.map)

    def next_map(self) -> None:
        """Show the next of the maps that were measured; after the last one, the rows."""
        role = self.sheet.role if isinstance(self.sheet, MapSheet) else "last-subject"
        self.map = _after(self.map, (None, *self.grid.maps))
        if isinstance(self.sheet, MapSheet):
            self.map_row = self.sheet.row_for(role)

    def select(self, record: Record | None) -> None:
        """Show one prompt, or the average; on a map, the cursor stays on its role."""
        role = self.sheet.role if isinstance(self.sheet, MapSheet) else ""
        self.selected = record
        if isinstance(self.sheet, MapSheet):
            self.map_row = self.sheet.row_for(role)

    @property
    def layers(self) -> int:
        """Columns."""
        return self.grid.layers

    @property
    def described(self) -> Metric:
        """The metric that is shown: its label, its unit, what it can be."""
        return described(self.metric)

    @property
    def done(self) -> int:
        """Prompts measured."""
        return len(self.measured.records)

    @property
    def tried(self) -> int:
        """Prompts that are behind us: measured, or failed."""
        return self.done + len(self.failed)

    @property
    def floor_warning(self) -> str:
        """What is said of a noise floor that is too high; "" of any other."""
        return floor_warning(self.measured.heatmap().floor, self.floor_limit)

    @property
    def rate(self) -> float:
        """Prompts per second, in this session; 0 before the first batch."""
        return self.fresh / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time to the end; None before the first batch."""
        return (self.total - self.tried) / self.rate if self.rate else None

    @property
    def view(self) -> View:
        """Which average is meant: the group and the metric."""
        return self.group, self.metric

    @property
    def heatmap(self) -> Heatmap:
        """The average over the prompts of the group."""
        return self.measured.heatmap(*self.view)

    @property
    def interval(self) -> Interval | None:
        """The newest interval of the group's means; it may be of fewer prompts, or not known."""
        return self.measured.intervals.get(self.view)

    def everywhere(self) -> np.ndarray:
        """Return the value under the cursor of every prompt, (N,)."""
        return self.measured.cell(self.row, self.layer, metric=self.metric)

    def cell(self) -> np.ndarray:
        """Return the same of each prompt of the group."""
        return self.measured.cell(self.row, self.layer, *self.view)

    def show_group(self, group: str) -> bool:
        """Show another group, if it holds a prompt; return whether it does."""
        if not self.measured.count(group) and group != ALL:
            return False
        self.group = group
        if self.selected is not None and group not in (
            ALL,
            self.measured.category_of(self.selected),
        ):
            self.select(None)
        return True

    def next_group(self) -> None:
        """Show the next group that holds a prompt."""
        self.show_group(_after(self.group, tuple(self.measured.groups())))

    def _leave_empty_group(self) -> None:
        # The first right answer gives the wrong ones their categories, and a threshold that
        # moves can empty one.
        if not self.measured.count(self.group):
            self.group = ALL

    def next_metric(self) -> None:
        self.show_metric(_after(self.metric, self.grid.metrics))

    def show_metric(self, key: str) -> None:
        """Show another of the metrics that were measured."""
        self.metric = key
        if self.scale_name not in scales_of(self.described):
            self.scale_name = AUTOMATIC

    @property
    def shown_heatmap(self) -> Heatmap:
        """The average, or the selected prompt alone."""
        if self.selected is None:
            return self.heatmap
        return aggregate([self.selected], self.grid, self.metric)

    def shown(self) -> np.ndarray:
        """Return what the grid shows, (rows, L) in the metric's unit."""
        return self.shown_heatmap.mean

    def scale(self) -> Scale:
        """Return the scale for what is shown."""
        if (chosen := scales_of(self.described)[self.scale_name]) is not None:
            return chosen
        values = self.shown()
        if self.shows_bands and self.interval is not None:
            values = np.concatenate([values[None], self.interval.ends])
        return automatic(values, self.described)

    @property
    def colour_map(self) -> str:
        """Which colours stand for the numbers; around 0 there is only one map."""
        if self.described.signed:
            return DIVERGING
        return self.chosen_colours or usual_map(self.dark)

    @property
    def draws_lines(self) -> bool:
        """Whether lines are to be seen; a map is always drawn as cells."""
        return self.as_lines and self.map is None

    @property
    def shows_bands(self) -> bool:
        """Whether intervals are to be seen: a single prompt has none, and the grid no place."""
        return self.bands and self.draws_lines and self.selected is None

    @property
    def value(self) -> float:
        """The number under the cursor; NaN where there is none."""
        return float(self.shown()[self.row, self.layer])

    def go_to(self, row: int, layer: int) -> bool:
        """Put the cursor on the cell nearest to this one; return whether it moved."""
        before = self.row, self.layer
        self.row = min(max(row, 0), len(self.rows) - 1)
        self.layer = min(max(layer, 0), self.layers - 1)
        return before != (self.row, self.layer)

    def next_scale(self) -> None:
        self.scale_name = _after(self.scale_name, tuple(scales_of(self.described)))

    def next_colour_map(self) -> None:
        self.chosen_colours = _after(self.colour_map, COLOUR_MAPS)

    def extremes(self, count: int) -> tuple[list[tuple[float, Record]], list[tuple[float, Record]]]:
        """Return the group's prompts with the highest and the lowest value under the cursor."""
        values, places = self.sheet.cell(), self.measured.members(self.group)
        order = np.argsort(values, kind="stable")
        order = order[: np.isfinite(values).sum()]  # NaN stands last

        def pick(chosen: np.ndarray) -> list[tuple[float, Record]]:
            return [(float(values[i]), self.measured.records[places[i]]) for i in chosen]

        return pick(order[::-1][:count]), pick(order[:count])


def _after(name: _Name, names: tuple[_Name, ...]) -> _Name:
    return names[(names.index(name) + 1) % len(names)]
