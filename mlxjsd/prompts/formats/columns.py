"""Parquet, Arrow, and what ``datasets`` saves: records in columns, read through pyarrow."""

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError, said_by
from mlxjsd.prompts.formats.containers import Container, Row
from mlxjsd.prompts.formats.kinds import COLUMNS
from mlxjsd.prompts.formats.opening import sniff

#: Rows at a time.
_BATCH = 1024
#: Stands for the start of such a file, which is no text: no text begins with it.
MARK = "\0"


@dataclass(frozen=True)
class Columns(Container):
    """A file of columns."""

    def fits(self, start: str) -> bool:
        """Whether its start is that of no text."""
        return start.startswith(MARK)

    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield the rows; a cell without a value is missing."""
        number = 0
        for batch in _batches(path):
            for values in batch:
                number += 1
                yield Row(f"row {number}", {k: v for k, v in values.items() if not _absent(v)})

    def first(self, path: Path, start: str) -> dict[str, Any] | None:
        """Return the first row, with all that have a column."""
        for batch in _batches(path):
            if batch:
                return batch[0]
        return None


def _absent(value: Any) -> bool:
    """Say whether a cell is empty; pandas writes NaN for that."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    kind = sniff(path)
    if kind not in COLUMNS.values():
        raise InputError(f"{path} is {kind}, not Parquet or Arrow", hint="leave --format out")
    try:
        import pyarrow
    except ImportError:
        raise InputError(
            f"{path} is a file of columns ({kind})", hint="pip install 'mlxjsd[data]' to read it"
        ) from None
    # Its errors are of several types; what a reader of columns says is never about a record.
    with _one_sentence(path, kind, (pyarrow.ArrowException, OSError, ValueError, MemoryError)):
        for batch in _opened(path, kind):
            for start in range(0, batch.num_rows, _BATCH):
                part = batch.slice(start, _BATCH)
                part.validate(full=True)
                yield part.to_pylist()


@contextmanager
def _one_sentence(path: Path, kind: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except errors as error:
        raise InputError(
            f"{path} cannot be read as {kind}: {said_by(error, 160)}", hint="write the file anew"
        ) from None


def _opened(path: Path, kind: str) -> Iterator[Any]:
    """Yield the record batches of a file."""
    import pyarrow.ipc

    if kind == "parquet":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH)
        return
    with pyarrow.OSFile(str(path)) as raw:
        if kind == "arrow-stream":
            with pyarrow.ipc.open_stream(raw) as stream:
                yield from stream
        else:
            with pyarrow.ipc.open_file(raw) as file:
                for number in range(file.num_record_batches):
                    yield file.get_batch(number)
