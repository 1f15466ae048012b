"""The names of rows as they are measured: an entry's key, and what it was asked for in.

``subj:denoising`` has its direction, ``attn:w9`` one of several windows.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from mlxjsd.rows import ROWS, Row

#: Which way a patch goes: corrupted states into the clean run, or clean ones into the corrupted.
DIRECTIONS = ("noising", "denoising", "both")

_DENOISING = "denoising"
_WINDOW = re.compile(r"w(\d{1,6})")


def named(key: str, direction: str, windows: Sequence[int]) -> tuple[str, ...]:
    """Return the names under which one row is measured; none if it has not that direction.

    Args:
        key: of the row.
        direction: one of :data:`DIRECTIONS`.
        windows: of the knockouts, in blocks.
    """
    row = ROWS[key]
    if not row.by_layer:
        return (key,)
    several = row.kind == "knockout" and len(windows) > 1
    noising = tuple(f"{key}:w{window}" for window in windows) if several else (key,)
    return directed(noising, (restored(key),) if row.denoises else (), direction)


def directed(
    noising: tuple[str, ...], denoising: tuple[str, ...], direction: str
) -> tuple[str, ...]:
    """Return those of two directions that are asked for by one of :data:`DIRECTIONS`."""
    found = {"noising": noising, "denoising": denoising, "both": (*noising, *denoising)}
    return found[direction]


def restored(key: str) -> str:
    """Return the name of a row or a map in the direction that restores the clean run."""
    return f"{key}:{_DENOISING}"


def base_of(name: str) -> str:
    """Return a name without its direction and window: ``attn`` of ``attn:w9``."""
    return name.partition(":")[0]


def is_denoising(name: str) -> bool:
    """Say whether what is so named restores the clean run."""
    return _DENOISING in name.split(":")[1:]


def row_of(name: str) -> Row:
    """Return the row of this name, with the direction and the window that it is measured in.

    Raises:
        KeyError: if there is none, as in a run file of a newer version.
    """
    key, *asked = name.split(":")
    return _asked_for(ROWS[key], name, tuple(asked))


@lru_cache(maxsize=1000)
def _asked_for(row: Row, name: str, asked: tuple[str, ...]) -> Row:
    for one in asked:
        if one == _DENOISING and row.denoises:
            row = replace(
                row,
                label=f"{row.label} restored",
                states="clean",
                edit=row.restored_edit,
                help=row.restored_help,
            )
        elif (match := _WINDOW.fullmatch(one)) and row.kind == "knockout":
            row = replace(row, label=f"{row.label} w{match[1]}", window=int(match[1]))
        else:
            raise KeyError(name)
    return replace(row, key=name)


def find(name: str) -> Row | None:
    """Return the row of this name, or None."""
    try:
        return row_of(name)
    except KeyError:
        return None


def label(name: str) -> str:
    """Return how a row is written where people look, also one that only its run file knows."""
    row = find(name)
    return name if row is None else row.label
