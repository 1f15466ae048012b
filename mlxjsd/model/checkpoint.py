"""Looking at a model's folder before it is loaded: what is missing or cut off says so at once.

MLX maps weight files into memory, so that one that was cut off is found out only when its last
tensor is read, or never.
"""

import json
import re
import struct
from pathlib import Path
from typing import Any

from mlxjsd import messages
from mlxjsd.errors import InputError, said_by

INDEX = "model.safetensors.index.json"
#: A header larger than this is none.
_MOST_HEADER = 100_000_000


def read_config(folder: Path) -> dict[str, Any]:
    """Return a model's configuration.

    Raises:
        InputError: if ``config.json`` is not JSON, or does not say of which type the model is.
    """
    path = folder / "config.json"
    config = _json_object(path)
    kind = config.get("model_type")
    if not isinstance(kind, str) or not re.fullmatch(r"[\w.-]+", kind):
        raise InputError(messages.NO_MODEL_TYPE(path=path))
    return config


def check_weights(folder: Path) -> None:
    """Raise ``InputError`` if weight files are missing, cut off, or not what they should be."""
    index = folder / INDEX
    if index.is_file():
        named = _json_object(index).get("weight_map")
        if not isinstance(named, dict) or not all(isinstance(n, str) for n in named.values()):
            raise InputError(messages.BAD_INDEX(path=index))
        names = sorted(set(named.values()))
        if missing := [name for name in names if not (folder / name).is_file()]:
            listed = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise InputError(
                messages.WEIGHTS_MISSING(
                    folder=folder, count=len(missing), total=len(names), names=listed
                )
            )
        files = [folder / name for name in names]
    else:
        files = sorted(folder.glob("model*.safetensors"))
        if not files:
            raise InputError(messages.NO_WEIGHTS(folder=folder))
    for path in files:
        _check_safetensors(path)


def _check_safetensors(path: Path) -> None:
    """Compare a file's length with what its header says: 8 bytes, the header, the tensors."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= length <= min(_MOST_HEADER, size - 8):
            raise InputError(messages.WEIGHTS_CUT_OFF(path=path, size=size))
        try:
            header = json.loads(file.read(length))
            ends = [about["data_offsets"][1] for name, about in header.items() if name[:2] != "__"]
            whole = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise InputError(messages.NOT_SAFETENSORS(path=path)) from None
    if size < whole:
        raise InputError(messages.WEIGHTS_CUT_OFF(path=path, size=size))


def _json_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(messages.CANNOT_READ(path=path, why=error.strerror or error)) from None
    except (ValueError, RecursionError) as error:
        raise InputError(messages.NOT_JSON(path=path, why=said_by(error, 120))) from None
    if not isinstance(found, dict):
        raise InputError(messages.NOT_JSON(path=path, why="it is no object"))
    return found
