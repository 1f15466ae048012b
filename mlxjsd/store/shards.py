"""The files of a run folder: each process that measures writes one of its own.

The run is their union. A single process writes ``run.sqlite``, and so does the first of several;
the others write ``run-1.sqlite`` and so on. So a file never has two writers, and files from
machines that share no disk can lie side by side in one folder.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.judgements import Judgements
from mlxjsd.errors import InputError
from mlxjsd.results import Record, Run, Skipped

#: Of a single process, and of the first of several.
FILE = "run.sqlite"
_NAME = re.compile(r"run(?:-([1-9][0-9]{0,3}))?\.sqlite")


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
    records = _records_of(runs, names)
    measured = {record.id for record in records}
    return replace(
        runs[0],
        records=records,
        skipped=_reasons_of([run.skipped for run in runs], measured),
        failed=_reasons_of([run.failed for run in runs], measured),
        versions=joined_versions([run.versions for run in runs]),
        cosines=next((run.cosines for run in runs if run.cosines), {}),
        judgements=Judgements.joined(run.judgements for run in runs),
    )


def joined_versions(versions: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return what computed the numbers; where machines differ, all of them, separated by ``;``."""
    found: dict[str, list[str]] = {}
    for one in versions:
        for name, value in one.items():
            values = found.setdefault(name, [])
            values += [part for part in value.split("; ") if part not in values]
    return {name: "; ".join(values) for name, values in found.items()}


def _records_of(runs: Sequence[Run], names: Sequence[str]) -> list[Record]:
    """Return the records of all runs by their place in the data file, each prompt once."""
    found: dict[str, tuple[Record, str]] = {}
    for run, name in zip(runs, names, strict=True):
        for record in run.records:
            first, where = found.setdefault(record.id, (record, name))
            if first is not record and (said := difference(first, record)):
                raise InputError(
                    f"{where} and {name} both hold prompt {record.id!r}, and differ in {said}",
                    hint="keep one of the two files",
                )
    return sorted((record for record, _ in found.values()), key=lambda record: record.position)


def _reasons_of(parts: Iterable[Sequence[Skipped]], measured: set[str]) -> list[Skipped]:
    """Return why there are no numbers of some prompts; one that failed on one machine only is
    measured by another, and so not among them."""
    found: dict[str, Skipped] = {}
    for rows in parts:
        for row in rows:
            if row.id not in measured:
                found.setdefault(row.id, row)
    return sorted(found.values(), key=lambda row: row.position)


def difference(one: Record, other: Record) -> str | None:
    """Say in what two results of a prompt differ; None if they are the same bit for bit."""
    parts, others = _parts(one), _parts(other)
    for name, a in parts.items():
        b = others.get(name)
        if _same(a, b):
            continue
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape == b.shape:
            return f"{name} by up to {np.nanmax(np.abs(a - b)):.1e}"
        if isinstance(a, float) and isinstance(b, float):
            return f"{name} by {abs(a - b):.1e}"
        return name
    return None


def _parts(record: Record) -> dict[str, Any]:
    """Return what a record holds by name, its numbers by metric and row; the grid is first."""
    found = {field.name: getattr(record, field.name) for field in fields(record)}
    cells, whole, grid = found.pop("cells"), found.pop("whole"), found.pop("grid")
    maps = found.pop("maps")
    for at, metric in enumerate(grid.metrics):
        found[metric] = cells[at]
        if maps is not None:
            found |= {f"{metric} of {m}": maps[n, at] for n, m in enumerate(grid.maps)}
        numbers = zip(grid.whole, whole[at].tolist(), strict=True)
        found |= {f"{metric} of {row}": number for row, number in numbers}
    return {"grid": grid, **found}


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b, equal_nan=True))
    return bool(a == b or (a != a and b != b))  # NaN is not itself
