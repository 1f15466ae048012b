"""What can be written, and how: one entry for each kind of file, chosen by its ending.

The command line's help and the app's export screen list what is registered here. What an entry
needs is imported when it writes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from mlxjsd.errors import InputError
from mlxjsd.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlxjsd.results import Run

Source = TypeVar("Source")


@dataclass(frozen=True)
class Writer(Generic[Source]):
    """One kind of file."""

    ending: str
    """With its dot, in lower case. One with two dots, such as ``.answers.csv``, goes before the
    one that is the end of it, and stands for the name without its first dot as well."""
    help: str
    """What is in it, in the fewest words."""
    content: Callable[[Source], bytes | Iterable[bytes]]
    """Makes the whole file, or its parts one after another."""


class Writers(Generic[Source]):
    """All kinds of file that something can be written as."""

    def __init__(self, what: str) -> None:
        """Begin without any; ``what`` is written stands in messages, such as "an export"."""
        self._what = what
        self._by_ending: dict[str, Writer[Source]] = {}

    def register(self, writer: Writer[Source]) -> Writer[Source]:
        """Add a kind of file; return it."""
        if writer.ending in self._by_ending:
            raise ValueError(f"there is a writer of {writer.ending} already")
        self._by_ending[writer.ending] = writer
        return writer

    @property
    def endings(self) -> tuple[str, ...]:
        """Those that a file can have."""
        return tuple(self._by_ending)

    def ending_of(self, path: Path) -> str | None:
        """Return the ending that says how ``path`` is written; None if none does."""
        name = path.name.lower()
        longer = (e for e in self._by_ending if e.count(".") > 1 and f".{name}".endswith(e))
        return next(longer, path.suffix.lower() if path.suffix.lower() in self._by_ending else None)

    def __str__(self) -> str:
        """List the endings as part of a sentence: ``.csv (averages) or .npz (arrays)``."""
        *most, last = (f"{w.ending} ({w.help})" for w in self._by_ending.values())
        return f"{', '.join(most)} or {last}" if most else last

    def write(self, source: Source, path: Path | str, ending: str | None = None) -> None:
        """Write ``source`` to ``path``, whose ending says how; whole, or not at all.

        ``ending`` stands for another one, whatever ``path`` is called.

        Raises:
            InputError: for another ending, or where it cannot be written.
            MachineError: if the disk is full.
        """
        path = Path(path)
        ending = ending or self.ending_of(path)
        if ending is None:
            raise InputError(
                f"{self._what} ends in {', '.join(self.endings)}, not {path.name!r}",
                hint="name such a file with -o",
            )
        write_whole(path, self._by_ending[ending].content(source))


#: Of a report, which is written by :mod:`mlxjsd.output.report.write`.
REPORT = ".html"


def is_report(path: Path) -> bool:
    """Say whether a file's name asks for a report."""
    return path.suffix.lower() == REPORT


def _csv(run: "Run") -> bytes:
    from mlxjsd.output.export import to_csv

    return to_csv(run)


def _answers(run: "Run") -> bytes:
    from mlxjsd.output.answers import to_answers

    return to_answers(run)


def _tidy_csv(run: "Run") -> Iterator[bytes]:
    from mlxjsd.output.tables import to_tidy_csv

    return to_tidy_csv(run)


def _parquet(run: "Run") -> bytes:
    from mlxjsd.output.tables import to_parquet

    return to_parquet(run)


def _maps_csv(run: "Run") -> Iterator[bytes]:
    from mlxjsd.output.tables import to_tidy_csv

    return to_tidy_csv(run, maps=True)


def _maps_parquet(run: "Run") -> bytes:
    from mlxjsd.output.tables import to_parquet

    return to_parquet(run, maps=True)


def _json(run: "Run") -> bytes:
    from mlxjsd.output.export import to_json

    return to_json(run)


def _npz(run: "Run") -> bytes:
    from mlxjsd.output.export import to_npz

    return to_npz(run)


#: A run's numbers.
EXPORTS: "Writers[Run]" = Writers("an export")
EXPORTS.register(Writer(".answers.csv", "answers and verdicts, also answers.csv", _answers))
#: A cell a line, of every prompt; `--tidy` asks for it under any name in .csv.
TIDY_CSV = EXPORTS.register(Writer(".tidy.csv", "every prompt's cells, also --tidy", _tidy_csv))
#: A number a line, of every prompt's maps; `--maps` asks for them under any such name.
MAPS_CSV = EXPORTS.register(Writer(".maps.csv", "every prompt's maps, also --maps", _maps_csv))
MAPS_PARQUET = EXPORTS.register(Writer(".maps.parquet", "the same", _maps_parquet))
EXPORTS.register(Writer(".csv", "averages", _csv))
EXPORTS.register(Writer(".json", "everything", _json))
EXPORTS.register(Writer(".npz", "arrays", _npz))
EXPORTS.register(Writer(".parquet", "every prompt's cells", _parquet))


def _image(kind: str) -> "Callable[[Figure], bytes]":
    def content(figure: "Figure") -> bytes:
        from mlxjsd.output.plain_matplotlib import as_bytes

        return as_bytes(figure, kind)

    return content


#: A figure.
FIGURES: "Writers[Figure]" = Writers("a figure")
FIGURES.register(Writer(".png", "pixels", _image("png")))
FIGURES.register(Writer(".pdf", "vectors", _image("pdf")))
FIGURES.register(Writer(".svg", "vectors", _image("svg")))
