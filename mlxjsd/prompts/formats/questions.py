"""Data sets that ask questions: EntityQuestions, PopQA."""

import re
from pathlib import Path

from mlxjsd.prompts.formats import fields
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.formats.made import made, place
from mlxjsd.prompts.formats.question_templates import POPQA, match, subject_of
from mlxjsd.prompts.formats.registry import Format, register
from mlxjsd.prompts.prompt import Prompt


def entity_questions(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a record of EntityQuestions, whose files are named after their relations."""
    question = fields.text(values, "question")
    named = re.match(r"P\d+(?!\d)", path.name)
    subject, start, relation = subject_of(question, named.group() if named else None)
    answers = fields.stripped(fields.texts(values, "answers"))
    return made(question, subject, start=start, answers=answers, relation=relation)


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
    return made(
        question,
        subject,
        start=place(question, subject) if start is None else start,
        answers=fields.stripped(listed or ((first,) if first else ())),
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
