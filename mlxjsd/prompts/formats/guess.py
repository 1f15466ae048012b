"""What fields with other names may hold, for what is said of a file that cannot be read."""

from collections.abc import Mapping
from typing import Any

#: What ``--fields`` names, and the names under which other files often have it.
KEYS: dict[str, tuple[str, ...]] = {
    "prompt": ("src", "question", "query", "text", "input", "sentence", "cloze", "stem"),
    "template": ("template", "pattern", "relation"),
    "subject": ("sub", "subj", "entity", "sub_label", "subject_label", "head", "s"),
    "answers": (
        *("answer", "target", "target_true", "ground_truth", "obj", "object", "obj_label"),
        *("attribute", "label", "labels", "output", "alt", "tail", "o"),
    ),
    "relation": ("relation_id", "predicate_id", "rel", "predicate", "prop"),
    "id": ("case_id", "uuid", "uid"),
    "subject_start": (),
    "popularity": ("s_pop",),
    "counterfactual": (),
    "counterfactual_subject": (),
    "counterfactual_answers": (),
}
_GAPS = ("{}", "[X]")


def suggested(first: Mapping[str, Any]) -> str:
    """Return the mapping that would read a file with such a first record, as far as names say."""
    taken: dict[str, str] = {}
    for key, names in KEYS.items():
        if key == "template" and "prompt" in taken:
            continue
        spellings = {str(field).lower(): field for field in first}
        for name in (key, *names):
            field = spellings.get(name)
            if field is None or field in taken.values():
                continue
            if key == "template" and not any(gap in str(first[field]) for gap in _GAPS):
                continue
            if key == "prompt" and any(gap in str(first[field]) for gap in _GAPS):
                continue
            taken[key] = field
            break
    if "prompt" not in taken and "template" not in taken:
        taken = {"prompt": "FIELD", **taken}
    taken.setdefault("subject", "FIELD")
    taken.setdefault("answers", "FIELD")
    wanted = ("prompt", "template", "subject", "answers", "relation")
    # mlxjsd's own names need not be said, but for a template's.
    said = ",".join(
        f"{key}={taken[key]}"
        for key in wanted
        if key in taken and (taken[key] != key or key == "template")
    )
    return "".join(c for c in said if c.isprintable())[:200]
