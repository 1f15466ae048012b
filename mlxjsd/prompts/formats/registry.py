"""The formats that prompts are read from, as data: one entry for each."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from mlxjsd.prompts.formats.containers import ANY, Container
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.prompt import Prompt

#: Reads one record of the file at a path; says, too, whether the record brought its id along.
Reader = Callable[[Values, Path], tuple[Prompt, bool]]


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


#: Every format there is, by name. A file is recognised by its content; of several that fit, the
#: last one here is taken, so a format stands behind those that are more general.
FORMATS: dict[str, Format] = {}


def register(format: Format) -> Format:
    """Add a format to those that can be read; return it."""
    if format.name in FORMATS:
        raise ValueError(f"there is a format {format.name!r} already")
    FORMATS[format.name] = format
    return format
