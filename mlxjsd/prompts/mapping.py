"""Which field of a file holds what: ``--fields prompt=src,answers=alt``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import Format, fields
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.formats.guess import KEYS
from mlxjsd.prompts.formats.made import made, place
from mlxjsd.prompts.formats.own import in_cell, typed
from mlxjsd.prompts.prompt import Prompt

#: What a run stores as the format of a file that is read by such a mapping.
NAME = "fields"


@dataclass(frozen=True)
class FieldMap:
    """Which field of a record holds what of a prompt."""

    named: Mapping[str, str]
    """The field for each of :data:`KEYS` that was named."""

    @classmethod
    def parse(cls, typed: str) -> "FieldMap":
        """Read ``prompt=src,answers=alt``.

        Raises:
            InputError: if it is no such list, names something twice, or nothing to ask.
        """
        named: dict[str, str] = {}
        for part in typed.split(","):
            key, equals, field = (piece.strip() for piece in part.partition("="))
            if not equals or not field or key not in KEYS:
                raise InputError(
                    f"--fields names {', '.join(KEYS)}, not {part.strip()[:60]!r}",
                    hint="write it such as --fields prompt=src,answers=alt",
                )
            if key in named:
                raise InputError(f"--fields names {key} twice", hint="name it once")
            named[key] = field
        if "prompt" in named and "template" in named:
            raise InputError(
                "--fields names a prompt and a template", hint="name the one that is asked"
            )
        return cls(named)

    def __str__(self) -> str:
        """Return what is typed for it, in one order."""
        return ",".join(f"{key}={self.named[key]}" for key in KEYS if key in self.named)

    def format(self, in_cells: bool) -> Format:
        """Return the format of a file that is read by it.

        Args:
            in_cells: whether the records are rows of a table, whose cells are all texts.
        """

        def read(values: Values, path: Path) -> tuple[Prompt, bool]:
            return self.read(values, in_cells)

        return Format(NAME, "as --fields says", read, signs=(), folders=True)

    def check(self, first: Values, place: str) -> None:
        """Refuse a file whose first record has not got the fields.

        Raises:
            InputError: naming those that are there.
        """
        for key, field in self._used(first).items():
            if _at(first, field) is _ABSENT:
                raise InputError(
                    f'{place}: there is no field "{field}" for the {key}; there is '
                    f"{fields.names(first)}",
                    hint=f"name one of them as the {key} in --fields",
                )

    def read(self, values: Values, in_cells: bool) -> tuple[Prompt, bool]:
        """Return the prompt of a record, and whether its id was given."""
        used = self._used(values)
        record = {
            field: value for field in used.values() if (value := _at(values, field)) is not _ABSENT
        }

        def text(key: str) -> str:
            if used[key] not in record:
                raise fields.missing(values, used[key])
            return fields.text(record, used[key])

        found = {key: record[field] for key, field in used.items() if field in record}
        if in_cells:
            if "answers" in found:
                found["answers"] = in_cell(found["answers"], used["answers"])
            found = typed(found)
        subject, start = text("subject"), fields.offset(found, "subject_start")
        if "template" in used:
            asked, start = _filled(text("template"), subject, used["template"])
        else:
            asked = text("prompt")
        return made(
            asked,
            subject,
            start=place(asked, subject) if start is None else start,
            answers=fields.stripped(fields.flat_texts(found, "answers")),
            relation=_said(found.get("relation")),
            name=fields.identifier(found, "id"),
            popularity=fields.number(found, "popularity"),
            counterfactual=fields.counterfactual(found),
        )

    def _used(self, values: Values) -> dict[str, str]:
        """Return the field for each key: mlxjsd's own names hold for those that are not named."""
        own = {key: key for key in KEYS if key in values and key not in self.named}
        own.pop("template", None)
        if "template" in self.named:
            own.pop("prompt", None)
            if self.named["template"] == "relation":
                own["relation"] = "relation"
        elif "prompt" not in self.named:
            own["prompt"] = "prompt"
        if "subject" not in self.named:
            own["subject"] = "subject"
        return {**own, **self.named}


_ABSENT = object()


def _at(values: Values, field: str) -> Any:
    """Return a field, or one inside another: "target.str" is the "str" of the "target"."""
    if field in values:
        return values[field]
    found: Any = values
    for name in field.split("."):
        if not isinstance(found, dict) or name not in found:
            return _ABSENT
        found = found[name]
    return found


def _filled(template: str, subject: str, field: str) -> tuple[str, int]:
    """Return a template with the subject in its gap, and where that stands."""
    cut = fields.cut_pattern(template)
    if cut is None:
        raise InputError(
            f'"{field}" must hold {{}} or [X] once, and [Y] at its end if at all, not '
            f"{template[:60]!r}",
            hint="name the field that holds such a text with --fields template=FIELD",
        )
    return cut[0] + subject + cut[1], len(cut[0])


def _said(value: Any) -> str | None:
    """Return a relation, whatever type its name has."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return fields.whole(str(value), "relation")
    return None
