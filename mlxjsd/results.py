"""What a run has measured, free of MLX: what is drawn, printed or exported reads this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from mlxjsd.above import Shown, above
from mlxjsd.analysis.answers import CATEGORY_NAMES, Labels, Verdict, judge, label
from mlxjsd.analysis.effects import Effect, cells_of
from mlxjsd.analysis.groups import UNLABELLED, group
from mlxjsd.analysis.heatmap import Heatmap, aggregate, floor_warning
from mlxjsd.analysis.judgements import Judgements
from mlxjsd.analysis.roles import RoleMap, average_roles
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, described
from mlxjsd.records import Grid, Record, Skipped
from mlxjsd.settings import Labelling, Settings

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow


@dataclass(frozen=True, repr=False)
class Run(Shown):
    """A run, finished or not, as it was measured or read from disk.

    Arrays are in the order of ``records``, which is that of the data file::

        run = mlxjsd.read_run("llama3")
        run.values()                    # (N, rows, layers) JSD in nats
        run.heatmap().mean              # (rows, layers), the average of these
        run.heatmap().row("attn")       # (layers,)
        run.heatmap(by="category")      # one for each kind of answer, by name
        run.heatmap(effect=mlxjsd.Effect("normalised"))  # as shares of the total effect
        run.labels().categories         # FA, AH or UH, for each prompt
        run.roles("residual").mean      # (roles, layers), of a run with maps
        run.to_pandas()                 # a tidy table of all cells
        mlxjsd.plot_run(run)            # a matplotlib figure
    """

    settings: Settings
    model: dict[str, Any]
    data: dict[str, Any]
    versions: dict[str, str]
    grid: Grid
    """The names of its numbers."""
    total: int
    """Prompts that the run is about, measured or not; skipped ones not counted."""
    records: Sequence[Record]
    """In the order of the data file."""
    skipped: Sequence[Skipped] = field(default=())
    """Prompts that cannot be measured, found out before anything was."""
    failed: Sequence[Skipped] = field(default=())
    """Prompts that were tried, and whose numbers could not be trusted or did not fit in memory;
    they are among ``total``."""
    labelling: Labelling = field(default_factory=Labelling)
    """How answers are generated and judged."""
    cosines: Mapping[str, Any] = field(default_factory=dict)
    """``groups`` (mean pairwise cosine of last-token states by layer, for each category) and the
    ``labelling`` for which they hold; empty until the run is finished."""
    floor_limit: float | None = None
    """nats that the noise floor may have in this dtype; None in runs of older versions."""
    judgements: Judgements = field(default_factory=Judgements)
    """Verdicts on answers that go before the rules, and who gave them."""

    def __repr__(self) -> str:
        done = f"{len(self.records)} of {self.total} prompts"
        axes = f"rows {', '.join(self.grid.rows)}; metrics {', '.join(self.grid.metrics)}"
        return f"<Run of {self.model.get('name')!r}: {done}, {self.layers} layers; {axes}>"

    @property
    def layers(self) -> int:
        """Layers of the model."""
        return self.grid.layers

    @property
    def finished(self) -> bool:
        """Whether every prompt has been tried."""
        return len(self.records) + len(self.failed) >= self.total

    def prompt(self, which: str | int | None = None) -> Record:
        """Return one record: by its id, or by its number from 1 in the order of ``records``.

        Args:
            which: an id goes before a number that is written the same; None for the first.

        Raises:
            InputError: if there is no such prompt.
        """
        if not self.records:
            raise InputError("the run holds no prompt yet", hint="go on with `mlxjsd resume`")
        if which is None:
            return self.records[0]
        for record in self.records:
            if record.id == which:
                return record
        number = int(which) if str(which).isdecimal() else 0
        if not 1 <= number <= len(self.records):
            raise InputError(
                f"the run has no prompt {which!r}, neither as an id nor as a number",
                hint=f"give an id, or a number from 1 to {len(self.records)}, with --prompt",
            )
        return self.records[number - 1]

    def values(self, metric: str = JSD.key) -> np.ndarray:
        """Return the cells of every prompt, (N, rows, layers) float32, in the order of ``records``.

        Raises:
            InputError: if the run did not measure this metric.
        """
        at = self._index(metric)
        if not self.records:
            return self.grid.cells(0)[:, at]
        return np.stack([record.cells[at] for record in self.records])

    def numbers(self, row: str, metric: str = JSD.key) -> np.ndarray:
        """Return a row that reaches through the whole model, (N,) float32, such as ``reliance``.

        NaN where the edit does not apply, and of a row that was not measured.

        Raises:
            InputError: if the run did not measure this metric.
        """
        self._index(metric)
        return np.array([record.number(row, metric) for record in self.records], np.float32)

    def _index(self, metric: str) -> int:
        if metric not in self.grid.metrics:
            raise InputError(
                f"the run has no numbers of the metric {metric!r}; it has "
                f"{', '.join(self.grid.metrics)}",
                hint="give one of these with --metric",
            )
        return self.grid.metrics.index(metric)

    def jsd(self) -> np.ndarray:
        """Return the divergences, (N, rows, layers) float32 in nats."""
        return self.values(JSD.key)

    def labels(self) -> Labels:
        """Return the category of every record: FA, AH or UH; see :mod:`mlxjsd.analysis.answers`."""
        return self._labels

    @cached_property
    def _labels(self) -> Labels:
        asked = self.labelling
        return label(
            self.records, asked.match, asked.reliance_threshold, asked.aliases, self.judgements
        )

    def verdict(self, record: Record) -> Verdict:
        """Say whether a record's answer is right, why, and who says so."""
        return judge(record, self.labelling.match, self.labelling.aliases, self.judgements)

    @property
    def judged(self) -> str:
        """Who has judged the answers, as one sentence; nothing if the rules judged all."""
        return self.judgements.said(record.id for record in self.records)

    @property
    def criteria(self) -> dict[str, Any]:
        """What decides a prompt's category, as JSON values."""
        judged = {"judgements": self.judgements.digest} if self.judgements else {}
        return self.labelling.criteria | judged

    def groups(self, by: str) -> dict[str, list[Record]]:
        """Return the records by category, relation or correctness.

        Raises:
            InputError: for another ``by``.
        """
        return group(self.records, self.labels(), by)

    def categories(self) -> dict[str, list[Record]]:
        """Return the records of each category.

        Raises:
            InputError: if no prompt has one.
        """
        found = self.groups("category")
        found.pop(UNLABELLED, None)
        if not found:
            raise InputError(
                "no prompt of the run has a known answer, so there are no categories",
                hint="measure prompts with answers, and with --label",
            )
        return found

    @overload
    def heatmap(
        self, by: None = None, metric: str = JSD.key, effect: Effect | None = None
    ) -> Heatmap: ...

    @overload
    def heatmap(
        self, by: str, metric: str = JSD.key, effect: Effect | None = None
    ) -> dict[str, Heatmap]: ...

    def heatmap(
        self, by: str | None = None, metric: str = JSD.key, effect: Effect | None = None
    ) -> Heatmap | dict[str, Heatmap]:
        """Return the averages over all prompts or, with ``by``, those of each group by its name.

        Args:
            by: ``category``, ``relation`` or ``correct``; None for one heatmap.
            metric: key of one that was measured, see :attr:`Grid.metrics`.
            effect: what the edits change, such as ``Effect("normalised")``, in place of the numbers
                as they were measured; see :mod:`mlxjsd.analysis.effects`.

        Raises:
            InputError: for another ``by`` or ``metric``; with ``by``, for a run without a prompt;
                for an effect that the run does not hold, or that no prompt has.
        """
        self._index(metric)  # or say that there is none
        groups = {"": self.records} if by is None else self.named_groups(by)
        found = {
            name: aggregate(records, self.grid, metric, effect) for name, records in groups.items()
        }
        self._check_left(found, metric, effect)
        return found if by is not None else found[""]

    def _check_left(self, found: Mapping[str, Heatmap], metric: str, effect: Effect | None) -> None:
        """Raise an error if every prompt is left out for its small total effect."""
        if effect is not None and self.records and not any(h.count for h in found.values()):
            least = f"{effect.least(metric):g} {described(metric).unit}".rstrip()
            raise InputError(
                f"no prompt has a total effect of at least {least}",
                hint="give a smaller --least-total",
            )

    @overload
    def roles(
        self, name: str, by: None = None, metric: str = JSD.key, effect: Effect | None = None
    ) -> RoleMap: ...

    @overload
    def roles(
        self, name: str, by: str, metric: str = JSD.key, effect: Effect | None = None
    ) -> dict[str, RoleMap]: ...

    def roles(
        self,
        name: str,
        by: str | None = None,
        metric: str = JSD.key,
        effect: Effect | None = None,
    ) -> RoleMap | dict[str, RoleMap]:
        """Return averages of a map by the role of its tokens, of all prompts or of each group.

        Args:
            name: of a map that was measured, such as ``residual:denoising``; see ``grid.maps``.
            by: as in :meth:`heatmap`.
            metric: key of one that was measured.
            effect: as in :meth:`heatmap`.

        Raises:
            InputError: if the run did not measure this map or metric, does not hold this effect,
                or for another ``by``.
        """
        self._index(metric)
        groups = {"": self.records} if by is None else self.named_groups(by)
        found = {
            group: average_roles(records, self.grid, name, metric, effect)
            for group, records in groups.items()
        }
        self._check_left(found, metric, effect)
        return found if by is not None else found[""]

    def named_groups(self, by: str) -> dict[str, Sequence[Record]]:
        """Return the records of each group by what it is called where there is room.

        Raises:
            InputError: for another ``by``, and for a run without a prompt.
        """
        groups = self.groups(by)
        if not groups:
            raise InputError(
                "the run holds no prompt yet, so there is nothing to group",
                hint="go on with `mlxjsd resume`",
            )
        return {CATEGORY_NAMES.get(name, name): records for name, records in groups.items()}

    def cells(
        self,
        metric: str = JSD.key,
        effect: Effect | None = None,
        records: Sequence[Record] | None = None,
    ) -> np.ndarray:
        """Return the cells of every prompt as an effect, (N, rows, layers); see :meth:`heatmap`.

        Prompts that are left out for their small total effect are NaN.

        Args:
            metric: key of one that was measured.
            effect: None for the numbers as they were measured.
            records: some of the run's; None for all.
        """
        self._index(metric)
        return cells_of(self.records if records is None else records, self.grid, metric, effect)[0]

    def to_arrow(self, maps: bool = False) -> "pyarrow.Table":
        """Return a tidy table: a row for each prompt, row of the heatmap and measured layer.

        A column for each metric, in its unit (``jsd`` in nats), null where the edit does not
        apply; ``row`` and ``layer`` say of which cell. Rows that reach through the whole model,
        such as ``reliance``, have no layer. ``subject_norm`` is the mean norm of the subject's
        states at the layer. What is known of the prompt is repeated in each of its rows: texts,
        labels, who judged, flags, the clean prediction. The metadata hold the settings and the
        model as JSON.

        With ``maps``, that of :mod:`mlxjsd.output.map_table`: a row for each map, token and layer.

        Raises:
            InputError: if pyarrow is not installed, or there are no maps.
        """
        return above("output.tables").to_arrow(self, maps)

    def to_pandas(self, maps: bool = False) -> "pandas.DataFrame":
        """Return the table of :meth:`to_arrow` as a data frame, its texts as categories.

        Raises:
            InputError: if pandas or pyarrow is not installed, or there are no maps.
        """
        return above("output.tables").to_pandas(self, maps)

    def to_polars(self, maps: bool = False) -> "polars.DataFrame":
        """Return the table of :meth:`to_arrow` as a data frame of polars.

        Raises:
            InputError: if polars or pyarrow is not installed, or there are no maps.
        """
        return above("output.tables").to_polars(self, maps)

    @property
    def floor(self) -> float:
        """The largest noise floor, in nats; 0 before there is one."""
        return max((record.floor for record in self.records), default=0.0)

    @property
    def floor_warning(self) -> str:
        """What is to be said of the noise floor if it is over its limit; otherwise nothing."""
        return floor_warning(self.floor, self.floor_limit)


__all__ = ["Grid", "Record", "Run", "Skipped"]
