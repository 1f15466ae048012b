"""Tables of subjects and objects beside a file of patterns: LAMA, ParaRel, mParaRel, BEAR.

A pattern such as "[X] is located in [Y]." is asked up to its answer, so only those are that end
with it. LAMA: Petroni et al. 2019; ParaRel: Elazar et al. 2021; mParaRel: Fierro & Søgaard 2022;
BEAR: Wiland et al. 2024.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import fields
from mlxjsd.prompts.formats.containers import JsonLines
from mlxjsd.prompts.formats.fields import Values
from mlxjsd.prompts.formats.json_stream import parse
from mlxjsd.prompts.formats.made import made
from mlxjsd.prompts.formats.opening import open_text
from mlxjsd.prompts.formats.registry import Format, register
from mlxjsd.prompts.prompt import Prompt

#: Most characters of a file of patterns.
_MOST = 1 << 24


def _of_bear(path: Path, relation: str) -> list[Any]:
    """Return the templates of a relation in BEAR's metadata."""
    with open_text(path) as file:
        found = parse(file.read(_MOST), str(path))
    entry = found.get(relation) if isinstance(found, dict) else None
    templates = entry.get("templates") if isinstance(entry, dict) else None
    return templates if isinstance(templates, list) else []


def _of_lama(path: Path, relation: str) -> list[Any]:
    """Return the template of a relation in LAMA's list of relations."""
    rows = JsonLines().rows(path)
    return [r.values.get("template") for r in rows if r.values.get("relation") == relation]


def _of_pararel(path: Path, relation: str) -> list[Any]:
    """Return the patterns of a file of ParaRel or mParaRel, which is for one relation."""
    return [row.values.get("pattern") for row in JsonLines().rows(path)]


@dataclass(frozen=True)
class _Place:
    """Where patterns may be, seen from the folder of a file of subjects and objects."""

    name: str
    """Relative to that folder; {relation} and {folder}, its name, are filled in."""
    read: Callable[[Path, str], list[Any]]


_PLACES = (
    _Place("metadata_relations.json", _of_bear),
    _Place("../metadata_relations.json", _of_bear),
    _Place("../../patterns/{folder}/{relation}.jsonl", _of_pararel),
    _Place("../pattern_data/graphs_json/{relation}.jsonl", _of_pararel),
    _Place("../graphs_json/{relation}.jsonl", _of_pararel),
    _Place("../patterns/{relation}.jsonl", _of_pararel),
    _Place("patterns/{relation}.jsonl", _of_pararel),
    _Place("relations.jsonl", _of_lama),
    _Place("../relations.jsonl", _of_lama),
)


def _relation_of(path: Path) -> str:
    """Return the relation that a file is named after: P17 of P17.jsonl.gz."""
    return path.name.partition(".")[0]


def _found(path: Path, relation: str) -> tuple[_Place, Path] | None:
    folder = path.absolute().parent
    for place in _PLACES:
        there = folder / place.name.format(relation=relation, folder=folder.name)
        if there.is_file() and there.resolve() != path.resolve():
            return place, there
    return None


def pattern_files(path: Path) -> list[Path]:
    """Return the file of patterns that is read with a file of subjects and objects."""
    found = _found(path, _relation_of(path))
    return [found[1]] if found else []


class Patterns:
    """Hands over a row once for each pattern of its relation that ends with the answer."""

    def __init__(self, path: Path) -> None:
        """Take the rows of the file at ``path``."""
        self._path = path
        self._asked: dict[str, list[tuple[str, str, str]]] = {}

    def __call__(self, values: Values) -> Iterator[tuple[str, Values]]:
        """Yield what the reader is handed; nothing if no pattern ends with the answer."""
        relation = values.get("predicate_id")
        if not isinstance(relation, str) or not _plain(relation):
            relation = _relation_of(self._path)
        if relation not in self._asked:
            self._asked[relation] = self._read(relation)
        for number, before, after in self._asked[relation]:
            given = {"relation": relation, "before": before, "after": after}
            yield f"pattern {number}", {**values, **given, "number": number}

    def _read(self, relation: str) -> list[tuple[str, str, str]]:
        found = _found(self._path, relation)
        if found is None:
            places = ", ".join(
                each.name.format(relation=relation, folder=self._path.absolute().parent.name)
                for each in _PLACES
            )
            raise InputError(
                f"there are no patterns of {relation} beside it: none of {places}",
                hint="put the file of patterns there, or give the text by `--fields "
                "template=FIELD,subject=sub_label,answers=obj_label`",
            )
        place, file = found
        patterns = place.read(file, relation)
        if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
            raise InputError(f"{file} has no pattern of {relation}", hint="add one")
        cut = [
            (str(n), fields.cut_pattern(p)) for n, p in enumerate(patterns, start=1) if "[Y]" in p
        ]
        return [(number, *parts) for number, parts in cut if parts is not None]


def _plain(relation: str) -> bool:
    """Say whether a relation can be a part of a file's name."""
    return bool(relation) and Path(relation).name == relation and "\0" not in relation


def cloze(values: Values, path: Path) -> tuple[Prompt, bool]:
    """Read a row, with one pattern, as :class:`Patterns` hands it over."""
    subject, relation = fields.text(values, "sub_label"), values["relation"]
    prompt, _ = made(
        values["before"] + subject + values["after"],
        subject,
        start=len(values["before"]),
        answers=fields.stripped((fields.text(values, "obj_label"),)),
        relation=relation,
        name=f"{relation}/{subject}/{values['number']}",
    )
    return prompt, False  # a subject with several objects is no error


register(
    Format(
        name="cloze",
        help="LAMA, ParaRel, mParaRel, BEAR: a file or folder beside its patterns",
        reader=cloze,
        signs=({"sub_label", "obj_label"},),
        folders=True,
        parts=Patterns,
        beside=pattern_files,
        if_empty="it takes a pattern that ends with [Y], and there is none beside it",
    )
)
