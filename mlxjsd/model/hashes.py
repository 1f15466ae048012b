"""One hash for all the files of a model, by which a run knows its model again.

Reading gigabytes of weights at every start takes longer than loading them. So the hashes of
weights are kept in the user's cache folder, each with what the file system says of its file.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG, S_IWGRP, S_IWOTH
from typing import Any, BinaryIO

from platformdirs import user_cache_path

from mlxjsd.errors import InputError, MachineError
from mlxjsd.files import write_whole
from mlxjsd.model.files import WEIGHTS, Files, model_files
from mlxjsd.model.lora import ADAPTER_FILES

#: A file that was written to so shortly before it was hashed may be written to again without
#: another time of modification.
RACY_NS = 2_000_000_000
#: The most hashes that are kept; the oldest go first.
MOST_KEPT = 1000
_WRITABLE_BY_OTHERS = S_IWGRP | S_IWOTH


@dataclass(frozen=True)
class Fingerprint:
    """What a model's files held when they were read."""

    sha256: str
    """Of their names and contents, those of the adapter included."""
    states: Mapping[Path, list[int]]
    """What the file system said of each."""

    def check_unchanged(self) -> None:
        """Raise ``InputError`` if a file is no longer what was hashed: it was loaded meanwhile."""
        for path, state in self.states.items():
            try:
                now = _state(path.stat())
            except OSError:
                now = []
            if now != state:
                raise _changed(path)


def hash_model(folder: Path, adapter: Path | None) -> str:
    """Hash what decides the numbers: names and contents of configuration, tokenizer, weights.

    Args:
        folder: of the model.
        adapter: folder of a LoRA adapter; None for none.
    """
    return fingerprint(model_files(folder), adapter).sha256


def fingerprint(files: Files, adapter: Path | None = None) -> Fingerprint:
    """Hash a model's files, and remember in which state they were.

    Names of files are never taken for hashes of their contents, not even in the Hub's cache.

    Args:
        files: of the model.
        adapter: folder of a LoRA adapter; None for none.

    Raises:
        InputError: if one cannot be read, or changes while it is.
    """
    states: dict[Path, list[int]] = {}
    model = _hash_files(files, states)
    if adapter is not None:
        own = {name: (adapter / name).resolve() for name in ADAPTER_FILES}
        adapted = f"{model}\0{_hash_files(own, states)}"
        model = hashlib.sha256(adapted.encode()).hexdigest()
    return Fingerprint(model, states)


def _hash_files(files: Files, states: dict[Path, list[int]]) -> str:
    digest = hashlib.sha256()
    for name, path in files.items():
        try:
            content, states[path] = _hash_weights(path) if name.endswith(WEIGHTS) else _read(path)
        except OSError as error:
            raise InputError(
                f"cannot read {path}: {error.strerror or error}",
                hint="name a model whose files may be read",
            ) from None
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def _hash_file(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _read(path: Path) -> tuple[str, list[int]]:
    """Return the sha256 of a file, and the state that it was in from the beginning to the end."""
    with path.open("rb") as file:
        state = _state(os.fstat(file.fileno()))
        content = _hash_file(file)
    if _state(path.stat()) != state:
        raise _changed(path)
    return content, state


def _hash_weights(path: Path) -> tuple[str, list[int]]:
    """Do the same; the file is read only if it is not the one that was hashed last."""
    began, stat = time.time_ns(), path.stat()
    file_id, (_, _, *state) = f"{stat.st_dev}:{stat.st_ino}", _state(stat)
    *kept_state, content = _read_kept().get(file_id, [""])
    if kept_state == state:
        return str(content), _state(stat)
    content, found = _read(path)
    if found == _state(stat) and stat.st_mtime_ns < began - RACY_NS:
        # What was written since then has changed the state, and is found by that.
        _keep(file_id, [*state, content])
    return content, found


def _changed(path: Path) -> InputError:
    return InputError(
        f"{path} changed while the model was read", hint="wait until it is whole, and try again"
    )


def _state(stat: os.stat_result) -> list[int]:
    """Return which file it is, and what changes when it is written to.

    The last changes even if the others are put back.
    """
    return [stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


# The file of hashes: {"files": {device:inode: [size, times, sha256]}, "sha256": of the former}.
# Nobody else may write to it, or what they wrote would be believed.


def _place() -> Path:
    return user_cache_path("mlxjsd", appauthor=False) / "weights.json"


def _read_kept() -> dict[str, list[Any]]:
    """Return the hashes that are kept, by file; none if they are not as they were written."""
    with suppress(OSError, ValueError, LookupError, TypeError, RuntimeError):
        # Without waiting, should it be a pipe.
        with os.fdopen(os.open(_place(), os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            stat = os.fstat(file.fileno())
            others = stat.st_uid != os.geteuid() or stat.st_mode & _WRITABLE_BY_OTHERS
            if others or not S_ISREG(stat.st_mode):
                return {}
            kept = json.loads(file.read())
        files: dict[str, list[Any]] = kept["files"]
        if kept["sha256"] == _seal(files):
            return files
    return {}


def _keep(file_id: str, entry: list[Any]) -> None:
    """Add an entry, if the cache can be written to.

    The file is read anew and replaced as a whole: of two processes that add one at the same
    moment, one may lose its entry, and hashes that file once more.
    """
    files = _read_kept()
    files.pop(file_id, None)
    files = dict([*files.items(), (file_id, entry)][-MOST_KEPT:])
    text = json.dumps({"files": files, "sha256": _seal(files)})
    with suppress(OSError, InputError, MachineError, RuntimeError):
        place = _place()
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(place, text.encode(), private=True)


def _seal(files: dict[str, list[Any]]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
