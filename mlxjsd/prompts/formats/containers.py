"""What holds the records: JSON Lines, a JSON list, a table. One record at a time."""

import csv
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
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


class Container(ABC):
    """A way to hold records in a file."""

    @abstractmethod
    def fits(self, start: str) -> bool:
        """Whether a file may be held like this, from how its text starts (no space)."""

    @abstractmethod
    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield the records of a file.

        Raises:
            InputError: if it is malformed; the message names the line or the record.
        """

    def fields(self, path: Path, start: str) -> set[str] | None:
        """Return the fields of a file's first record; None without one.

        Args:
            path: of the file.
            start: how its text starts.

        Raises:
            InputError: if they cannot be read.
        """
        with closing(self.rows(path)) as rows:
            first = next(rows, None)
        return None if first is None else set(first.values)


@dataclass(frozen=True)
class JsonLines(Container):
    """An object in each line that is not blank."""

    def fits(self, start: str) -> bool:
        """Whether it starts with an object."""
        return start[0] == "{"

    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield the object of each line."""
        with open_text(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    value = parse(line, f"{path}, line {number}")
                    yield Row(f"line {number}", _object(value, f"{path}, line {number}"))


@dataclass(frozen=True)
class JsonList(Container):
    """A list of objects."""

    def fits(self, start: str) -> bool:
        """Whether it starts with a list."""
        return start[0] == "["

    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield the objects of the list."""
        with open_text(path) as file:
            for number, value in enumerate(elements(file, path), start=1):
                yield Row(f"record {number}", _object(value, f"{path}, record {number}"))


@dataclass(frozen=True)
class Table(Container):
    """Rows of cells under a header."""

    delimiter: str
    columns: frozenset[str] = frozenset()
    """Those that the header must have."""

    def fits(self, start: str) -> bool:
        """Whether it starts as no JSON does, with tabs in the first line if tabs delimit."""
        tabs = "\t" in start.partition("\n")[0]
        return start[0] not in "[{" and tabs == (self.delimiter == "\t")

    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield the rows under the header, by its names."""
        with open_text(path) as file:
            rows = csv.reader(file, delimiter=self.delimiter, strict=True)
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
                    names = self._header(cells, path)
                elif len(cells) != len(names):
                    raise InputError(
                        f"{path}, line {line} has {len(cells)} cells, the header has {len(names)}",
                        hint="quote a cell that holds the delimiter",
                    )
                else:
                    filled = {n: c for n, c in zip(names, cells, strict=True) if n and c.strip()}
                    yield Row(f"line {line}", filled)

    def fields(self, path: Path, start: str) -> set[str]:
        """Return the names in the header: a row lacks those of its empty cells."""
        first = [start.partition("\n")[0]]
        try:
            cells = next(csv.reader(first, delimiter=self.delimiter), [])
        except csv.Error as error:
            raise InputError(
                f"{path} has no header of a table: {error}",
                hint="name the columns in its first line",
            ) from None
        return {cell.strip() for cell in cells} - {""}

    def _header(self, cells: list[str], path: Path) -> list[str]:
        names = [cell.strip() for cell in cells]
        if twice := {name for name in names if name and names.count(name) > 1}:
            raise InputError(f"{path} has the column {min(twice)!r} twice", hint="keep one of them")
        if absent := self.columns - set(names):
            raise InputError(
                f"{path} has no column {' and no column '.join(sorted(absent))}",
                hint="name the columns in its first line",
            )
        return names


#: What a data set may be held by, whatever it is published as.
ANY: tuple[Container, ...] = (JsonList(), JsonLines(), Table("\t"), Table(","))


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(
            f"{place}: a prompt is an object",
            hint='write it such as {"prompt": ..., "subject": ...}',
        )
    return value
