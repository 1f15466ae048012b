"""Prompts of a file or a folder: the format is recognised by the content, each id is unique."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.prompts.facts import fact_prompts, names_facts
from mlxjsd.prompts.formats import ANY, FORMATS, Container, Format
from mlxjsd.prompts.formats.files import content_hash, files_of, open_text
from mlxjsd.prompts.formats.json_stream import WINDOW
from mlxjsd.prompts.prompt import Prompt, PromptFile


def read_prompts(path: Path | str, format: str | None = None) -> PromptFile:
    """Read the prompts of a file, or of a folder of relations.

    mlxjsd's own fields are ``prompt`` and ``subject`` (strings) and, optionally, ``answers``
    (list of strings), ``relation``, ``id``, ``subject_start`` (character offset) and
    ``popularity``; other fields are left alone. A prompt without an id is named after its
    content. A large file is read record by record.

    Args:
        path: of the file; LRE and EntityQuestions may be a folder of files. "facts" stands for
            the project's own tables of facts.
        format: one of :data:`mlxjsd.prompts.formats.FORMATS`; None to recognise it by the content.

    Raises:
        InputError: if the file is missing, empty, not UTF-8 or in no known format, or a record
            is malformed; the message names the line or the record.
    """
    path = Path(path)
    if names_facts(path):
        return fact_prompts()
    if format is not None and format not in FORMATS:
        raise InputError(
            f"--format is {', '.join(FORMATS)}, not {format!r}",
            hint="give one of them, or leave it out",
        )
    # A folder is walked at once, not when all is read: it may be the wrong one, and large.
    files = files_of(path)
    in_folder = path.is_dir()
    chosen = None if format is None else FORMATS[format]
    if in_folder and chosen is not None and not chosen.folders:
        raise InputError(f"{path} is a folder", hint=f"name a file in the format {chosen.name}")
    ids = _Ids()
    prompts: list[Prompt] = []
    for file in files:
        start = _start(file)
        chosen = chosen or _recognised(file, start)  # all files of a folder are of one kind
        if in_folder and not chosen.folders:
            raise InputError(
                f"{file} is in the format {chosen.name}; only {_in_folders()} are read as folders",
                hint="name that file",
            )
        prompts.extend(ids.give(_prompts(file, chosen, _container(chosen.containers, start))))
    if chosen is None or not prompts:
        raise _empty(path)
    return PromptFile(path, content_hash(path), tuple(prompts), chosen.name)


def data_hash(path: Path) -> str:
    """Return the SHA-256 by which a run knows its prompts; see :class:`PromptFile`.

    Raises:
        InputError: if something cannot be read.
    """
    return fact_prompts().sha256 if names_facts(path) else content_hash(path)


def _start(path: Path) -> str:
    """Return the first part of a file, from its first character that is no space."""
    with open_text(path) as file:
        while chunk := file.read(WINDOW):
            if found := chunk.lstrip():
                return found + file.read(WINDOW)
    raise _empty(path)


def _recognised(path: Path, start: str) -> Format:
    """Return the format of a file, by the fields of its first record."""
    seen: dict[Container, set[str]] = {}
    for format in reversed(FORMATS.values()):
        for container in format.containers:
            if container not in seen:
                seen[container] = _fields(container, path, start)
            if any(signs <= seen[container] for signs in format.signs):
                return format
    found = _container(ANY, start).fields(path, start)
    if found is None:
        raise _empty(path)
    said = "".join(c for c in ", ".join(sorted(found)) if c.isprintable())[:120] or "none"
    raise InputError(
        f"{path} is in no known format: its first record has the fields {said}",
        hint=f"give it the fields prompt and subject, or one of the formats {', '.join(FORMATS)}",
    )


def _fields(container: Container, path: Path, start: str) -> set[str]:
    """Return the fields of the first record in a container; none if the file is held otherwise."""
    if not container.fits(start):
        return set()
    try:
        return container.fields(path, start) or set()
    except InputError:
        return set()


def _container(containers: Sequence[Container], start: str) -> Container:
    """Return the one that fits, or the first one, which then says why it does not."""
    return next((each for each in containers if each.fits(start)), containers[0])


def _prompts(
    path: Path, format: Format, container: Container
) -> Iterator[tuple[str, Prompt, bool]]:
    """Yield the place, the prompt, and whether its id was given."""
    for row in container.rows(path):
        place = f"{path}, {row.place}"
        try:
            prompt, named = format.reader(row.values, path)
        except InputError as error:
            raise error.at(place) from None
        yield place, prompt, named


class _Ids:
    """Keeps the ids of prompts unique."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._copies: dict[str, int] = {}

    def give(self, found: Iterator[tuple[str, Prompt, bool]]) -> Iterator[Prompt]:
        """Yield the prompts; a computed id that another prompt has gets a number."""
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


def _in_folders() -> str:
    return " and ".join(format.name for format in FORMATS.values() if format.folders)


def _empty(path: Path) -> InputError:
    return InputError(f"{path} is empty: it holds no prompt", hint="name a file that holds some")
