"""What holds the records: JSON objects, a JSON list, a table. One record at a time."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats.guess import suggested
from mlxjsd.prompts.formats.json_stream import elements, objects
from mlxjsd.prompts.formats.opening import lines, open_text
from mlxjsd.prompts.formats.tables import ALL, delimiter_of, named_rows


@dataclass(frozen=True, slots=True)
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

    def first(self, path: Path, start: str) -> dict[str, Any] | None:
        """Return the first record of a file; None without one.

        Args:
            path: of the file.
            start: how its text starts.

        Raises:
            InputError: if it cannot be read.
        """
        with closing(self.rows(path)) as rows:
            first = next(rows, None)
        return None if first is None else first.values


@dataclass(frozen=True)
class JsonLines(Container):
    """Objects one after another: one in each line that is not blank, or over many lines."""

    def fits(self, start: str) -> bool:
        """Whether it starts with an object."""
        return start[0] == "{"

    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield the objects, each with the line in which it begins."""
        with open_text(path) as file:
            for number, value in objects(lines(file, path), path):
                if not isinstance(value, dict):
                    raise no_object(f"{path}, line {number}")
                yield Row(f"line {number}", value)


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
                if not isinstance(value, dict):
                    raise no_object(f"{path}, record {number}")
                yield Row(f"record {number}", value)


@dataclass(frozen=True)
class Table(Container):
    """Rows of cells under a header."""

    delimiters: str
    """Those that may stand between cells; the header says which one does."""
    columns: frozenset[str] = frozenset()
    """Those that the header must have."""

    def fits(self, start: str) -> bool:
        """Whether it starts as no JSON does, with a header of such cells."""
        return start[0] not in "[{\0" and delimiter_of(start, ALL)[0] in self.delimiters

    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield the rows under the header, by its names."""
        with open_text(path) as file:
            for line, names, cells in named_rows(lines(file, path), path, self.delimiters):
                if cells is None:
                    self._check(names, path)
                    continue
                filled = {n: c for n, c in zip(names, cells, strict=True) if n and c.strip()}
                yield Row(f"line {line}", filled)

    def first(self, path: Path, start: str) -> dict[str, str] | None:
        """Return the cells of the first row, "" for those that are empty, or are not there."""
        with open_text(path) as file:
            header: list[str] = []
            try:
                for _, names, cells in named_rows(lines(file, path), path, self.delimiters):
                    header = names
                    if cells is not None:
                        return {n: c for n, c in zip(names, cells, strict=True) if n}
            except InputError:
                if not header:
                    raise
                # Its rows are read later, and their place is named then.
        return dict.fromkeys(filter(None, header), "")

    def _check(self, names: list[str], path: Path) -> None:
        if twice := {name for name in names if name and names.count(name) > 1}:
            raise InputError(f"{path} has the column {min(twice)!r} twice", hint="keep one of them")
        if absent := sorted(self.columns - set(names)):
            missing = " and no column ".join(absent)
            raise InputError(
                f"{path} has no column {missing}: its columns are {', '.join(names)[:200]}",
                hint="name the columns in its first line, or say which ones hold them with "
                f"`--fields {suggested(dict.fromkeys(names))}`",
            )


#: What a data set may be held by, whatever it is published as; columns that pyarrow reads are
#: added where they are defined.
ANY: tuple[Container, ...] = (JsonList(), JsonLines(), Table(ALL))


def no_object(place: str) -> InputError:
    """Return what is said of a record that holds no fields."""
    return InputError(
        f"{place}: a prompt is an object", hint='write it such as {"prompt": ..., "subject": ...}'
    )
