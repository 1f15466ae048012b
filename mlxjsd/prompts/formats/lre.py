"""LRE's relations (Hernandez et al. 2024): a file holds one, its templates and its samples.

Its prompts are asked without examples in front, so the templates that were written for that are
taken where there are some.
"""

import json
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import fields
from mlxjsd.prompts.formats.containers import Container, Row
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.formats.json_stream import parse
from mlxjsd.prompts.formats.made import made
from mlxjsd.prompts.formats.opening import LONGEST, open_text, too_long
from mlxjsd.prompts.formats.registry import Format, register
from mlxjsd.prompts.prompt import Prompt

_ZERO_SHOT = "prompt_templates_zs"
_KEY = re.compile(r'"(\w+)"\s*:')


@dataclass(frozen=True)
class Relation(Container):
    """An object, over many lines or in one, with a list of samples."""

    def fits(self, start: str) -> bool:
        """Whether it starts with an object."""
        return start[0] == "{"

    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield each sample of a file, with the relation's name and the words around it."""
        with open_text(path) as file:
            text = file.read(LONGEST)
            if len(text) >= LONGEST:
                raise too_long(str(path))
            content = parse(text, str(path))
        if not isinstance(content, dict):
            raise InputError(
                f"{path} must hold one relation",
                hint='write it as {"name": ..., "samples": [...]}',
            )
        try:
            name = fields.text(content, "name")
            zero_shot = bool(content.get(_ZERO_SHOT))
            asked = _ZERO_SHOT if zero_shot else "prompt_templates"
            templates = fields.texts(content, asked)
            if not templates:
                raise InputError(
                    f'"{asked}" is missing or empty',
                    hint="give at least one, with {} for the subject",
                )
            before, after = fields.one_gap(templates[0], asked)
            samples = content.get("samples")
            if not isinstance(samples, list):
                raise InputError(
                    '"samples" must be a list',
                    hint='write it as [{"subject": ..., "object": ...}]',
                )
        except InputError as error:
            raise error.at(path) from None
        for number, sample in enumerate(samples, start=1):
            if not isinstance(sample, dict):
                raise InputError(
                    f"{path}, sample {number}: a sample is an object",
                    hint='write it as {"subject": ..., "object": ...}',
                )
            given = {"name": name, "before": before, "after": after, "zero_shot": zero_shot}
            yield Row(f"sample {number}", {**sample, **given})

    def first(self, path: Path, start: str) -> dict[str, Any]:
        """Return the fields of the relation, as far as its start shows them."""
        try:
            return dict.fromkeys(json.loads(start.partition("\n")[0]))
        except (ValueError, TypeError, RecursionError):  # an object over many lines, or a long one
            return dict.fromkeys(_KEY.findall(start))


def lre(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a sample of a relation, as :class:`Relation` yields them."""
    subject, before, relation = fields.text(values, "subject"), values["before"], values["name"]
    prompt, _ = made(
        before + subject + values["after"],
        subject,
        start=len(before),
        answers=fields.stripped((fields.text(values, "object"),)),
        relation=relation,
        name=f"{relation}/{subject}",
    )
    return prompt, False  # the same subject twice is no error


register(
    Format(
        name="lre",
        help="a relation of LRE, or a folder of them",
        reader=lre,
        # Two are enough: the message then names the one that is missing.
        signs=(
            {"prompt_templates", "samples"},
            {"prompt_templates", "name"},
            {"prompt_templates_zs", "samples"},
        ),
        containers=(Relation(),),
        folders=True,
        asks=lambda values: "zero-shot templates" if values["zero_shot"] else None,
    )
)
