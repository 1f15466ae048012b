"""Checks of a model's folder before it is loaded: what is missing or cut off is reported at once.

MLX maps weight files into memory, so it finds out that one is cut off only when it reads the
file's last tensor, or never.
"""

import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError, said_by
from mlxjsd.model.files import LOADED_WEIGHTS, Files, loaded_weights

INDEX = "model.safetensors.index.json"
#: Bytes: a length beyond this is not that of a header.
_LARGEST_HEADER = 100_000_000
#: The largest models have hundreds of blocks, and hundreds of experts in each.
_MOST_BUILT = 2048
#: How configurations name how many blocks or experts there are ...
_COUNT = re.compile(r"(n|num)_(\w+_)?(layers?|blocks?|experts?)|\w*_num_experts")
#: ... and what holds an entry for each.
_OF_BLOCKS = re.compile(r"layer|block|pattern|modules")


def read_config(folder: Path) -> dict[str, Any]:
    """Return a model's configuration.

    Raises:
        InputError: if ``config.json`` is not JSON, does not say of which type the model is, or
            asks for more than can be built.
    """
    path = folder / "config.json"
    config = _json_object(path)
    kind = config.get("model_type")
    if not isinstance(kind, str) or not re.fullmatch(r"[\w.-]+", kind):
        raise InputError(
            f"{path} does not say of which type the model is (model_type)",
            hint="name a folder of a model",
        )
    check_size(path, config)
    return config


def check_size(path: Path, config: dict[str, Any]) -> None:
    """Raise ``InputError`` for more blocks or experts than a model can have.

    They are built one by one, before a weight is looked at: with enough of them, without end.
    """
    for key, value in _counts(config):
        if value > _MOST_BUILT:
            raise InputError(
                f"{path} asks for too much: {key} is {str(value)[:12]}, and {_MOST_BUILT} is the "
                "most",
                hint="download or copy the model again",
            )


def _counts(config: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _counts(value)
        elif isinstance(value, list | str) and _OF_BLOCKS.search(key):
            yield f"the length of {key}", len(value)
        elif isinstance(value, int | float) and _COUNT.fullmatch(key):
            yield key, value


def check_weights(folder: Path, files: Files) -> None:
    """Raise ``InputError`` if weight files are missing, cut off, or not what they should be.

    All that MLX-LM loads are looked at, whether the index names them or not.
    """
    index, loaded = folder / INDEX, loaded_weights(files)
    if INDEX in files:
        named = _json_object(index).get("weight_map")
        if not isinstance(named, dict) or not all(isinstance(n, str) for n in named.values()):
            raise InputError(
                f"{index} does not say which file holds which weight",
                hint="download or copy the model again",
            )
        names = sorted(set(named.values()))
        if missing := [name for name in names if name not in files]:
            listed = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise InputError(
                f"{len(missing)} of the {len(names)} weight files of {folder} are missing: "
                f"{listed}",
                hint="download or copy the model again",
            )
    if not loaded:
        raise InputError(
            f"{folder} holds no weights ({LOADED_WEIGHTS})",
            hint="name a model in MLX's or Hugging Face's safetensors format",
        )
    held: dict[str, str] = {}
    for file in loaded:
        for weight in _check_safetensors(folder / file):
            if (other := held.setdefault(weight, file)) != file:
                raise InputError(
                    f"both {other} and {file} of {folder} hold the weight {weight}, and either "
                    "may be the one that is loaded",
                    hint="take the file away that does not belong to the model",
                )


def _check_safetensors(path: Path) -> list[str]:
    """Return the names of a file's tensors.

    Its length is compared with what its header says: 8 bytes, the header, the tensors.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
            raise InputError(
                f"{path} is cut off: it ends after {size} bytes",
                hint="download or copy the model again",
            )
        try:
            header = json.loads(file.read(length))
            ends = {n: about["data_offsets"][1] for n, about in header.items() if n[:2] != "__"}
            whole = 8 + length + max(ends.values(), default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            raise InputError(
                f"{path} is not a file of safetensors", hint="download or copy the model again"
            ) from None
    if size < whole:
        raise InputError(
            f"{path} is cut off: it ends after {size} bytes",
            hint="download or copy the model again",
        )
    return list(ends)


def _json_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", hint="name a file that may be read"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is not JSON: {said_by(error, 120)}", hint="download or copy the model again"
        ) from None
    if not isinstance(found, dict):
        raise InputError(
            f"{path} is not JSON: it is no object", hint="download or copy the model again"
        )
    return found
