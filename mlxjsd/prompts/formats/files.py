"""The bytes of a data file: opened as UTF-8, hashed in chunks, never held as a whole."""

import codecs
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mlxjsd.errors import InputError

CHUNK = 1 << 20
#: A folder with more entries than this is taken for a wrong one, such as a home folder.
MOST_ENTRIES = 10_000


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open a file as UTF-8, with or without a byte order mark; lines end in ``\\n`` alone.

    Raises:
        InputError: if it cannot be opened, or is found not to be UTF-8 while it is read.
    """
    try:
        if path.exists() and not path.is_file():
            kind = "folder" if path.is_dir() else "device or a pipe"
            raise InputError(f"{path} is a {kind}", hint="name a file of prompts")
        with path.open("rb") as raw:
            _refuse_wide(path, raw.read(4))
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            yield file
    except FileNotFoundError:
        raise InputError(
            f"there is no data file {path}", hint="name a file of prompts with --data"
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", hint="name a file that may be read"
        ) from None
    except UnicodeDecodeError:
        line = _line_of_bad_bytes(path)
        raise InputError(
            f"{path} is not UTF-8 text: see line {line}", hint="convert the file to UTF-8"
        ) from None


def _refuse_wide(path: Path, head: bytes) -> None:
    # With a byte order mark; without one, every second byte of plain letters is zero.
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head:
        kind = "UTF-32" if b"\0\0" in head else "UTF-16"
        raise InputError(
            f"{path} is {kind} text",
            hint=f"convert it to UTF-8, for example with `iconv -f {kind} -t UTF-8`",
        )


def _line_of_bad_bytes(path: Path) -> int:
    """Say where decoding fails; the decoder of a text file knows only its own chunk."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n")
            if not chunk:
                return line
            line += chunk.count(b"\n")


def files_of(path: Path) -> list[Path]:
    """Return ``path`` itself or, of a folder, its JSON files: recursive, in a fixed order.

    Raises:
        InputError: for a folder that holds none, or so much that it was meant for another.
    """
    if not path.is_dir():
        return [path]
    found, seen = [], 0
    for folder, folders, names in os.walk(path):
        seen += len(folders) + len(names)
        if seen > MOST_ENTRIES:
            raise InputError(
                f"the folder {path} holds over {MOST_ENTRIES:,} files",
                hint="name the one that holds the relations alone",
            )
        found += [Path(folder, name) for name in names if name.lower().endswith(".json")]
    if not found:
        raise InputError(
            f"{path} is a folder without a .json file",
            hint="name a file of prompts, or a folder of relations",
        )
    return sorted(found, key=lambda file: file.relative_to(path).as_posix())


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file or, of a folder, of its JSON files' names and contents.

    Raises:
        InputError: if something cannot be read.
    """
    try:
        if not path.is_dir():
            return _file_hash(path)
        digest = hashlib.sha256()
        for file in files_of(path):
            name = file.relative_to(path).as_posix()
            digest.update(f"{name}\0{_file_hash(file)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", hint="name a file that may be read"
        ) from None


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
