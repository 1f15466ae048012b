"""The files of a run folder: each process that measures writes one of its own.

The run is their union. A single process writes ``run.sqlite``, and so does the first of several;
the others write ``run-1.sqlite`` and so on. So a file never has two writers, and files from
machines that share no disk can lie side by side in one folder.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mlxjsd.errors import InputError
from mlxjsd.records import Record, Run, Skipped

#: Of a single process, and of the first of several.
FILE = "run.sqlite"
_NAME = re.compile(r"run(?:-([1-9][0-9]{0,3}))?\.sqlite")

Row = TypeVar("Row", Record, Skipped)


def shard_name(rank: int) -> str:
    """Return the name of the file that the process of this rank writes."""
    return FILE if rank == 0 else f"run-{rank}.sqlite"


def rank_of(path: Path) -> int:
    """Return which rank writes the file ``path``."""
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return int(found[1] or 0)


def shard_files(folder: Path | str) -> list[Path]:
    """Return the files of a run folder that hold results, the first rank's first."""
    paths = (p for p in Path(folder).glob("run*.sqlite") if _NAME.fullmatch(p.name))
    return sorted((p for p in paths if p.is_file()), key=rank_of)


def joined(runs: Sequence[Run], names: Sequence[str]) -> Run:
    """Return one run with the results of several, each prompt once.

    Args:
        runs: at least one, of the same settings, model and data.
        names: what to call each of them in a message.

    Raises:
        InputError: if two of them hold different results for a prompt.
    """
    if len(runs) == 1:
        return runs[0]
    records = union([run.records for run in runs], names)
    measured = {record.id for record in records}
    skipped = union([run.skipped for run in runs], names)
    return replace(
        runs[0],
        records=records,
        skipped=[one for one in skipped if one.id not in measured],
        versions=joined_versions([run.versions for run in runs]),
        cosines=next((run.cosines for run in runs if run.cosines), {}),
    )


def joined_versions(versions: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return what computed the numbers; where machines differ, all of them, parted by ``;``."""
    found: dict[str, list[str]] = {}
    for one in versions:
        for name, value in one.items():
            values = found.setdefault(name, [])
            values += [part for part in value.split("; ") if part not in values]
    return {name: "; ".join(values) for name, values in found.items()}


def union(parts: Sequence[Sequence[Row]], names: Sequence[str]) -> list[Row]:
    """Return the rows of all parts by their place in the data file, each prompt once.

    Raises:
        InputError: if two parts differ about a prompt.
    """
    found: dict[str, tuple[Row, str]] = {}
    for rows, name in zip(parts, names, strict=True):
        for row in rows:
            first, where = found.setdefault(row.id, (row, name))
            if first is not row and (said := difference(first, row)):
                raise InputError(
                    f"{where} and {name} both hold prompt {row.id!r}, and differ in {said}; "
                    "keep one of the two"
                )
    return sorted((row for row, _ in found.values()), key=lambda row: row.position)


def difference(one: Record | Skipped, other: Record | Skipped) -> str | None:
    """Say in what two results of a prompt differ; None if they are the same bit for bit."""
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if _same(a, b):
            continue
        if isinstance(a, np.ndarray) and a.shape == b.shape:
            return f"{field.name} by up to {np.nanmax(np.abs(a - b)):.1e}"
        if isinstance(a, float) and isinstance(b, float):
            return f"{field.name} by {abs(a - b):.1e}"
        return field.name
    return None


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b, equal_nan=True))
    return bool(a == b or (a != a and b != b))  # NaN is not itself
