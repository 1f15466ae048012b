"""The tables of a run file, as data: those of this version, and what older versions had.

Everything that differs between versions stands here and in
:data:`mlxjsd.store.rows.FROM_OLDER`; no other code asks for a version by its number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Marks the file as ours in its header ("mjsd").
APPLICATION_ID = 0x6D6A7364

_REASONS = {"id": "TEXT PRIMARY KEY", "position": "INTEGER NOT NULL", "reason": "TEXT NOT NULL"}
#: The columns of each table, and how they are declared; a checksum of them stands behind them.
TABLES: dict[str, dict[str, str]] = {
    "meta": {"key": "TEXT PRIMARY KEY", "value": "TEXT NOT NULL"},
    "results": {
        "id": "TEXT PRIMARY KEY",
        "position": "INTEGER NOT NULL",
        "text": "TEXT NOT NULL",
        "subject": "TEXT NOT NULL",
        "relation": "TEXT",
        "answers": "TEXT NOT NULL",
        "token_ids": "TEXT NOT NULL",
        "tokens": "TEXT NOT NULL",
        "span_start": "INTEGER NOT NULL",
        "span_end": "INTEGER NOT NULL",
        "source": "TEXT NOT NULL",
        "prediction": "TEXT NOT NULL",
        "probability": "REAL NOT NULL",
        "entropy": "REAL NOT NULL",
        "cells": "BLOB NOT NULL",
        "whole": "BLOB NOT NULL",
        "norms": "BLOB NOT NULL",
        "answer": "TEXT",
        "flags": "TEXT NOT NULL",
        "popularity": "REAL",
    },
    "skipped": _REASONS,
    "failed": _REASONS,
}
#: Columns of any version that hold numbers with a fraction.
REALS = ("probability", "entropy", "reliance", "floor", "popularity")


def create(table: str) -> str:
    """Return the statement that makes one of ``TABLES``."""
    columns = {**TABLES[table], "checksum": "TEXT NOT NULL"}
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"CREATE TABLE {table} ({declared}) WITHOUT ROWID"


@dataclass(frozen=True)
class Layout:
    """What the files of one version hold."""

    tables: Mapping[str, tuple[str, ...]]
    """The columns of each table, in the order in which a row's checksum takes them."""
    checked: bool = True
    """Whether rows carry checksums, and the header a seal over them."""
    unwritten: Mapping[str, Any] = field(default_factory=dict)
    """Entries of the header that went without saying."""


_KEYED = {"meta": ("key", "value"), "skipped": tuple(_REASONS)}
_PROMPT = (
    *("id", "position", "text", "subject", "relation", "answers", "token_ids", "tokens"),
    *("span_start", "span_end", "source", "prediction", "probability", "entropy"),
)
_1 = (*_PROMPT, "jsd", "reliance", "floor", "norms", "answer")
_2 = (*_1, "flags", "popularity")
#: Of the numbers in these, as a :class:`mlxjsd.records.Grid` names its axes.
_AXES = {"metrics": ["jsd"], "rows": ["subj", "attn", "last"], "whole": ["floor", "reliance"]}

#: Every version there is.
LAYOUTS: dict[int, Layout] = {
    1: Layout({**_KEYED, "results": _1}, checked=False, unwritten=_AXES),
    2: Layout({**_KEYED, "results": _2}, checked=False, unwritten=_AXES),
    3: Layout({**_KEYED, "results": _2, "failed": tuple(_REASONS)}, unwritten=_AXES),
    4: Layout({table: tuple(columns) for table, columns in TABLES.items()}),
}
OLDEST, VERSION = min(LAYOUTS), max(LAYOUTS)
