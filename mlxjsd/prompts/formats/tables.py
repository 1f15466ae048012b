"""Tables as text: what stands between the cells, and the rows under a header."""

import csv
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from mlxjsd.errors import InputError

#: What may stand between cells; of several that cut a header into as many, the first one.
ALL = ",\t;|"
#: What Excel writes in front of a header, and understands.
_SAID = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
#: Characters that are sniffed: the time grows with their square.
_SNIFFED = 1024
_LINE = re.compile(r"\r\n|\r|\n")


def delimiter_of(text: str, allowed: str) -> tuple[str, bool]:
    """Return what stands between the cells of a table, and whether its first line says so.

    Args:
        text: how the table starts, from its first character that is no space.
        allowed: the delimiters among which to choose.
    """
    header = _LINE.split(text, maxsplit=1)[0]
    if (said := _SAID.fullmatch(header)) and said[1] in allowed:
        return said[1], True
    try:
        sniffed = csv.Sniffer().sniff(header[:_SNIFFED], allowed).delimiter
    except csv.Error:
        sniffed = allowed[0]
    # The sniffer is misled by a delimiter inside quotes: the cells decide.
    most = max(allowed, key=lambda each: _cells(header, each))
    same = sniffed in allowed and _cells(header, sniffed) == _cells(header, most)
    return (sniffed if same else most), False


def _cells(header: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([header], delimiter=delimiter, strict=True), []))
    except csv.Error:
        return 0


def named_rows(
    text: Iterator[str], path: Path, allowed: str
) -> Iterator[tuple[int, list[str], list[str] | None]]:
    """Yield the line, the columns and the cells of each row; the header first, with None.

    Args:
        text: the lines of a table.
        path: of the file, for messages.
        allowed: the delimiters among which the header says which one it is.

    Raises:
        InputError: if a row is no row of the table; the message names the line.
    """
    begin: list[str] = []
    for line in text:
        begin.append(line)
        if line.strip():
            break
    delimiter, said = delimiter_of(begin[-1].rstrip("\r\n") if begin else "", allowed)
    if said:
        begin[-1] = "\n"  # a line, still, so that those after it keep their numbers
    reader = csv.reader(chain(begin, text), delimiter=delimiter, strict=True)
    names: list[str] = []
    while True:
        line_number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{path}, line {line_number} is not a row of a table: {error}",
                hint="correct that line",
            ) from None
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = [cell.strip() for cell in cells]
            yield line_number, names, None
        elif len(cells) != len(names):
            raise InputError(
                f"{path}, line {line_number} has {len(cells)} cells, the header has {len(names)}",
                hint="quote a cell that holds the delimiter",
            )
        else:
            yield line_number, names, cells
