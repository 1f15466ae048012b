"""What holds the records: JSON Lines, a JSON list, a table. One record at a time."""

import csv
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats.files import open_text
from mlxjsd.prompts.formats.json_stream import elements, parse


@dataclass(frozen=True)
class Row:
    """One record of a file."""

    place: str
    """Such as "line 3", for messages."""
    values: dict[str, Any]
    """By field; of a table, all values are strings and empty cells are missing."""


#: Reads the records of one file.
Container = Callable[[Path], Generator[Row, None, None]]


def json_lines(path: Path) -> Generator[Row, None, None]:
    """Yield an object for each line that is not blank."""
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                value = parse(line, f"{path}, line {number}")
                yield Row(f"line {number}", _object(value, f"{path}, line {number}"))


def json_list(path: Path) -> Generator[Row, None, None]:
    """Yield the objects of a list."""
    with open_text(path) as file:
        for number, value in enumerate(elements(file, path), start=1):
            yield Row(f"record {number}", _object(value, f"{path}, record {number}"))


def table(path: Path, delimiter: str) -> Generator[Row, None, None]:
    """Yield the rows under a header, by its names."""
    with open_text(path) as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        names: list[str] = []
        while True:
            line = rows.line_num + 1
            try:
                cells = next(rows, None)
            except csv.Error as error:
                raise InputError(
                    f"{path}, line {line} is not a row of a table: {error}",
                    hint="correct that line",
                ) from None
            if cells is None:
                return
            if not any(cell.strip() for cell in cells):
                continue
            if not names:
                names = _header(cells, path)
            elif len(cells) != len(names):
                raise InputError(
                    f"{path}, line {line} has {len(cells)} cells, the header has {len(names)}",
                    hint="quote a cell that holds the delimiter",
                )
            else:
                filled = {n: c for n, c in zip(names, cells, strict=True) if n and c.strip()}
                yield Row(f"line {line}", filled)


def columns(path: Path, start: str, delimiter: str) -> set[str]:
    """Return the column names of a table, from how its text starts."""
    try:
        cells = next(csv.reader([start.partition("\n")[0]], delimiter=delimiter), [])
    except csv.Error as error:
        raise InputError(
            f"{path} has no header of a table: {error}", hint="name the columns in its first line"
        ) from None
    return {cell.strip() for cell in cells} - {""}


def _header(cells: list[str], path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise InputError(f"{path} has the column {min(twice)!r} twice", hint="keep one of them")
    return names


comma_table: Container = partial(table, delimiter=",")
tab_table: Container = partial(table, delimiter="\t")


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(
            f"{place}: a prompt is an object",
            hint='write it such as {"prompt": ..., "subject": ...}',
        )
    return value
