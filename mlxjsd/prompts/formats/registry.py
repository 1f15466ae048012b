"""The formats that prompts are read from, as data: one entry for each."""

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from mlxjsd.prompts.formats.columns import Columns
from mlxjsd.prompts.formats.containers import ANY as TEXT
from mlxjsd.prompts.formats.containers import Container
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.prompt import Prompt

#: Reads one record of the file at a path; says, too, whether the record brought its id along.
Reader = Callable[[Values, Path], tuple[Prompt, bool]]
#: Takes a record apart that asks several things: what each is called ("" for all there is), and
#: what the reader is handed.
Parts = Callable[[Values], Iterable[tuple[str, Values]]]

#: What a data set may be held by, whatever it is published as.
ANY: tuple[Container, ...] = (*TEXT, Columns())


@dataclass(frozen=True)
class Format:
    """One way to write prompts down."""

    name: str
    """For ``--format``, and in what a run stores about its data."""
    help: str
    """What it is, in one line."""
    reader: Reader
    """Makes a prompt of a record; raises ``InputError`` for one that is malformed."""
    signs: tuple[AbstractSet[str], ...]
    """Fields by which a file's first record is recognised: all of any one of these sets."""
    containers: tuple[Container, ...] = ANY
    """What may hold the records."""
    folders: bool = False
    """Whether a folder of such files is read as one: some are published as a file for each
    relation."""
    parts: Callable[[Path], Parts] | None = None
    """Returns what takes the records of a file apart; None if each asks one thing."""
    beside: Callable[[Path], list[Path]] | None = None
    """Returns the other files that a file is read with; None if there are none."""
    asks: Callable[[Values], str | None] | None = None
    """Says which of several texts a record asks, where an older version asked another: a run that
    it began does not go on with these. Stored with the format."""
    if_empty: str = "name a file that holds some"
    """What to do if a file of it holds no prompt."""


#: Every format there is, by name. A file is recognised by its content, see :func:`recognised`.
FORMATS: dict[str, Format] = {}

#: The fields of a prompt of one's own: what is asked, and about what.
OWN = frozenset({"prompt", "subject"})
#: With these, a record says all of it.
OWN_ANSWERED = OWN | {"answers"}


def register(format: Format) -> Format:
    """Add a format to those that can be read; return it."""
    if format.name in FORMATS:
        raise ValueError(f"there is a format {format.name!r} already")
    FORMATS[format.name] = format
    return format


def fits(format: Format, fields: Collection[str]) -> bool:
    """Say whether a file may be in a format, by the fields of its first record.

    A record's own prompt and subject are asked, whatever else it holds: it is in no format that
    would ask something else. With answers of its own, it is in none that would expect others. Of
    several formats that fit, the one that was registered last is meant, so that one stands behind
    those that are more general.
    """
    found = set(fields)
    return any(
        signs <= found
        and (not found >= OWN or signs <= OWN or signs >= OWN)
        and (not found >= OWN_ANSWERED or signs <= OWN_ANSWERED)
        for signs in format.signs
    )
