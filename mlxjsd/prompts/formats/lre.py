"""LRE's relations (Hernandez et al. 2024): a file holds one, its templates and its samples."""

import json
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import fields
from mlxjsd.prompts.formats.containers import Container, Row
from mlxjsd.prompts.formats.files import open_text
from mlxjsd.prompts.formats.json_stream import parse

_KEY = re.compile(r'"(\w+)"\s*:')


@dataclass(frozen=True)
class Relation(Container):
    """An object, over many lines or in one, with a list of samples."""

    def fits(self, start: str) -> bool:
        """Whether it starts with an object."""
        return start[0] == "{"

    def rows(self, path: Path) -> Generator[Row, None, None]:
        """Yield each sample of a file, with the relation's name and its first template."""
        with open_text(path) as file:
            content = parse(file.read(), str(path))
        if not isinstance(content, dict):
            raise InputError(
                f"{path} must hold one relation",
                hint='write it as {"name": ..., "samples": [...]}',
            )
        try:
            name = fields.text(content, "name")
            templates = fields.texts(content, "prompt_templates")
            if not templates:
                raise InputError(
                    '"prompt_templates" is missing or empty',
                    hint="give at least one, with {} for the subject",
                )
            fields.one_gap(templates[0], "prompt_templates")
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
            yield Row(f"sample {number}", {**sample, "name": name, "template": templates[0]})

    def fields(self, path: Path, start: str) -> set[str]:
        """Return the fields of the relation, as far as its start shows them."""
        try:
            return set(json.loads(start.partition("\n")[0]))
        except (ValueError, RecursionError):  # an object over many lines, or a long one
            return set(_KEY.findall(start))
