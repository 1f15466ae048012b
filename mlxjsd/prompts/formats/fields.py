"""Taking fields out of a record, each checked, each refusal a sentence that names the field."""

import json
import math
from collections.abc import Mapping
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats.guess import suggested
from mlxjsd.prompts.prompt import Counterfactual

#: A record as it stands in a file.
Values = Mapping[str, Any]


def text(values: Values, field: str) -> str:
    """Return a string that must be there and hold something."""
    if field not in values:
        raise missing(values, field)
    value = values[field]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f'"{field}" must be a string with something in it', hint="write one")
    return whole(value, field)


def missing(values: Values, field: str) -> InputError:
    """Return what is said of a record without a field: those that it has, and what to do."""
    return InputError(
        f'the field "{field}" is missing: there is {names(values)}',
        hint=f"add it, or say which field holds it with `--fields {suggested(values)}`",
    )


def names(values: Values) -> str:
    """Return the fields of a record in words, cut where there are many."""
    said = ", ".join(sorted(map(str, values)))
    return "".join(c for c in said if c.isprintable())[:160] or "none"


def optional_text(values: Values, field: str) -> str | None:
    """Return a string that may be missing."""
    value = values.get(field)
    if value is not None and not isinstance(value, str):
        raise InputError(f'"{field}" must be a string', hint="put it in quotes")
    return None if value is None else whole(value, field)


def counterfactual(values: Values) -> Counterfactual | None:
    """Return the pair of a prompt, which may be missing."""
    if values.get("counterfactual") in (None, ""):
        return None
    return Counterfactual(
        text(values, "counterfactual"),
        optional_text(values, "counterfactual_subject") or None,
        texts(values, "counterfactual_answers"),
    )


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


#: What may stand behind the place of the answer, the last of a pattern.
_BEHIND = " \t.,;:!?。।"


def cut_pattern(pattern: str) -> tuple[str, str] | None:
    """Return what stands before and after the subject of a pattern, up to the answer.

    Args:
        pattern: with [X] or {} for the subject, and [Y] for the answer where it has one.

    Returns:
        None if the subject is not there once, or if the answer is not the last thing.
    """
    asked, answer, behind = pattern.partition("[Y]")
    if behind.strip(_BEHIND):
        return None
    if answer:
        asked = asked.rstrip()
    gap = "[X]" if "[X]" in asked else "{}"
    if asked.count(gap) != 1:
        return None
    before, _, after = asked.partition(gap)
    return before, after


def flat_texts(values: Values, field: str) -> tuple[str, ...]:
    """Return answers that may be missing: a string, or lists of strings inside one another."""
    found: list[str] = []

    def collect(value: Any, depth: int) -> None:
        if isinstance(value, str):
            found.append(whole(value, field))
        elif isinstance(value, list) and depth < 5:
            for item in value:
                collect(item, depth + 1)
        elif value is not None:
            raise InputError(
                f'"{field}" must be a string or a list of strings', hint='write it as ["...", ...]'
            )

    collect(values.get(field), 0)
    return tuple(dict.fromkeys(found))


def stripped(answers: tuple[str, ...]) -> tuple[str, ...]:
    """Return answers without spaces at their ends, and without those that are nothing else."""
    return tuple(answer.strip() for answer in answers if answer.strip())


def whole(value: str, field: str) -> str:
    r"""Return ``value``, if it can be written as UTF-8: JSON's ``\ud800`` alone cannot."""
    if value.isascii():  # nearly always, and at once
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(
            f'"{field}" holds half a character (a lone surrogate)', hint="write the whole one"
        ) from None
    return value
