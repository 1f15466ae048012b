"""Taking fields out of a record, each checked, each refusal a sentence that names the field."""

import json
import math
from collections.abc import Mapping
from typing import Any

from mlxjsd.errors import InputError

#: A record as it stands in a file.
Values = Mapping[str, Any]


def text(values: Values, field: str) -> str:
    """Return a string that must be there and hold something."""
    if field not in values:
        raise InputError(f'the field "{field}" is missing', hint="add it")
    value = values[field]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f'"{field}" must be a string with something in it', hint="write one")
    return whole(value, field)


def optional_text(values: Values, field: str) -> str | None:
    """Return a string that may be missing."""
    value = values.get(field)
    if value is not None and not isinstance(value, str):
        raise InputError(f'"{field}" must be a string', hint="put it in quotes")
    return None if value is None else whole(value, field)


def texts(values: Values, field: str) -> tuple[str, ...]:
    """Return a list of strings that may be missing."""
    value = values.get(field) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f'"{field}" must be a list of strings', hint='write it as ["...", "..."]')
    return tuple(whole(item, field) for item in value)


def identifier(values: Values, field: str) -> str | None:
    """Return a name that may be missing, a string or a whole number."""
    value = values.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(
            f'"{field}" must be a string or a number', hint="write one, or leave the field out"
        )
    return whole(str(value), field)


def offset(values: Values, field: str) -> int | None:
    """Return a character offset that may be missing."""
    value = values.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(
            f'"{field}" must be a character offset',
            hint="count the characters in front of the subject, or leave it out",
        )
    return value


def number(values: Values, field: str) -> float | None:
    """Return a number that may be missing; in a table it is a string."""
    value = values.get(field)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        found = float(value)
        if not math.isfinite(found):
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(
            f'"{field}" must be a finite number', hint="write one, or leave the field out"
        ) from None
    return found


def listed(cell: str, field: str) -> list[Any]:
    """Return the list that a table's cell holds as JSON."""
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise InputError(
            f'"{field}" must be a JSON list such as ["Paris"], not {cell[:60]!r}',
            hint="write one, or separate the answers by |",
        )
    return value


def one_gap(template: str, field: str) -> tuple[str, str]:
    """Return what stands before and after the ``{}`` of a template."""
    if template.count("{}") != 1:
        raise InputError(
            f'"{field}" must hold {{}} once, where the subject stands', hint="put it there"
        )
    before, _, after = template.partition("{}")
    return before, after


def whole(value: str, field: str) -> str:
    r"""Return ``value``, if it can be written as UTF-8: JSON's ``\ud800`` alone cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(
            f'"{field}" holds half a character (a lone surrogate)', hint="write the whole one"
        ) from None
    return value
