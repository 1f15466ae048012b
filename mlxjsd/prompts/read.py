"""Prompts of a file, a folder or the Hub: recognised by the content, each with an id of its own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.prompts.facts import fact_prompts, names_facts
from mlxjsd.prompts.formats import ANY, FORMATS, Container, Format, fits
from mlxjsd.prompts.formats.columns import MARK
from mlxjsd.prompts.formats.containers import Table
from mlxjsd.prompts.formats.fields import Values, names
from mlxjsd.prompts.formats.files import content_hash, files_of, is_saved
from mlxjsd.prompts.formats.guess import KEYS, suggested
from mlxjsd.prompts.formats.json_stream import WINDOW
from mlxjsd.prompts.formats.kinds import COLUMNS
from mlxjsd.prompts.formats.opening import open_text, sniff
from mlxjsd.prompts.formats.registry import OWN
from mlxjsd.prompts.hub_data import HubData, fetched, names_hub
from mlxjsd.prompts.mapping import NAME, FieldMap
from mlxjsd.prompts.prompt import Prompt, PromptFile


def read_prompts(
    path: Path | str, format: str | None = None, fields: str | None = None
) -> PromptFile:
    """Read the prompts of a file, of a folder of files, or of a data set of the Hub.

    mlxjsd's own fields are ``prompt`` and ``subject`` (strings) and, optionally, ``answers``
    (list of strings), ``relation``, ``id``, ``subject_start`` (character offset) and
    ``popularity``; other fields are left alone. A prompt without an id is named after its
    content. A large file is read record by record, compressed (.gz, .xz, .zst) or not.

    Args:
        path: of the file, or of a folder in a format that may be one. "facts" stands for the
            project's own tables of facts, "hf:OWNER/NAME" for a data set of the Hub; see
            :mod:`mlxjsd.prompts.hub_data`.
        format: one of :data:`mlxjsd.prompts.formats.FORMATS`; None to recognise it by the content.
        fields: which field holds what, as in "prompt=src,answers=alt"; see
            :mod:`mlxjsd.prompts.mapping`. None for those of the format.

    Raises:
        InputError: if the file is missing, empty, of a kind that is not read or in no known
            format, or a record is malformed; the message names the line or the record, and the
            fields that are there.
    """
    path = Path(path)
    if names_facts(path):
        return fact_prompts()
    asked = _Asked.of(format, fields)
    if names_hub(path):
        hub, files = fetched(HubData.parse(path))
        return replace(
            _read(Path(str(hub)), files, asked, in_folder=False),
            sha256=hub.sha256,
            revision=hub.revision,
        )
    # A folder is walked at once, not when all is read: it may be the wrong one, and large.
    files = files_of(path)
    in_folder = path.is_dir() and not is_saved(path)
    if in_folder and asked.format is not None and not asked.format.folders:
        raise InputError(
            f"{path} is a folder", hint=f"name a file in the format {asked.format.name}"
        )
    found = _read(path, files, asked, in_folder)
    return replace(found, sha256=data_hash(path, found.format))


def data_hash(path: Path, format: str | None = None) -> str:
    """Return the SHA-256 by which a run knows its prompts; see :class:`PromptFile`.

    Args:
        path: as in :func:`read_prompts`.
        format: in which it is read; it says what else is read beside the path.

    Raises:
        InputError: if something cannot be read.
    """
    if names_facts(path):
        return fact_prompts().sha256
    if names_hub(path):
        return HubData.parse(path).sha256
    known = FORMATS.get(format or "")
    beside: dict[Path, None] = {}
    if known is not None and known.beside is not None:
        for file in files_of(path):
            beside.update(dict.fromkeys(known.beside(file)))
    return content_hash(path, beside)


@dataclass(frozen=True)
class _Asked:
    """How a file is to be read, as far as that was said."""

    format: Format | None = None
    fields: FieldMap | None = None

    @classmethod
    def of(cls, format: str | None, fields: str | None) -> "_Asked":
        if fields is not None:
            if format not in (None, NAME):
                raise InputError(
                    "--fields says how a record is read, and so does --format",
                    hint="give one of the two",
                )
            return cls(fields=FieldMap.parse(fields))
        if format is not None and format not in FORMATS:
            raise InputError(
                f"--format is {', '.join(FORMATS)}, not {format!r}",
                hint="give one of them, or leave it out",
            )
        return cls(None if format is None else FORMATS[format])

    def for_file(self, path: Path, start: str, known: Format | None) -> tuple[Format, Container]:
        """Return the format and the container of a file.

        Args:
            path: of the file.
            start: how it starts.
            known: the format of the files before it: all files of a folder are of one kind.
        """
        if self.fields is None:
            format = self.format or known or _recognised(path, start)
            return format, _container(format.containers, start)
        container = _container(ANY, start)
        if (first := container.first(path, start)) is not None:
            self.fields.check(first, str(path))
        return self.fields.format(in_cells=isinstance(container, Table)), container


def _read(path: Path, files: Sequence[Path], asked: _Asked, in_folder: bool) -> PromptFile:
    """Return the prompts of all files, without their hash."""
    ids, format, further = _Ids(), None, _Further()
    prompts: list[Prompt] = []
    for file in files:
        start = _start(file)
        format, container = asked.for_file(file, start, format)
        if in_folder and not format.folders:
            raise InputError(
                f"{file} is in the format {format.name}; only {_in_folders()} are read as folders",
                hint="name that file",
            )
        prompts.extend(ids.give(file, _prompts(file, format, container, further)))
    if format is None or not prompts:
        raise _empty(path, format)
    return PromptFile(
        path,
        "",
        tuple(prompts),
        format.name,
        None if asked.fields is None else str(asked.fields),
        further.asks,
        notes=further.notes(format, any(prompt.answers for prompt in prompts)),
    )


def _start(path: Path) -> str:
    """Return the first part of a file, from its first character that is no space."""
    if (kind := sniff(path)) in COLUMNS.values():
        return MARK + kind
    with open_text(path) as file:
        while chunk := file.read(WINDOW):
            if found := chunk.lstrip():
                return found + file.read(WINDOW)
    raise _empty(path, None)


def _recognised(path: Path, start: str) -> Format:
    """Return the format of a file, by the fields of its first record."""
    seen: dict[Container, set[str]] = {}
    for format in reversed(FORMATS.values()):
        for container in format.containers:
            if container not in seen:
                seen[container] = _fields(container, path, start)
            if fits(format, seen[container]):
                return format
    first = _container(ANY, start).first(path, start)
    if first is None:
        raise _empty(path, None)
    raise InputError(
        f"{path} is in no known format: its first record has the fields {names(first)}",
        hint=f"say which one holds what with `--fields {suggested(first)}`",
    )


def _fields(container: Container, path: Path, start: str) -> set[str]:
    """Return the fields of the first record in a container; none if the file is held otherwise."""
    if not container.fits(start):
        return set()
    try:
        return set(container.first(path, start) or ())
    except InputError:
        return set()


def _container(containers: Sequence[Container], start: str) -> Container:
    """Return the one that fits, or the first one, which then says why it does not."""
    return next((each for each in containers if each.fits(start)), containers[0])


class _Further:
    """What the records hold that no prompt was made of."""

    def __init__(self) -> None:
        self.first: Values = {}
        self.skipped: dict[str, int] = {}
        """Records that ask nothing, by their file."""
        self.asks: str | None = None
        """See :attr:`mlxjsd.prompts.formats.Format.asks`; None if no record says so."""

    def notes(self, format: Format, answered: bool) -> tuple[str, ...]:
        """Return a sentence for each thing that a reader should know."""
        said = []
        if format.signs and all(signs <= OWN for signs in format.signs) and not answered:
            left = {k: v for k, v in self.first.items() if k not in KEYS or k == "template"}
            if left:
                said.append(
                    f"no prompt has answers; what {names(left)} hold is not read: "
                    "`--fields answers=FIELD` reads it"
                )
        if self.skipped:
            files = ", ".join(f"{name} ({count})" for name, count in self.skipped.items())
            said.append(f"no pattern ends with the answer for the records of {files[:300]}")
        return tuple(said)


def _prompts(
    path: Path, format: Format, container: Container, further: _Further
) -> Iterator[tuple[str, Prompt, bool]]:
    """Yield the place, the prompt, and whether its id was given."""
    read, parts = format.reader, None if format.parts is None else format.parts(path)
    for row in container.rows(path):
        place = row.place
        further.first = further.first or row.values
        if format.asks is not None:
            further.asks = further.asks or format.asks(row.values)
        try:
            if parts is None:
                yield (place, *read(row.values, path))
                continue
            nothing = True
            for part, values in parts(row.values):
                nothing, place = False, f"{row.place}, {part}"
                yield (place, *read(values, path))
        except InputError as error:
            raise error.at(f"{path}, {place}") from None
        if nothing:
            further.skipped[path.name] = further.skipped.get(path.name, 0) + 1


class _Ids:
    """Keeps the ids of prompts unique."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[Path, str]] = {}
        self._copies: dict[str, int] = {}

    def give(self, path: Path, found: Iterable[tuple[str, Prompt, bool]]) -> Iterator[Prompt]:
        """Yield the prompts of a file; a computed id that another prompt has gets a number."""
        for place, prompt, named in found:
            name = prompt.id
            if not named:
                while name in self._places:
                    self._copies[prompt.id] = self._copies.get(prompt.id, 1) + 1
                    name = f"{prompt.id}-{self._copies[prompt.id]}"
            elif name in self._places:
                file, other = self._places[name]
                raise InputError(
                    f"{path}, {place} has the id {name!r} of "
                    f"{other if file == path else f'{file}, {other}'}",
                    hint="give each an id of its own",
                )
            self._places[name] = path, place
            yield prompt if name == prompt.id else replace(prompt, id=name)


def _in_folders() -> str:
    return " and ".join(format.name for format in FORMATS.values() if format.folders)


def _empty(path: Path, format: Format | None) -> InputError:
    hint = Format.if_empty if format is None else format.if_empty
    return InputError(f"{path} is empty: it holds no prompt", hint=f"{hint}")
