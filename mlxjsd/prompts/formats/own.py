"""mlxjsd's own fields, as JSON, in a table, in columns; and the same of a triple."""

import re
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import fields
from mlxjsd.prompts.formats.columns import Columns
from mlxjsd.prompts.formats.containers import JsonLines, JsonList, Table
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.formats.made import made
from mlxjsd.prompts.formats.registry import OWN, Format, register
from mlxjsd.prompts.prompt import Prompt

#: One is enough: the message then names the other one that is missing.
_SIGNS = ({"prompt"}, {"subject"})


def own(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read mlxjsd's own fields."""
    return made(
        fields.text(values, "prompt"),
        fields.text(values, "subject"),
        start=fields.offset(values, "subject_start"),
        answers=fields.texts(values, "answers"),
        relation=fields.optional_text(values, "relation"),
        name=fields.identifier(values, "id"),
        popularity=fields.number(values, "popularity"),
        counterfactual=fields.counterfactual(values),
    )


def typed(values: Values) -> dict[str, Any]:
    """Return a row of a table with the types that its cells stand for."""
    found: dict[str, Any] = dict(values)
    for field in ("answers", "counterfactual_answers"):
        if isinstance(cell := values.get(field), str) and cell:
            found[field] = in_cell(cell, field)
    if isinstance(cell := values.get("subject_start"), str):
        # Digits alone: int() would also take "1_0" and " +1".
        found["subject_start"] = int(cell) if re.fullmatch(r"[0-9]{1,9}", cell.strip()) else cell
    return found


def in_cell(cell: str, field: str) -> list[Any]:
    """Return the answers in a cell: a JSON list, or texts with | between them."""
    cell = cell.strip()
    if cell.startswith("[") and cell.endswith("]"):
        return fields.listed(cell, field)
    return [part.strip() for part in cell.split("|") if part.strip()]


def own_cells(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read mlxjsd's own fields from a table."""
    return own(typed(values), path)


register(
    Format(
        name="jsonl",
        help="mlxjsd's own fields, objects one after another, or a folder of such files",
        reader=own,
        signs=_SIGNS,
        containers=(JsonLines(),),
        folders=True,
    )
)
register(
    Format(
        name="json",
        help="mlxjsd's own fields, a list of objects",
        reader=own,
        signs=_SIGNS,
        containers=(JsonList(),),
    )
)
register(
    Format(
        name="csv",
        help="mlxjsd's own fields, a table with commas or semicolons",
        reader=own_cells,
        signs=_SIGNS,
        containers=(Table(",;|", OWN),),
    )
)
register(
    Format(
        name="tsv",
        help="mlxjsd's own fields, a table with tabs",
        reader=own_cells,
        signs=_SIGNS,
        containers=(Table("\t", OWN),),
    )
)
register(
    Format(
        name="arrow",
        help="mlxjsd's own fields, in Parquet, Arrow or what datasets saves",
        reader=own_cells,
        signs=_SIGNS,
        containers=(Columns(),),
    )
)


def triple(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a triple whose relation is a text with a gap for the subject."""
    subject, relation = fields.text(values, "subject"), fields.text(values, "relation")
    cut = fields.cut_pattern(relation)
    if cut is None:
        raise InputError(
            f'"relation" holds no {{}} or [X] for the subject: {relation[:60]!r}',
            hint="write it such as 'The capital of {} is', or name a field with the text by "
            "--fields prompt=FIELD or template=FIELD",
        )
    return made(
        cut[0] + subject + cut[1],
        subject,
        start=len(cut[0]),
        answers=fields.stripped(fields.flat_texts(values, "object")),
        relation=relation,
        name=fields.identifier(values, "id"),
    )


register(
    Format(
        name="triples",
        help="subject, relation (a text with {} or [X]) and object",
        reader=triple,
        signs=({"subject", "relation", "object"},),
    )
)
