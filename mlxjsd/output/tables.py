"""A run as a tidy table: one row for each prompt, row of the heatmap and layer.

Arrow first, in batches of prompts; Parquet, CSV, pandas and polars are made from these. What is
said of a prompt is repeated in each of its rows, so texts are held once, in dictionaries that all
batches share: a row costs some numbers, whatever the prompt says.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.output.export import text_cell
from mlxjsd.results import Record, Run
from mlxjsd.rows import RELIANCE

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

#: Rows of a batch, about: some 20 MB as CSV.
BATCH = 100_000
_VERDICTS = {True: "right", False: "wrong", None: "unknown"}
#: Between the entries of one cell, such as several accepted answers.
_BETWEEN = "|"


def library(name: str) -> Any:
    """Import an optional library.

    Raises:
        InputError: if it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise InputError(
            f"this table needs {package}, which is not installed",
            hint="pip install 'mlxjsd[tables]'",
        ) from None


@dataclass(frozen=True)
class _Column:
    """What is said of a prompt, in one column."""

    name: str
    kind: str
    """``text``, or the name of an Arrow type."""
    of: Callable[[Record], Any]
    """None for nothing."""
    order: tuple[str, ...] = ()
    """Of texts that are not in the order in which they come."""


def _columns(run: Run) -> list[_Column]:
    labels = dict(zip((r.id for r in run.records), run.labels().categories, strict=True))
    verdicts = {record.id: run.verdict(record) for record in run.records}
    return [
        _Column("id", "text", lambda r: r.id),
        _Column("position", "int32", lambda r: r.position),
        _Column("text", "text", lambda r: r.text),
        _Column("subject", "text", lambda r: r.subject),
        _Column("relation", "text", lambda r: r.relation),
        _Column("answers", "text", lambda r: _BETWEEN.join(r.answers) or None),
        _Column("answer", "text", lambda r: r.answer),
        _Column("category", "text", lambda r: labels[r.id], tuple(run.labels().present())),
        _Column("verdict", "text", lambda r: _VERDICTS[verdicts[r.id].right]),
        _Column("why", "text", lambda r: verdicts[r.id].why),
        _Column("judge", "text", lambda r: verdicts[r.id].judge),
        _Column("flags", "text", lambda r: _BETWEEN.join(r.flags) or None),
        _Column("popularity", "float64", lambda r: r.popularity),
        _Column("prediction", "text", lambda r: r.prediction),
        _Column("probability", "float64", lambda r: r.probability),
        _Column("entropy", "float64", lambda r: r.entropy),
        _Column("tokens", "int32", lambda r: len(r.token_ids)),
        _Column("subject_start", "int32", lambda r: r.subject_span[0]),
        _Column("subject_end", "int32", lambda r: r.subject_span[1]),
        _Column("source", "text", lambda r: json.dumps(r.source, ensure_ascii=False)),
        _Column("reliance", "float32", lambda r: r.number(RELIANCE.key, JSD.key)),
    ]


class Said:
    """What is said of each prompt, once for each of its rows."""

    def __init__(self, run: Run, only: Collection[str] = ()) -> None:
        """Prepare the texts that all batches share.

        Args:
            run: whose prompts they are.
            only: the names of some columns; none for all.

        Raises:
            InputError: if pyarrow is not installed.
        """
        self._arrow = library("pyarrow")
        self._columns = [c for c in _columns(run) if not only or c.name in only]
        self._texts = {c.name: _dictionary(self._arrow, c, run.records)
                       for c in self._columns if c.kind == "text"}  # fmt: skip

    def kinds(self) -> dict[str, Any]:
        """Return the columns' types by their names."""
        pa = self._arrow
        return {c.name: text_type(pa, len(self._texts[c.name][0])) if c.kind == "text"
                else pa.type_for_alias(c.kind) for c in self._columns}  # fmt: skip

    def columns(self, records: Sequence[Record], each: int | Sequence[int]) -> list[Any]:
        """Return what is said of some prompts, ``each`` times, which may differ by prompt."""
        return [self._said(column, records, each) for column in self._columns]

    def _said(self, column: _Column, records: Iterable[Record], each: int | Sequence[int]) -> Any:
        pa = self._arrow
        said = [column.of(record) for record in records]
        if column.kind != "text":
            kind = pa.type_for_alias(column.kind)
            return numbers(pa, np.repeat([np.nan if s is None else s for s in said], each), kind)
        places, texts = self._texts[column.name]
        at = np.array([-1 if s is None else places[s] for s in said], index_type(len(places)))
        at = at.repeat(each)
        return pa.DictionaryArray.from_arrays(pa.array(at, mask=at < 0), texts)


def _dictionary(pa: Any, column: _Column, records: Iterable[Record]) -> tuple[dict[str, int], Any]:
    """Return where each text stands, and the texts."""
    places = {said: at for at, said in enumerate(column.order)}
    for record in records:
        if (said := column.of(record)) is not None:
            places.setdefault(said, len(places))
    return places, pa.array(list(places), pa.string())


class Table(Protocol):
    """A table of Arrow, made some prompts at a time."""

    schema: "pyarrow.Schema"

    def batches(self) -> Iterator["pyarrow.RecordBatch"]:
        """Yield its rows."""
        ...


#: What each row of the table has of its own, beside the metrics.
_OWN = ("row", "layer", "subject_norm")


class Tidy:
    """The table of a run, made as it is asked for."""

    def __init__(self, run: Run) -> None:
        """Look at ``run``, and prepare what all batches share.

        Raises:
            InputError: if pyarrow is not installed.
        """
        self._arrow = library("pyarrow")
        self._run, self._prompts = run, Said(run)
        grid = run.grid
        layers = np.array(grid.measured_layers, np.int32)
        self._layers = layers
        #: Of one prompt: every row over its layers, then those with one number, without a layer.
        by_layer = np.repeat(np.arange(len(grid.rows)), len(layers))
        whole = len(grid.rows) + np.arange(len(grid.whole))
        self._rows, self._by_layer = np.concatenate([by_layer, whole]), len(by_layer)
        self._metrics = free_names(grid.metrics, {*self._prompts.kinds(), *_OWN})
        self.schema = self._schema()

    def _schema(self) -> "pyarrow.Schema":
        pa = self._arrow
        names = len(self._run.grid.rows) + len(self._run.grid.whole)
        kinds = self._prompts.kinds()
        kinds |= {"row": text_type(pa, names), "layer": pa.int32(), "subject_norm": pa.float32()}
        kinds |= {metric: pa.float32() for metric in self._metrics}
        return pa.schema(list(kinds.items()), metadata=about(self._run))

    def batches(self) -> Iterator["pyarrow.RecordBatch"]:
        """Yield the rows, those of some prompts at a time."""
        records = self._run.records
        at_once = max(BATCH // max(len(self._rows), 1), 1)
        for at in range(0, len(records), at_once):
            yield self._batch(records[at : at + at_once])

    def _batch(self, records: Sequence[Record]) -> "pyarrow.RecordBatch":
        pa, count = self._arrow, len(records)
        columns = self._prompts.columns(records, len(self._rows))
        names = pa.array([*self._run.grid.rows, *self._run.grid.whole], pa.string())
        rows_of = np.tile(self._rows, count).astype(index_type(len(names)))
        columns.append(pa.DictionaryArray.from_arrays(rows_of, names))
        rows, whole = len(self._run.grid.rows), len(self._run.grid.whole)
        layers = np.concatenate([np.tile(self._layers, rows), np.zeros(whole, np.int32)])
        without = np.arange(len(layers)) >= self._by_layer
        columns.append(pa.array(np.tile(layers, count), mask=np.tile(without, count)))
        norms = np.full((count, len(layers)), np.nan, np.float32)
        norms[:, : self._by_layer] = np.tile(np.stack([r.norms for r in records])[:, self._layers],
                                             (1, rows))  # fmt: skip
        columns.append(numbers(pa, norms))
        for at in range(len(self._metrics)):
            cells = np.stack([r.cells[at] for r in records])[:, :, self._layers]
            single = np.stack([r.whole[at] for r in records])
            columns.append(numbers(pa, np.hstack([cells.reshape(count, -1), single])))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def free_names(metrics: Iterable[str], taken: set[str]) -> list[str]:
    """Return names for the columns of metrics: one that only its run file knows may have any."""
    found: list[str] = []
    for metric in metrics:
        while metric in taken or metric in found:
            metric += "_"
        found.append(metric)
    return found


def about(run: Run) -> dict[bytes, bytes]:
    """Return a table's metadata: the settings, the model, and what else a run is of."""
    found = {"settings": run.settings.to_json(), "labelling": run.labelling.to_json()}
    found |= {"model": run.model, "data": run.data, "versions": run.versions}
    return {b"mlxjsd": json.dumps(found, ensure_ascii=False).encode()}


def index_type(texts: int) -> type[np.signedinteger[Any]]:
    """Return the smallest type that tells so many texts apart: most columns repeat a few."""
    return next(t for t in (np.int8, np.int16, np.int32) if texts <= np.iinfo(t).max)


def text_type(pa: Any, texts: int) -> Any:
    """Return the type of a column of so many texts."""
    return pa.dictionary(pa.from_numpy_dtype(index_type(texts)), pa.string())


def numbers(pa: Any, values: np.ndarray, kind: Any = None) -> Any:
    """Return numbers as a column, in which NaN is no number: an edit that does not apply."""
    return pa.array(values.reshape(-1), kind or pa.float32(), from_pandas=True)


def to_arrow(run: Run, maps: bool = False) -> "pyarrow.Table":
    """Return a tidy table; see :meth:`mlxjsd.results.Run.to_arrow`."""
    table = _table(run, maps)
    return library("pyarrow").Table.from_batches(table.batches(), table.schema)


def _table(run: Run, maps: bool) -> Table:
    if not maps:
        return Tidy(run)
    from mlxjsd.output.map_table import MapTable

    return MapTable(run)


def to_pandas(run: Run, maps: bool = False) -> "pandas.DataFrame":
    """Return a tidy table; see :meth:`mlxjsd.results.Run.to_pandas`."""
    kinds = {library("pyarrow").int32(): library("pandas").Int32Dtype()}  # a layer may be missing
    # Columns are given up one after another, so that they are not held twice.
    found = to_arrow(run, maps)
    return found.to_pandas(types_mapper=kinds.get, split_blocks=True, self_destruct=True)


def to_polars(run: Run, maps: bool = False) -> "polars.DataFrame":
    """Return a tidy table; see :meth:`mlxjsd.results.Run.to_polars`."""
    frame: polars.DataFrame = library("polars").from_arrow(to_arrow(run, maps))
    return frame


def to_parquet(run: Run, maps: bool = False) -> bytes:
    """Return a tidy table as Parquet, a row group for each batch."""
    table, out = _table(run, maps), BytesIO()
    with library("pyarrow.parquet").ParquetWriter(out, table.schema, compression="zstd") as writer:
        for batch in table.batches():
            writer.write_batch(batch)
    return out.getvalue()


def to_tidy_csv(run: Run, maps: bool = False) -> Iterator[bytes]:
    """Yield a tidy table as CSV; no text in it is a formula."""
    table, pa, csv = _table(run, maps), library("pyarrow"), library("pyarrow.csv")
    for at, batch in enumerate(table.batches()):
        columns = [
            _safe(pa, column) if pa.types.is_dictionary(column.type) else column
            for column in batch.columns
        ]
        out = BytesIO()
        csv.write_csv(
            pa.RecordBatch.from_arrays(columns, batch.schema.names),
            out,
            csv.WriteOptions(include_header=not at),
        )
        yield out.getvalue()
    if not run.records:
        yield (",".join(f'"{name}"' for name in table.schema.names) + "\n").encode()


def _safe(pa: Any, column: Any) -> Any:
    texts = pa.array([text_cell(text) for text in column.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(column.indices, texts).cast(pa.string())
