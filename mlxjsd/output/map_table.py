"""The maps of a run as a tidy table: one row for each prompt, map, token and layer.

A table of its own, not further rows of the table of cells: a map has a token where a cell has a
row, and some times as many numbers, which whoever reads the cells should not have to filter out.
What is grouped by stands in each row (relation, category, verdict, role, direction); all else that
is known of a prompt is one join away, by ``id``. ``token`` is a place, ``role`` is null in front of
the subject, and each metric has a column, in its unit, null for what is no number.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.output import tables
from mlxjsd.results import Record, Run
from mlxjsd.roles import ROLES, role_of
from mlxjsd.row_names import base_of, is_denoising

if TYPE_CHECKING:
    import pyarrow

#: What is said of a prompt in each of its rows.
_SAID = ("id", "relation", "category", "verdict")
#: What a row has of its own, beside the metrics.
_OWN = ("map", "direction", "token", "token_text", "role", "layer")
_DIRECTIONS = ("noising", "denoising")


class MapTable:
    """The table of a run's maps, made as it is asked for."""

    def __init__(self, run: Run) -> None:
        """Look at ``run``, and prepare what all batches share.

        Raises:
            InputError: if it has no maps, or pyarrow is not installed.
        """
        refuse_none(run)
        self._arrow = tables.library("pyarrow")
        self._run, self._prompts, grid = run, tables.Said(run, _SAID), run.grid
        self._layers = np.array(grid.measured_layers, np.int32)
        self._maps = [base_of(name) for name in grid.maps]
        self._directions = [_DIRECTIONS[is_denoising(name)] for name in grid.maps]
        texts = dict.fromkeys(text for record in run.records for text in record.tokens)
        self._texts = {text: at for at, text in enumerate(texts)}
        self._metrics = tables.free_names(grid.metrics, {*_SAID, *_OWN})
        self.schema = self._schema()

    def _schema(self) -> "pyarrow.Schema":
        pa = self._arrow
        kinds = self._prompts.kinds()
        kinds |= {"map": tables.text_type(pa, len(set(self._maps)))}
        kinds |= {"direction": tables.text_type(pa, len(_DIRECTIONS)), "token": pa.int32()}
        kinds |= {"token_text": tables.text_type(pa, len(self._texts))}
        kinds |= {"role": tables.text_type(pa, len(ROLES)), "layer": pa.int32()}
        kinds |= {metric: pa.float32() for metric in self._metrics}
        return pa.schema(list(kinds.items()), metadata=tables.about(self._run))

    def batches(self) -> Iterator["pyarrow.RecordBatch"]:
        """Yield the rows, those of some prompts at a time."""
        records = [record for record in self._run.records if record.maps is not None]
        ends = accumulate(self._rows_of(record) for record in records)
        parts = np.array([end // tables.BATCH for end in ends])
        for part in np.unique(parts):
            yield self._batch([records[at] for at in np.flatnonzero(parts == part)])

    def _rows_of(self, record: Record) -> int:
        return len(self._maps) * len(record.tokens) * len(self._layers)

    def _batch(self, records: Sequence[Record]) -> "pyarrow.RecordBatch":
        pa, maps, layers = self._arrow, len(self._maps), len(self._layers)
        columns = self._prompts.columns(records, [self._rows_of(record) for record in records])
        # Each prompt has all tokens of its first map over all layers, then those of the next one.
        lengths = [len(record.tokens) for record in records]
        order = np.concatenate([np.repeat(np.arange(maps), count * layers) for count in lengths])
        names = list(dict.fromkeys(self._maps))
        columns.append(self._named([names.index(name) for name in self._maps], names, order))
        way = [_DIRECTIONS.index(direction) for direction in self._directions]
        columns.append(self._named(way, _DIRECTIONS, order))
        tokens = np.concatenate([np.tile(np.arange(count), maps) for count in lengths])
        columns.append(pa.array(tokens.repeat(layers).astype(np.int32)))
        texts = [self._texts[text] for record in records for text in record.tokens * maps]
        columns.append(self._named(texts, self._texts, np.arange(len(texts)).repeat(layers)))
        roles = [role for record in records for role in _roles(record) * maps]
        columns.append(self._named(roles, ROLES, np.arange(len(roles)).repeat(layers)))
        columns.append(pa.array(np.tile(self._layers, len(tokens))))
        for at in range(len(self._metrics)):
            kept = [r.maps[:, at][..., self._layers] for r in records if r.maps is not None]
            columns.append(tables.numbers(pa, np.concatenate([each.ravel() for each in kept])))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _named(self, places: Sequence[int], names: Any, at: np.ndarray) -> Any:
        """Return a column of texts: the places of their names, each as often as ``at`` says."""
        pa, texts = self._arrow, list(names)
        found = np.array(places, tables.index_type(len(texts)))[at]
        return pa.DictionaryArray.from_arrays(pa.array(found, mask=found < 0), pa.array(texts))


def refuse_none(run: Run) -> None:
    """Raise ``InputError`` if a run has no maps."""
    if not run.grid.maps:
        raise InputError("the run has no maps", hint="measure them with `run --map residual`")


def _roles(record: Record) -> list[int]:
    """Return the place of each token's role among all; -1 in front of the subject."""
    start, end = record.subject_span
    keys, count = list(ROLES), len(record.tokens)
    found = [role_of(token, start, end, count) for token in range(count)]
    return [keys.index(role) if role else -1 for role in found]
