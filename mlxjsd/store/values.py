"""Checks of single values that were read from a run file: each returns the value, or refuses it."""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from mlxjsd.store.damage import Damage

#: Characters of the longest text of a prompt.
MOST_TEXT = 4_000_000
#: Entries of the longest list.
MOST_ENTRIES = 10_000_000
#: How deep lists and objects lie in each other at most.
_DEEPEST = 20
#: The largest whole number that can be anything but a seed.
LARGEST = 10**9

Value = TypeVar("Value")
Check = Callable[[Any, str], Value]


def parsed(written: Any, name: str) -> Any:
    """Return the JSON value of a text.

    Raises:
        Damage: if it is none, or so deep that reading it takes more than it can be worth.
    """
    _is(isinstance(written, str), name, "is no text")
    try:
        found = json.loads(written)
    except (ValueError, RecursionError):
        raise Damage(f"{name} is no JSON") from None
    layer, depth = [found], 0
    while layer := [part for value in layer for part in _parts(value)]:
        depth += 1
        _is(depth < _DEEPEST, name, "is too deep")
    return found


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def text(value: Any, name: str) -> str:
    """A text that can be shown anywhere."""
    _is(isinstance(value, str) and len(value) <= MOST_TEXT, name, "is no text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Damage(f"{name} holds half a character") from None
    return str(value)


def named(value: Any, name: str) -> str:
    """A text that can name something: a file, a row, a prompt."""
    text(value, name)
    _is(0 < len(value) <= 100_000 and "\0" not in value, name, "is no name")
    return str(value)


def path(value: Any, name: str) -> str:
    """The name of a file or folder, which can hold bytes that are no UTF-8."""
    _is(isinstance(value, str) and 0 < len(value) <= 10_000, name, "is no path")
    try:
        _is(b"\0" not in os.fsencode(value), name, "is no path")
    except UnicodeEncodeError:
        raise Damage(f"{name} is no path") from None
    return str(value)


def boolean(value: Any, name: str) -> bool:
    """True or false."""
    _is(isinstance(value, bool), name, "is neither true nor false")
    return bool(value)


def integer(low: int = 0, high: int = LARGEST) -> Check[int]:
    """Return a check for whole numbers from ``low`` to ``high``."""

    def check(value: Any, name: str) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        _is(whole and low <= value <= high, name, f"is no whole number from {low} to {high}")
        return int(value)

    return check


def real(low: float = -math.inf, high: float = math.inf) -> Check[float]:
    """Return a check for finite numbers from ``low`` to ``high``."""

    def check(value: Any, name: str) -> float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        # Compared before it is made a float, which a huge whole number cannot be.
        finite = number and (
            abs(value) < 10**300 if isinstance(value, int) else math.isfinite(value)
        )
        _is(finite and low <= value <= high, name, f"is no number from {low:g} to {high:g}")
        return float(value)

    return check


def optional(check: Check[Value]) -> Check["Value | None"]:
    """Return a check that lets null pass as well."""
    return lambda value, name: None if value is None else check(value, name)


def listed(check: Check[Value], most: int = MOST_ENTRIES) -> Check[tuple[Value, ...]]:
    """Return a check for lists, of whose entries each is checked."""

    def check_list(value: Any, name: str) -> tuple[Value, ...]:
        _is(isinstance(value, list) and len(value) <= most, name, "is no list, or too long")
        return tuple(check(entry, f"an entry of {name}") for entry in value)

    return check_list


def mapped(check: Check[Value], most: int = MOST_ENTRIES) -> Check[dict[str, Value]]:
    """Return a check for objects, of whose values each is checked."""

    def check_mapping(value: Any, name: str) -> dict[str, Value]:
        _is(isinstance(value, dict) and len(value) <= most, name, "is no object, or too large")
        return {text(key, f"a key of {name}"): check(value[key], f"{key[:80]!r} of {name}")
                for key in value}  # fmt: skip

    return check_mapping


def with_keys(
    checks: Mapping[str, Check[Any]], required: Iterable[str] = ()
) -> Check[dict[str, Any]]:
    """Return a check for objects with keys of their own; others are left as they are."""

    def check(value: Any, name: str) -> dict[str, Any]:
        _is(isinstance(value, dict), name, "is no object")
        for key in required:
            _is(key in value, f"{key!r} of {name}", "is missing")
        return {
            key: checks[key](found, f"{key!r} of {name}") if key in checks else found
            for key, found in value.items()
        }

    return check


def anything(value: Any, name: str) -> Any:
    """A plain JSON value that is only shown or compared."""
    if isinstance(value, str):
        return text(value, name)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, list):
        return [anything(entry, f"an entry of {name}") for entry in value]
    if isinstance(value, dict):
        return mapped(anything)(value, name)
    return integer(-(2**63), 2**63)(value, name) if isinstance(value, int) else real()(value, name)


def as_it_is(value: Any, name: str) -> Any:
    """Anything at all, which is checked where it is used."""
    return value


def unique(names: tuple[Value, ...], name: str) -> tuple[Value, ...]:
    """Return ``names``, if each is there once."""
    _is(len(set(names)) == len(names), name, "names something twice")
    return names


def _is(sound: bool, name: str, otherwise: str) -> None:
    if not sound:
        raise Damage(f"{name} {otherwise}")
