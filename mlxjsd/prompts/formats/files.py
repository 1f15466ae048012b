"""Which files a path stands for, and the hash by which they are known."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats.opening import CHUNK

#: A folder with more entries than this is taken for a wrong one, such as a home folder.
MOST_ENTRIES = 10_000
#: What prompts may end in that lie in a folder, and what may follow it.
_ENDINGS = (".json", ".jsonl")
_PACKED = (".gz", ".xz", ".zst")
#: Patterns that lie beside prompts: LAMA's and BEAR's.
PATTERNS = frozenset({"relations.jsonl", "metadata_relations.json"})
#: What tells that a folder was written by ``datasets``.
_SAVED, _SPLITS = "state.json", "dataset_dict.json"


def files_of(path: Path) -> list[Path]:
    """Return ``path`` itself or, of a folder, its files of prompts: recursive, in a fixed order.

    Raises:
        InputError: for a folder that holds none, or so much that it was meant for another.
    """
    if not path.is_dir():
        return [path]
    if is_saved(path):
        return _saved_files(path)
    found, seen = [], 0
    for folder, folders, names in os.walk(path):
        seen += len(folders) + len(names)
        if seen > MOST_ENTRIES:
            raise InputError(
                f"the folder {path} holds over {MOST_ENTRIES:,} files",
                hint="name the one that holds the relations alone",
            )
        found += [Path(folder, name) for name in names if _holds_prompts(name)]
    if not found:
        raise InputError(
            f"{path} is a folder without a .json or .jsonl file",
            hint="name a file of prompts, or a folder of relations",
        )
    return sorted(found, key=lambda file: file.relative_to(path).as_posix())


def _holds_prompts(name: str) -> bool:
    lowered = name.lower()
    for packed in _PACKED:
        lowered = lowered.removesuffix(packed)
    return lowered.endswith(_ENDINGS) and lowered not in PATTERNS


def is_saved(path: Path) -> bool:
    """Say whether a folder was written by ``save_to_disk`` of ``datasets``."""
    return any((path / name).is_file() for name in (_SAVED, _SPLITS))


def _saved_files(path: Path) -> list[Path]:
    """Return the files of a saved data set, as its own list has them."""
    if (path / _SPLITS).is_file():
        splits = _listed(path / _SPLITS, "splits")
        if len(splits) != 1:
            raise InputError(
                f"{path} holds the splits {', '.join(splits)[:200] or 'none'}",
                hint=f"name one of them, such as {path / splits[0] if splits else path}",
            )
        path = path / splits[0]
    files = [path / name for name in _listed(path / _SAVED, "_data_files")]
    if not files:
        raise InputError(f"{path} is empty: it holds no prompt", hint="name one that holds some")
    return files


def _listed(path: Path, key: str) -> list[str]:
    """Return the names in a list that ``datasets`` wrote; each stays in its folder."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))[key]
        names = [each["filename"] if isinstance(each, dict) else each for each in found]
        if all(isinstance(name, str) and Path(name).name == name for name in names):
            return names
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        pass
    raise InputError(
        f"{path} is damaged: it does not list the {key.strip('_').replace('_', ' ')}",
        hint="save the data set anew with `save_to_disk`",
    )


def content_hash(path: Path, beside: Iterable[Path] = ()) -> str:
    """Return the SHA-256 of a file or, of a folder, of its files' names and contents.

    Args:
        path: of the file or folder.
        beside: other files that the prompts are read from.

    Raises:
        InputError: if something cannot be read.
    """
    try:
        digest = hashlib.sha256()
        if not path.is_dir():
            whole = _file_hash(path)
        else:
            for file in files_of(path):
                name = file.relative_to(path).as_posix()
                digest.update(f"{name}\0{_file_hash(file)}\n".encode(errors="surrogateescape"))
            whole = digest.hexdigest()
        if others := [_file_hash(file) for file in beside]:
            whole = hashlib.sha256("\n".join([whole, *others]).encode()).hexdigest()
        return whole
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
