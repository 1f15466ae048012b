"""Data sets made for editing what a model knows; what is true is expected, never the edit.

CounterFact (Meng et al. 2022) and its layouts, ROME's known facts, KnowEdit (Zhang et al. 2024),
zsRE as MEND lays it out (Mitchell et al. 2022), MQuAKE (Zhong et al. 2023).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import fields
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.formats.made import made, place
from mlxjsd.prompts.formats.registry import Format, register
from mlxjsd.prompts.prompt import Prompt


def zsre(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a record of zsRE: "alt" is what an edit would make of it."""
    text, subject = fields.text(values, "src"), fields.text(values, "subject")
    return made(
        text,
        subject,
        start=place(text, subject),
        answers=fields.stripped(fields.flat_texts(values, "answers")),
        relation=None,
        name=fields.identifier(values, "case_id"),
    )


register(
    Format(
        name="zsre",
        help="zsRE as MEND and EasyEdit lay it out",
        reader=zsre,
        signs=({"subject", "src", "answers"}, {"subject", "src", "alt"}),
    )
)


def knowedit(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a record of KnowEdit; in its part of recent facts, the new target is the truth."""
    text, subject = fields.text(values, "prompt"), fields.text(values, "subject")
    field = "ground_truth" if "ground_truth" in values else "target_new"
    return made(
        text,
        subject,
        start=place(text, subject),
        answers=fields.stripped(fields.flat_texts(values, field)),
        relation=fields.optional_text(values, "relation_id"),
        name=fields.identifier(values, "case_id"),
    )


register(
    Format(
        name="knowedit",
        help="KnowEdit's parts",
        reader=knowedit,
        signs=({"prompt", "subject", "target_new"}, {"prompt", "subject", "ground_truth"}),
    )
)


def counterfact_tracing(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a record of counterfact-tracing; the relation finds the subject where it can."""
    text, subject = fields.text(values, "prompt"), fields.text(values, "subject")
    before, gap, after = (fields.optional_text(values, "relation") or "").partition("{}")
    start = len(before) if gap and before + subject + after == text else place(text, subject)
    return made(
        text,
        subject,
        start=start,
        answers=fields.stripped(fields.flat_texts(values, "target_true")),
        relation=fields.optional_text(values, "relation_id"),
        name=fields.identifier(values, "case_id"),
    )


register(
    Format(
        name="counterfact_tracing",
        help="counterfact-tracing, CounterFact laid flat",
        reader=counterfact_tracing,
        signs=({"prompt", "subject", "target_true"},),
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
        return made(
            text,
            subject,
            start=place(text, subject),
            answers=fields.stripped(fields.texts({"ground_truth": truth}, "ground_truth")),
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
    return made(
        before + subject + after,
        subject,
        start=len(before),
        answers=fields.stripped((fields.text(truth, "str"),)),
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
    return made(
        text,
        subject,
        start=len(before) if fits else place(text, subject),
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


def hop(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a hop of MQuAKE, as :func:`hops` hands it over."""
    text, subject = fields.text(values, "cloze"), fields.text(values, "subject")
    first, aliases = (fields.flat_texts(values, name) for name in ("answer", "answer_alias"))
    return made(
        text,
        subject,
        start=place(text, subject),
        answers=fields.stripped(tuple(dict.fromkeys((*first, *aliases)))),
        relation=values["relation"],
        name=values["name"],
    )


def hops(path: Path) -> Any:
    """Return what takes MQuAKE's records apart; see :data:`mlxjsd.prompts.formats.Parts`."""
    return _hops


def _hops(values: Values) -> Iterator[tuple[str, Values]]:
    found = values.get("single_hops")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InputError('"single_hops" must be a list of objects', hint="keep MQuAKE's layout")
    case, about = fields.identifier(values, "case_id"), values.get("orig")
    about = about if isinstance(about, dict) else {}
    for number, each in enumerate(found):
        subject, _, _ = _triple(about, "triples_labeled", number)
        _, relation, _ = _triple(about, "triples", number)
        if subject is None:
            raise InputError(
                f'"orig" has no "triples_labeled" for hop {number + 1}: no subject is known',
                hint="keep MQuAKE's layout",
            )
        name = None if case is None else f"{case}/{number + 1}"
        yield (
            f"hop {number + 1}",
            {**each, "subject": subject, "relation": relation, "name": name},
        )


def _triple(about: Values, field: str, number: int) -> tuple[Any, Any, Any]:
    listed = about.get(field)
    triple = listed[number] if isinstance(listed, list) and number < len(listed) else None
    if (
        isinstance(triple, list)
        and len(triple) == 3
        and all(isinstance(part, str) for part in triple)
    ):
        return (fields.whole(triple[0], field), fields.whole(triple[1], field), triple[2])
    return None, None, None


register(
    Format(
        name="mquake",
        help="MQuAKE; each single hop is asked",
        reader=hop,
        signs=({"single_hops"},),
        parts=hops,
    )
)
