"""Every format that is read: how a record of it becomes a prompt, and its entry.

The most general ones come first; see :data:`mlxjsd.prompts.formats.registry.FORMATS`.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import fields
from mlxjsd.prompts.formats.containers import JsonLines, JsonList, Table
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.formats.lre import Relation
from mlxjsd.prompts.formats.question_templates import POPQA, match, subject_of
from mlxjsd.prompts.formats.registry import Format, register
from mlxjsd.prompts.prompt import Prompt

#: One is enough: the message then names the other one that is missing.
_OWN = ({"prompt"}, {"subject"})
_COLUMNS = frozenset({"prompt", "subject"})


def own(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read mlxjsd's own fields."""
    return _prompt(
        fields.text(values, "prompt"),
        fields.text(values, "subject"),
        start=fields.offset(values, "subject_start"),
        answers=fields.texts(values, "answers"),
        relation=fields.optional_text(values, "relation"),
        name=fields.identifier(values, "id"),
        popularity=fields.number(values, "popularity"),
    )


register(
    Format(
        name="jsonl",
        help="mlxjsd's own fields, an object in each line",
        reader=own,
        signs=_OWN,
        containers=(JsonLines(),),
    )
)
register(
    Format(
        name="json",
        help="mlxjsd's own fields, a list of objects",
        reader=own,
        signs=_OWN,
        containers=(JsonList(),),
    )
)


def own_cells(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read mlxjsd's own fields from a table."""
    typed: dict[str, Any] = dict(values)
    if cell := values.get("answers"):
        cell = cell.strip()
        if cell.startswith("[") and cell.endswith("]"):
            typed["answers"] = fields.listed(cell, "answers")
        else:
            typed["answers"] = [part.strip() for part in cell.split("|") if part.strip()]
    if cell := values.get("subject_start"):
        # Digits alone: int() would also take "1_0" and " +1".
        typed["subject_start"] = int(cell) if re.fullmatch(r"[0-9]{1,9}", cell.strip()) else cell
    return own(typed, path)


register(
    Format(
        name="csv",
        help="mlxjsd's own fields, a table with commas",
        reader=own_cells,
        signs=_OWN,
        containers=(Table(",", _COLUMNS),),
    )
)
register(
    Format(
        name="tsv",
        help="mlxjsd's own fields, a table with tabs",
        reader=own_cells,
        signs=_OWN,
        containers=(Table("\t", _COLUMNS),),
    )
)


def lre(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a sample of a relation, as :class:`mlxjsd.prompts.formats.lre.Relation` yields them."""
    subject = fields.text(values, "subject")
    before, after = fields.one_gap(values["template"], "prompt_templates")
    relation = values["name"]
    prompt, _ = _prompt(
        before + subject + after,
        subject,
        start=len(before),
        answers=_stripped((fields.text(values, "object"),)),
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
    )
)


def entity_questions(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a record of EntityQuestions, whose files are named after their relations."""
    question = fields.text(values, "question")
    named = re.match(r"P\d+(?!\d)", path.name)
    subject, start, relation = subject_of(question, named.group() if named else None)
    answers = _stripped(fields.texts(values, "answers"))
    return _prompt(question, subject, start=start, answers=answers, relation=relation)


register(
    Format(
        name="entity_questions",
        help="EntityQuestions, a file or a folder",
        reader=entity_questions,
        signs=({"question", "answers"},),
        folders=True,
    )
)


def popqa(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a record of PopQA."""
    question, subject = fields.text(values, "question"), fields.text(values, "subj")
    answers = values.get("possible_answers")
    if isinstance(answers, str):
        answers = fields.listed(answers, "possible_answers")
    listed = fields.texts({"possible_answers": answers}, "possible_answers")
    first = fields.optional_text(values, "obj")
    found = (match(question, template) for template in POPQA)
    start = next((at for s, at in filter(None, found) if s == subject), None)
    return _prompt(
        question,
        subject,
        start=_place(question, subject) if start is None else start,
        answers=_stripped(listed or ((first,) if first else ())),
        relation=fields.optional_text(values, "prop"),
        name=fields.identifier(values, "id"),
        popularity=fields.number(values, "s_pop"),
    )


register(
    Format(
        name="popqa",
        help="PopQA's table, with the subject's popularity",
        reader=popqa,
        signs=({"subj", "question"},),
    )
)


def counterfact(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a record of CounterFact, as published or in EasyEdit's layout."""
    name = fields.identifier(values, "case_id")
    if "requested_rewrite" not in values:
        text, subject = fields.text(values, "prompt"), fields.text(values, "subject")
        truth = values.get("ground_truth")
        if isinstance(truth, str):
            truth = [truth] if truth.strip() else []
        return _prompt(
            text,
            subject,
            start=_place(text, subject),
            answers=_stripped(fields.texts({"ground_truth": truth}, "ground_truth")),
            relation=fields.optional_text(values, "relation_id"),
            name=name,
        )
    rewrite = values["requested_rewrite"]
    if not isinstance(rewrite, dict):
        raise InputError('"requested_rewrite" must be an object', hint="keep CounterFact's layout")
    subject = fields.text(rewrite, "subject")
    before, after = fields.one_gap(fields.text(rewrite, "prompt"), "prompt")
    truth = rewrite.get("target_true")
    if not isinstance(truth, dict):
        raise InputError('"target_true" must be an object', hint='write it such as {"str": ...}')
    return _prompt(
        before + subject + after,
        subject,
        start=len(before),
        answers=_stripped((fields.text(truth, "str"),)),
        relation=fields.optional_text(rewrite, "relation_id"),
        name=name,
    )


register(
    Format(
        name="counterfact",
        help="CounterFact, and EasyEdit's layout of it",
        reader=counterfact,
        signs=(
            {"requested_rewrite"},
            {"case_id", "ground_truth", "prompt", "subject"},
        ),
    )
)


def known_1000(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a record of ROME's known facts.

    The template often does not give the prompt, so it only helps to find the subject.
    """
    text, subject = fields.text(values, "prompt"), fields.text(values, "subject")
    template = fields.optional_text(values, "template") or ""
    answer = (fields.optional_text(values, "attribute") or "").strip()
    before, gap, after = template.partition("{}")
    fits = bool(gap) and before + subject + after == text
    return _prompt(
        text,
        subject,
        start=len(before) if fits else _place(text, subject),
        answers=(answer,) if answer else (),
        relation=fields.optional_text(values, "relation_id"),
        name=fields.identifier(values, "known_id"),
    )


register(
    Format(
        name="known_1000",
        help="ROME's known facts",
        reader=known_1000,
        signs=({"known_id", "attribute", "prompt", "subject"},),
    )
)


def _prompt(
    text: str,
    subject: str,
    *,
    start: int | None,
    answers: tuple[str, ...],
    relation: str | None,
    name: str | None = None,
    popularity: float | None = None,
) -> tuple[Prompt, bool]:
    called = name
    if called is None:
        called = hashlib.sha256(f"{text}\0{subject}\0{start}".encode()).hexdigest()[:12]
    prompt = Prompt(called, text, subject, start, answers, relation, popularity)
    return prompt, name is not None


def _place(text: str, subject: str) -> int | None:
    """Return where the subject stands, whole words before parts of words; None if nowhere."""
    found = re.search(rf"(?<!\w){re.escape(subject)}(?!\w)", text)
    at = found.start() if found else text.find(subject)
    return at if at >= 0 else None


def _stripped(answers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(answer.strip() for answer in answers if answer.strip())
