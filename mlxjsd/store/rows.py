"""Rows of a run file: made of records, read back, and brought from older versions to this one."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mlxjsd.records import Record
from mlxjsd.store import schema
from mlxjsd.store.checked import record_from
from mlxjsd.store.checksums import checksum
from mlxjsd.store.damage import Damage
from mlxjsd.store.header import Header

_COLUMNS = tuple(schema.TABLES["results"])
_FLOAT = np.dtype("<f4")
#: Each column of ``results`` that older versions lack, made of those that they have.
FROM_OLDER: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "flags": lambda old: json.dumps([]),
    "popularity": lambda old: None,
    # The one metric of three rows: the same numbers in the same order.
    "cells": lambda old: _blob(np.frombuffer(old["jsd"], _FLOAT)),
    "whole": lambda old: _blob([old["floor"], _number(old["reliance"])]),
    "maps": lambda old: b"",
}


def row_of(record: Record) -> tuple[Any, ...]:
    """Return a record as a row of ``results``, without its checksum."""
    start, end = record.subject_span
    values = {
        "id": record.id,
        "position": record.position,
        "text": record.text,
        "subject": record.subject,
        "relation": record.relation,
        "answers": json.dumps(record.answers),
        "token_ids": json.dumps(record.token_ids),
        "tokens": json.dumps(record.tokens),
        "span_start": start,
        "span_end": end,
        "source": json.dumps(record.source),
        "prediction": record.prediction,
        "probability": _real(record.probability),
        "entropy": _real(record.entropy),
        "cells": _blob(record.cells),
        "whole": _blob(record.whole + np.float32(0)),  # no negative zero
        "norms": _blob(record.norms),
        "answer": record.answer,
        "flags": json.dumps(record.flags),
        "popularity": _real(record.popularity),
        "maps": b"" if record.maps is None else _blob(record.maps),
    }
    return tuple(values[name] for name in _COLUMNS)


def record_of(row: Sequence[Any], header: Header) -> Record:
    """Return the record that :func:`row_of` made into ``row``.

    Raises:
        Damage: if it is none of a run with this header.
    """
    values = dict(zip(_COLUMNS, row, strict=True))
    return record_from(values, header.grid, header.tolerance)


def upgraded(row: Sequence[Any], version: int) -> tuple[Any, ...]:
    """Return a row of ``results`` of any version as one of this version."""
    old = dict(zip(schema.LAYOUTS[version].tables["results"], row, strict=True))
    return tuple(old[name] if name in old else FROM_OLDER[name](old) for name in _COLUMNS)


def rows_of(
    connection: sqlite3.Connection, table: str, version: int, name: str = ""
) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """Yield the rows of a table, by their key, and whether each is what was written.

    Nobody can say it of a file whose rows carry no checksums: they are taken as they are.

    Args:
        connection: to a run file.
        table: one that this version has; an older file without it has no rows of it.
        version: of the file.
        name: of the table in the file, where it has been renamed.
    """
    layout = schema.LAYOUTS[version]
    columns = layout.tables.get(table)
    if columns is None:
        return
    stored = (*columns, "checksum") if layout.checked else columns
    asked = f"SELECT {', '.join(stored)} FROM {name or table}"  # noqa: S608 - names of our own
    for row in connection.execute(asked):
        if layout.checked:
            *values, kept = row
            yield tuple(values), kept == checksum(table, values, version)
        else:
            yield row, True


def checked_rows(
    connection: sqlite3.Connection, table: str, version: int, name: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table; arguments are those of :func:`rows_of`.

    Raises:
        Damage: at the first one that is not what was written.
    """
    for row, sound in rows_of(connection, table, version, name):
        if not sound:
            raise Damage(f"a row of {table} is not what was written")
        yield row


def _blob(values: Any) -> bytes:
    """Return numbers as bytes, in which every NaN is the same one."""
    found = np.array(values, _FLOAT)
    found[np.isnan(found)] = np.nan
    return found.tobytes()


def _real(value: float | None) -> float | None:
    """Return a number as SQLite gives it back: NaN as NULL, and no negative zero."""
    return None if value is None or np.isnan(value) else float(value) + 0.0


def _number(value: float | None) -> float:
    """Return what :func:`_real` took."""
    return float("nan") if value is None else value
