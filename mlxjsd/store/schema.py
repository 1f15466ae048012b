"""The tables of a run file, as data: those of this version, and what older versions had.

Everything that differs between versions stands here and in
:data:`mlxjsd.store.rows.FROM_OLDER`; no other code asks for a version by its number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
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
        "maps": "BLOB NOT NULL",
    },
    "skipped": _REASONS,
    "failed": _REASONS,
}
#: Columns of any version that hold numbers with a fraction.
REALS = ("probability", "entropy", "reliance", "floor", "popularity")


@dataclass(frozen=True)
class Layout:
    """What the files of one version hold."""

    tables: Mapping[str, tuple[str, ...]]
    """The columns of each table, in the order in which a row's checksum takes them."""
    declared: tuple[Mapping[str, Mapping[str, str]], ...]
    """All ways in which the columns may be declared: which one depends on where a file began."""
    checked: bool = True
    """Whether rows carry checksums, and the header a seal over them."""
    sealed: bool = False
    """Whether the version is in each checksum, and every row of every table under the seal."""
    unwritten: Mapping[str, Any] = field(default_factory=dict)
    """Entries of the header that went without saying."""

    def allows(self, found: Mapping[str, str]) -> bool:
        """Say whether a file may hold tables that were made by these statements, by name."""
        plain = {name: _plain(statement) for name, statement in found.items()}
        return any(
            plain == {name: _plain(_create(name, columns)) for name, columns in tables.items()}
            for tables in self.declared
        )


def _create(table: str, columns: Mapping[str, str]) -> str:
    declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    return f"CREATE TABLE {table} ({declared}) WITHOUT ROWID"


def _plain(statement: str) -> str:
    """Return a statement as it is whoever has written it: SQLite quotes a name that it changes."""
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(statement.replace('"', "").split()))


_CHECKSUM = {"checksum": "TEXT NOT NULL"}


def create(table: str) -> str:
    """Return the statement that makes one of ``TABLES``."""
    return _create(table, {**TABLES[table], **_CHECKSUM})


# Older versions.

#: The columns of ``results`` up to the numbers, which stood in columns of their own.
_PROMPT = dict(takewhile(lambda column: column[0] != "cells", TABLES["results"].items()))


def _results(reliance: str, *, flags: bool, checksum: bool) -> dict[str, str]:
    columns = {**_PROMPT, "jsd": "BLOB NOT NULL", "reliance": reliance, "floor": "REAL NOT NULL"}
    columns |= {"norms": "BLOB NOT NULL", "answer": "TEXT"}
    columns |= {"flags": "TEXT NOT NULL DEFAULT '[]'", "popularity": "REAL"} if flags else {}
    return {**columns, **(_ADDED if checksum else {})}


#: As it was added to the tables of older files, and declared in new ones.
_ADDED = {"checksum": "TEXT NOT NULL DEFAULT ''"}
_KEYED = {"meta": TABLES["meta"], "skipped": _REASONS}
#: The reliance is NULL where no block attends, which was not thought of at first.
_RELIANCES = ("REAL", "REAL NOT NULL")
_1 = tuple({**_KEYED, "results": _results(r, flags=False, checksum=False)} for r in _RELIANCES)
_2 = tuple({**_KEYED, "results": _results(r, flags=True, checksum=False)} for r in _RELIANCES)
_3 = tuple(
    {
        **{name: {**columns, **_ADDED} for name, columns in _KEYED.items()},
        "results": _results(r, flags=True, checksum=True),
        "failed": {**_REASONS, **_ADDED},
    }
    for r in _RELIANCES
)
_4 = (
    {
        **{table: {**columns, **_CHECKSUM} for table, columns in TABLES.items()},
        "results": {**{n: k for n, k in TABLES["results"].items() if n != "maps"}, **_CHECKSUM},
    },
)
_NOW = ({table: {**columns, **_CHECKSUM} for table, columns in TABLES.items()},)
#: Of the numbers in older ones, as a :class:`mlxjsd.records.Grid` names its axes.
_AXES = {"metrics": ["jsd"], "rows": ["subj", "attn", "last"], "whole": ["floor", "reliance"]}


def _layout(declared: tuple[Mapping[str, Mapping[str, str]], ...], **further: Any) -> Layout:
    columns = {
        table: tuple(name for name in columns if name != "checksum")
        for table, columns in declared[0].items()
    }
    return Layout(columns, declared, **further)


#: Every version there is. Between 4 and 5 no column has changed, but what a checksum is of.
LAYOUTS: dict[int, Layout] = {
    1: _layout(_1, checked=False, unwritten=_AXES),
    2: _layout(_2, checked=False, unwritten=_AXES),
    3: _layout(_3, unwritten=_AXES),
    4: _layout(_4),
    5: _layout(_4, sealed=True),
    6: _layout(_NOW, sealed=True),
}
OLDEST, VERSION = min(LAYOUTS), max(LAYOUTS)
