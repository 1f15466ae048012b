"""Checks of a model's folder before it is loaded: what is missing or cut off is reported at once.

MLX maps weight files into memory, so it finds out that one is cut off only when it reads the
file's last tensor, or never.
"""

import json
import re
import struct
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError, said_by

INDEX = "model.safetensors.index.json"
#: Bytes: a length beyond this is not that of a header.
_LARGEST_HEADER = 100_000_000


def read_config(folder: Path) -> dict[str, Any]:
    """Return a model's configuration.

    Raises:
        InputError: if ``config.json`` is not JSON, or does not say of which type the model is.
    """
    path = folder / "config.json"
    config = _json_object(path)
    kind = config.get("model_type")
    if not isinstance(kind, str) or not re.fullmatch(r"[\w.-]+", kind):
        raise InputError(
            f"{path} does not say of which type the model is (model_type)",
            hint="name a folder of a model",
        )
    return config


def check_weights(folder: Path) -> None:
    """Raise ``InputError`` if weight files are missing, cut off, or not what they should be."""
    index = folder / INDEX
    if index.is_file():
        named = _json_object(index).get("weight_map")
        if not isinstance(named, dict) or not all(isinstance(n, str) for n in named.values()):
            raise InputError(
                f"{index} does not say which file holds which weight",
                hint="download or copy the model again",
            )
        names = sorted(set(named.values()))
        if missing := [name for name in names if not (folder / name).is_file()]:
            listed = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise InputError(
                f"{len(missing)} of the {len(names)} weight files of {folder} are missing: "
                f"{listed}",
                hint="download or copy the model again",
            )
        files = [folder / name for name in names]
    else:
        files = sorted(folder.glob("model*.safetensors"))
        if not files:
            raise InputError(
                f"{folder} holds no weights (model*.safetensors)",
                hint="name a model in MLX's or Hugging Face's safetensors format",
            )
    for path in files:
        _check_safetensors(path)


def _check_safetensors(path: Path) -> None:
    """Compare a file's length with what its header says: 8 bytes, the header, the tensors."""
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
            ends = [about["data_offsets"][1] for name, about in header.items() if name[:2] != "__"]
            whole = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise InputError(
                f"{path} is not a file of safetensors", hint="download or copy the model again"
            ) from None
    if size < whole:
        raise InputError(
            f"{path} is cut off: it ends after {size} bytes",
            hint="download or copy the model again",
        )


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
