"""One hash for all the files of a model, by which a run knows its model again.

Reading gigabytes of weights at every start takes longer than loading them. So the hashes of
weights are kept in the user's cache folder, each with what the file system says of its file.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from platformdirs import user_cache_path

from mlxjsd.errors import InputError, MachineError
from mlxjsd.files import write_whole
from mlxjsd.model.lora import ADAPTER_FILES

#: Files whose hashes are kept; all others of a model are small, and read each time.
WEIGHTS = ".safetensors"
#: A file that was written to so shortly before it was hashed may be written to again without
#: another time of modification.
RACY_NS = 2_000_000_000
#: The most hashes that are kept; the oldest go first.
MOST_KEPT = 1000


def hash_model(folder: Path, adapter: Path | None) -> str:
    """Hash what decides the numbers: names and contents of configuration, tokenizer, weights.

    Args:
        folder: of the model.
        adapter: folder of a LoRA adapter; None for none.
    """
    wanted = ("*.safetensors", "*.json", "*.model", "*.jinja", "*.py", "*.txt")
    found = {p for pattern in wanted for p in folder.glob(pattern) if p.is_file()}
    model = _hash_files(sorted(found))
    if adapter is None:
        return model
    adapted = f"{model}\0{_hash_files([adapter / name for name in ADAPTER_FILES])}"
    return hashlib.sha256(adapted.encode()).hexdigest()


def _hash_files(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        real = path.resolve()
        if real.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", real.name):
            content = real.name  # the Hub's cache names large files by their sha256
        elif path.suffix == WEIGHTS:
            content = _hash_weights(path)
        else:
            with path.open("rb") as file:
                content = _hash_file(file)
        digest.update(f"{path.name}\0{content}\n".encode())
    return digest.hexdigest()


def _hash_file(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _hash_weights(path: Path) -> str:
    """Return the sha256 of a file, which is read only if it is not the one that was hashed last."""
    began, stat = time.time_ns(), path.stat()
    file_id, state = f"{stat.st_dev}:{stat.st_ino}", _state(stat)
    *kept_state, content = _read_kept().get(file_id, [""])
    if kept_state == state:
        return str(content)
    with path.open("rb") as file:
        content = _hash_file(file)
    if stat.st_mtime_ns < began - RACY_NS:
        # What was written since then has changed the state, and is found by that.
        _keep(file_id, [*state, content])
    return content


def _state(stat: os.stat_result) -> list[int]:
    """Return what changes when a file is written to, the last even if the others are put back."""
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


# The file of hashes: {"files": {device:inode: [*state, sha256]}, "sha256": of the former}.


def _place() -> Path:
    return user_cache_path("mlxjsd", appauthor=False) / "weights.json"


def _read_kept() -> dict[str, list[Any]]:
    """Return the hashes that are kept, by file; none if they are not as they were written."""
    with suppress(OSError, ValueError, LookupError, TypeError, RuntimeError):
        kept = json.loads(_place().read_bytes())
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
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, text.encode())


def _seal(files: dict[str, list[Any]]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
