"""A run as a tidy table: one row for each prompt, row of the heatmap and layer.

Arrow first, in batches of prompts; Parquet, CSV, pandas and polars are made from these. What is
said of a prompt is repeated in each of its rows, so texts are held once, in dictionaries that all
batches share: a row costs some numbers, whatever the prompt says.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

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
        self._run, self._columns = run, _columns(run)
        grid = run.grid
        layers = np.array(grid.measured_layers, np.int32)
        self._layers = layers
        #: Of one prompt: every row over its layers, then those with one number, without a layer.
        by_layer = np.repeat(np.arange(len(grid.rows)), len(layers))
        whole = len(grid.rows) + np.arange(len(grid.whole))
        self._rows, self._by_layer = np.concatenate([by_layer, whole]), len(by_layer)
        taken = {column.name for column in self._columns} | {*_OWN}
        self._metrics = []
        for metric in grid.metrics:  # one that only its run file knows may have any name
            while metric in taken:
                metric += "_"
            taken.add(metric)
            self._metrics.append(metric)
        self._texts = {c.name: self._dictionary(c) for c in self._columns if c.kind == "text"}
        self.schema = self._schema()

    def _dictionary(self, column: _Column) -> tuple[dict[str, int], Any]:
        """Return where each text stands, and the texts."""
        places = {said: at for at, said in enumerate(column.order)}
        for record in self._run.records:
            if (said := column.of(record)) is not None:
                places.setdefault(said, len(places))
        return places, self._arrow.array(list(places), self._arrow.string())

    def _schema(self) -> "pyarrow.Schema":
        pa = self._arrow
        kinds = {c.name: _text(pa, len(self._texts[c.name][0])) if c.kind == "text"
                 else pa.type_for_alias(c.kind) for c in self._columns}  # fmt: skip
        names = len(self._run.grid.rows) + len(self._run.grid.whole)
        kinds |= {"row": _text(pa, names), "layer": pa.int32(), "subject_norm": pa.float32()}
        kinds |= {metric: pa.float32() for metric in self._metrics}
        run = self._run
        about = {"settings": run.settings.to_json(), "labelling": run.labelling.to_json()}
        about |= {"model": run.model, "data": run.data, "versions": run.versions}
        said = json.dumps(about, ensure_ascii=False).encode()
        return pa.schema(list(kinds.items()), metadata={b"mlxjsd": said})

    def batches(self) -> Iterator["pyarrow.RecordBatch"]:
        """Yield the rows, those of some prompts at a time."""
        records = self._run.records
        at_once = max(BATCH // max(len(self._rows), 1), 1)
        for at in range(0, len(records), at_once):
            yield self._batch(records[at : at + at_once])

    def _batch(self, records: Sequence[Record]) -> "pyarrow.RecordBatch":
        pa, count = self._arrow, len(records)
        columns: list[Any] = [self._said(column, records) for column in self._columns]
        names = pa.array([*self._run.grid.rows, *self._run.grid.whole], pa.string())
        rows_of = np.tile(self._rows, count).astype(_index(len(names)))
        columns.append(pa.DictionaryArray.from_arrays(rows_of, names))
        rows, whole = len(self._run.grid.rows), len(self._run.grid.whole)
        layers = np.concatenate([np.tile(self._layers, rows), np.zeros(whole, np.int32)])
        without = np.arange(len(layers)) >= self._by_layer
        columns.append(pa.array(np.tile(layers, count), mask=np.tile(without, count)))
        norms = np.full((count, len(layers)), np.nan, np.float32)
        norms[:, : self._by_layer] = np.tile(np.stack([r.norms for r in records])[:, self._layers],
                                             (1, rows))  # fmt: skip
        columns.append(_numbers(pa, norms))
        for at in range(len(self._metrics)):
            cells = np.stack([r.cells[at] for r in records])[:, :, self._layers]
            numbers = np.stack([r.whole[at] for r in records])
            columns.append(_numbers(pa, np.hstack([cells.reshape(count, -1), numbers])))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _said(self, column: _Column, records: Iterable[Record]) -> Any:
        """Return what a column says of some prompts, once for each of their rows."""
        pa, each = self._arrow, len(self._rows)
        said = [column.of(record) for record in records]
        if column.kind != "text":
            kind = pa.type_for_alias(column.kind)
            return _numbers(pa, np.repeat([np.nan if s is None else s for s in said], each), kind)
        places, texts = self._texts[column.name]
        at = np.array([-1 if s is None else places[s] for s in said], _index(len(places)))
        at = at.repeat(each)
        return pa.DictionaryArray.from_arrays(pa.array(at, mask=at < 0), texts)


def _index(texts: int) -> type[np.signedinteger[Any]]:
    """Return the smallest type that tells so many texts apart: most columns repeat a few."""
    return next(t for t in (np.int8, np.int16, np.int32) if texts <= np.iinfo(t).max)


def _text(pa: Any, texts: int) -> Any:
    return pa.dictionary(pa.from_numpy_dtype(_index(texts)), pa.string())


def _numbers(pa: Any, values: np.ndarray, kind: Any = None) -> Any:
    """Return numbers as a column, in which NaN is no number: an edit that does not apply."""
    return pa.array(values.reshape(-1), kind or pa.float32(), from_pandas=True)


def to_arrow(run: Run) -> "pyarrow.Table":
    """Return the tidy table; see :meth:`mlxjsd.results.Run.to_arrow`."""
    tidy = Tidy(run)
    return library("pyarrow").Table.from_batches(tidy.batches(), tidy.schema)


def to_pandas(run: Run) -> "pandas.DataFrame":
    """Return the tidy table; see :meth:`mlxjsd.results.Run.to_pandas`."""
    kinds = {library("pyarrow").int32(): library("pandas").Int32Dtype()}  # a layer may be missing
    # Columns are given up one after another, so that they are not held twice.
    return to_arrow(run).to_pandas(types_mapper=kinds.get, split_blocks=True, self_destruct=True)


def to_polars(run: Run) -> "polars.DataFrame":
    """Return the tidy table; see :meth:`mlxjsd.results.Run.to_polars`."""
    frame: polars.DataFrame = library("polars").from_arrow(to_arrow(run))
    return frame


def to_parquet(run: Run) -> bytes:
    """Return the tidy table as Parquet, a row group for each batch."""
    tidy, out = Tidy(run), BytesIO()
    with library("pyarrow.parquet").ParquetWriter(out, tidy.schema, compression="zstd") as writer:
        for batch in tidy.batches():
            writer.write_batch(batch)
    return out.getvalue()


def to_tidy_csv(run: Run) -> Iterator[bytes]:
    """Yield the tidy table as CSV; no text in it is a formula."""
    tidy, pa, csv = Tidy(run), library("pyarrow"), library("pyarrow.csv")
    for at, batch in enumerate(tidy.batches()):
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
        yield (",".join(f'"{name}"' for name in tidy.schema.names) + "\n").encode()


def _safe(pa: Any, column: Any) -> Any:
    texts = pa.array([text_cell(text) for text in column.dictionary.to_pylist()], pa.string())
    return pa.DictionaryArray.from_arrays(column.indices, texts).cast(pa.string())
