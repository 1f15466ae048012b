"""Which format a file is in, as its content says; and its prompts, each with a name of its own."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.prompts.formats import datasets as readers
from mlxjsd.prompts.formats.containers import (
    Container,
    columns,
    comma_table,
    json_lines,
    json_list,
    tab_table,
)
from mlxjsd.prompts.formats.datasets import Reader
from mlxjsd.prompts.formats.files import content_hash, files_of, open_text
from mlxjsd.prompts.formats.json_stream import WINDOW
from mlxjsd.prompts.formats.lre import SIGNS, samples
from mlxjsd.prompts.prompt import Prompt, PromptFile

#: What holds mlxjsd's own fields, by the format's name.
_OWN: dict[str, Container] = {
    "jsonl": json_lines,
    "json": json_list,
    "csv": comma_table,
    "tsv": tab_table,
}
_TABLES = {"csv": ",", "tsv": "\t"}
_DATASETS: dict[str, Reader] = {
    "known_1000": readers.known_1000,
    "counterfact": readers.counterfact,
    "popqa": readers.popqa,
    "entity_questions": readers.entity_questions,
}
#: Fields that together give a data set away; the first that fits is taken.
_SIGNS = (
    ("known_1000", {"known_id", "attribute", "prompt", "subject"}),
    ("counterfact", {"requested_rewrite"}),
    ("counterfact", {"case_id", "ground_truth", "prompt", "subject"}),
    ("popqa", {"subj", "question"}),
    ("entity_questions", {"question", "answers"}),
)
#: One is enough: the message then names the other one that is missing.
_OWN_SIGNS = {"prompt", "subject"}
#: Published as many files, one for each relation.
_IN_FOLDERS = ("lre", "entity_questions")


@dataclass(frozen=True)
class _Way:
    """How one file is read."""

    format: str
    container: Container
    reader: Reader


def read(path: Path, format: str | None) -> PromptFile:
    """Read prompts; see :func:`mlxjsd.prompts.read.read_prompts`."""
    if format is not None and format not in FORMATS:
        raise InputError(
            f"--format is {', '.join(FORMATS)}, not {format!r}",
            hint="give one of them, or leave it out",
        )
    # A folder is walked at once, not when all is read: it may be the wrong one, and large.
    files = files_of(path)
    if path.is_dir() and format is not None and format not in _IN_FOLDERS:
        raise InputError(f"{path} is a folder", hint=f"name a file in the format {format}")
    names = _Names()
    prompts: list[Prompt] = []
    for file in files:
        way = _way(file, format)
        if path.is_dir() and way.format not in _IN_FOLDERS:
            raise InputError(
                f"{file} is in the format {way.format}; only {' and '.join(_IN_FOLDERS)} are "
                "read as folders",
                hint="name that file",
            )
        format = way.format  # all files of a folder are of one kind
        prompts.extend(names.give(_prompts(file, way)))
    if not prompts:
        raise InputError(f"{path} is empty: it holds no prompt", hint="name a file that holds some")
    return PromptFile(path, content_hash(path), tuple(prompts), format or FORMATS[0])


def _prompts(path: Path, way: _Way) -> Iterator[tuple[str, Prompt, bool]]:
    """Yield the place, the prompt, and whether its id was given."""
    for row in way.container(path):
        place = f"{path}, {row.place}"
        try:
            prompt, named = way.reader(row.values, path)
        except InputError as error:
            raise error.at(place) from None
        yield place, prompt, named


class _Names:
    """Sees to it that no two prompts have one name."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._copies: dict[str, int] = {}

    def give(self, found: Iterator[tuple[str, Prompt, bool]]) -> Iterator[Prompt]:
        """Yield the prompts; one whose name is only worked out gives way to another."""
        for place, prompt, named in found:
            name = prompt.id
            if not named:
                while name in self._places:
                    self._copies[prompt.id] = self._copies.get(prompt.id, 1) + 1
                    name = f"{prompt.id}-{self._copies[prompt.id]}"
            elif name in self._places:
                raise InputError(
                    f"{place} has the id {name!r} of {_apart(place, self._places[name])}",
                    hint="give each an id of its own",
                )
            self._places[name] = place
            yield prompt if name == prompt.id else replace(prompt, id=name)


def _apart(place: str, other: str) -> str:
    """Leave out the file of ``other`` if it is that of ``place``."""
    path, _, rest = other.rpartition(", ")
    return rest if place.startswith(f"{path}, ") else other


def _way(path: Path, format: str | None) -> _Way:
    """Return how to read a file, in ``format`` or in the one that it is found to be in."""
    if format == "lre":
        return _Way("lre", samples, readers.lre)
    start = _start(path)
    if not start:
        raise InputError(f"{path} is empty: it holds no prompt", hint="name a file that holds some")
    if format in _OWN:
        return _own(format, path, start)
    if format is None and _is_relation(start):
        return _Way("lre", samples, readers.lre)
    held = _held(start)
    if format is not None:
        return _Way(format, _OWN[held], _DATASETS[format])
    seen = _fields(path, held, start)
    if seen is None:
        return _own(held, path, start)  # which is empty
    for name, signs in _SIGNS:
        if signs <= seen:
            return _Way(name, _OWN[held], _DATASETS[name])
    if _OWN_SIGNS & seen:
        return _own(held, path, start)
    said = "".join(c for c in ", ".join(sorted(seen)) if c.isprintable())[:120] or "none"
    raise InputError(
        f"{path} is in no known format: its first record has the fields {said}",
        hint=f"give it the fields prompt and subject, or one of the formats {', '.join(FORMATS)}",
    )


def _own(name: str, path: Path, start: str) -> _Way:
    if name in _TABLES and (absent := _OWN_SIGNS - columns(path, start, _TABLES[name])):
        raise InputError(
            f"{path} has no column {' and no column '.join(sorted(absent))}",
            hint="name the columns in its first line",
        )
    return _Way(name, _OWN[name], readers.own_cells if name in _TABLES else readers.own)


def _start(path: Path) -> str:
    """Return the first part of a file, from its first character that is no space."""
    with open_text(path) as file:
        while chunk := file.read(WINDOW):
            if found := chunk.lstrip():
                return found + file.read(WINDOW)
    return ""


def _held(start: str) -> str:
    """Say which of the own formats' containers a file is."""
    if start[0] == "[":
        return "json"
    if start[0] == "{":
        return "jsonl"
    return "tsv" if "\t" in start.partition("\n")[0] else "csv"


def _is_relation(start: str) -> bool:
    if start[0] != "{":
        return False
    try:
        first = json.loads(start.partition("\n")[0])
    except (ValueError, RecursionError):  # an object over many lines, or a long one
        return any(f'"{sign}"' in start for sign in SIGNS)
    return all(sign in first for sign in SIGNS)


def _fields(path: Path, held: str, start: str) -> set[str] | None:
    """Return the fields of a file's first record, None without one; of a table, its columns."""
    if held in _TABLES:
        return columns(path, start, _TABLES[held])
    with closing(_OWN[held](path)) as rows:
        first = next(rows, None)
    return set(first.values) if first else None


def read_prompts(path: Path | str, format: str | None = None) -> PromptFile:
    """Read the prompts of a file, or of a folder of relations.

    mlxjsd's own fields are ``prompt`` and ``subject`` (strings) and, optionally, ``answers``
    (list of strings), ``relation``, ``id``, ``subject_start`` (character offset) and
    ``popularity``; other fields are left alone. A prompt without an id is named after its
    content. A large file is read record by record.

    Args:
        path: of the file; LRE and EntityQuestions may be a folder of files.
        format: one of :data:`mlxjsd.prompts.formats.FORMATS`; None to recognise it by the content.

    Raises:
        InputError: if the file is missing, empty, not UTF-8 or in no known format, or a record
            is malformed; the message names the line or the record.
    """

    return read(Path(path), format)
