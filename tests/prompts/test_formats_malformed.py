"""What is said when a file is malformed: one sentence, with the place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published import (
    COUNTERFACT,
    EASY_EDIT,
    ENTITY,
    KNOWN,
    OWN,
    POPQA,
    RELATION,
    REWRITE,
    save,
    tabled,
)

from mlxjsd.errors import InputError
from mlxjsd.prompts.read import read_prompts


def without(row: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != field}


def changed(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**row, **changes}


def of_rewrite(**changes: Any) -> dict[str, Any]:
    return changed(COUNTERFACT, requested_rewrite=changed(REWRITE, **changes))


FEW_SHOT = without(RELATION, "prompt_templates_zs")
DEEP = "[" * 200_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty: it holds no prompt"),
        (" \n\n ", "is empty"),
        ("[]", "is empty"),
        ("prompt,subject\n", "is empty"),
        ("[1]", "record 1: a prompt is an object"),
        ([OWN, 3], "record 2: a prompt is an object"),
        ([{"a": 1, "b": 2}], "its first record has the fields a, b; say which one holds what with"),
        ("just words\n", "no known format: its first record has the fields just words; say"),
        ("\x01\x02 \x7f;\n", "no known format"),
        (json.dumps([OWN])[:-1], "line 1 is not JSON: the file ends in the middle of the list"),
        (json.dumps([OWN, OWN])[:-9], "line 1 is not JSON: "),
        ("[\n{}\n{}]", "no known format"),
        (f"[\n{json.dumps(OWN)}\n{{}}]", "line 3 is not JSON: record 2 cannot be read"),
        (json.dumps([OWN]) + "\n[]", "line 2 is not JSON: there is more after the end of the list"),
        (f"[{json.dumps(OWN)},\n\n oops]", "line 3 is not JSON: record 2 cannot be read"),
        (f'[{json.dumps(OWN)},\n {{"prompt": "\\q"}}]', "line 2 is not JSON: record 2 cannot be"),
        (f"[{json.dumps(OWN)}, {DEEP}", "record 2: lists or objects are nested too deeply"),
        (f'{{"prompt": {DEEP}', "line 1: lists or objects are nested too deeply"),
        ('{"samples": ' + DEEP, "nested too deeply"),
        (f"[{json.dumps(OWN)}, {'9' * 5000}]", "record 2 cannot be read"),
        ('{"prompt": "a", "id": ' + "9" * 5000 + "}", "line 1: a number has too many digits"),
        ([changed(OWN, popularity=float("nan"))], "record 1 cannot be read"),
        (json.dumps(changed(OWN, popularity=float("nan"))), "line 1: NaN is not a number"),
        (json.dumps(changed(OWN, popularity=float("inf"))), "line 1: Infinity is not a number"),
        ([changed(OWN, popularity=True)], 'record 1: "popularity" must be a finite number'),
        (json.dumps(changed(OWN, popularity=10**400)), '"popularity" must be a finite number'),
        ([OWN, changed(OWN, prompt="a \ud800")], "record 2: a string holds half a character"),
        (json.dumps(changed(OWN, prompt="a \ud800")), '"prompt" holds half a character'),
        (json.dumps(changed(OWN, id="\udfff")), '"id" holds half a character'),
        ([OWN, OWN], "record 2 has the id 'n' of record 1"),
        (json.dumps(changed(OWN, answers=["\ud800"])), '"answers" holds half a character'),
        # Tables.
        ("prompt;subject\na b;b;c\n", "line 2 has 3 cells, the header has 2"),
        ("prompt,topic\na b,b\n", "has no column subject: its columns are prompt, topic; name"),
        ("prompt,subject\na b,b,c\n", "line 2 has 3 cells, the header has 2"),
        ("prompt,subject\n\na b\n", "line 3 has 1 cells, the header has 2"),
        ("prompt,prompt,subject\na,b,c\n", "has the column 'prompt' twice"),
        ('prompt,subject\n"a b,b\n', "line 2 is not a row of a table"),
        ('prompt,subject\n"a"b,b\n', "line 2 is not a row of a table"),
        ("prompt,subject\na b,b\n,b\n", 'line 3: the field "prompt" is missing'),
        ('prompt\tsubject\na b\tb\n"x\ny" b\t \n', 'line 3'),
        ("prompt,subject\n" + "a" * 200_000 + ",b\n", "field larger than field limit"),
        ('prompt,subject,answers\na b,b,"[1]"\n', '"answers" must be a list of strings'),
        ("prompt,subject,answers\na b,b,[oops]\n", '"answers" must be a JSON list'),
        ("prompt,subject,subject_start\na b,b,two\n", '"subject_start" must be a character offset'),
        ("prompt,subject,popularity\na b,b,nan\n", '"popularity" must be a finite number'),
        ("prompt,subject,id\na b,b,1\na c,c,1\n", "line 3 has the id '1' of line 2"),
        # Data sets.
        ([KNOWN, without(KNOWN, "prompt")], 'record 2: the field "prompt" is missing'),
        ([changed(KNOWN, attribute=3)], 'record 1: "attribute" must be a string'),
        ([changed(KNOWN, known_id=1.5)], '"known_id" must be a string or a number'),
        ([KNOWN, KNOWN], "record 2 has the id '4' of record 1"),
        ([changed(COUNTERFACT, requested_rewrite=[])], '"requested_rewrite" must be an object'),
        ([of_rewrite(prompt="No gap")], '"prompt" must hold {} once'),
        ([of_rewrite(prompt="{} and {}")], '"prompt" must hold {} once'),
        ([of_rewrite(target_true="French")], '"target_true" must be an object'),
        ([of_rewrite(target_true={})], 'the field "str" is missing'),
        ([of_rewrite(subject=None)], '"subject" must be a string with something in it'),
        ([COUNTERFACT, COUNTERFACT], "record 2 has the id '0' of record 1"),
        ([changed(EASY_EDIT, ground_truth=3)], '"ground_truth" must be a list of strings'),
        ([changed(ENTITY, question="Why was Anna Vell born?")], "record 1: no relation of Entity"),
        ([ENTITY, changed(ENTITY, question="Where was  born?")], "record 2: no relation of Entity"),
        ([changed(ENTITY, answers="Tarvo")], '"answers" must be a list of strings'),
        (without(RELATION, "name"), 'the field "name" is missing'),
        (without(RELATION, "samples"), '"samples" must be a list'),
        (changed(FEW_SHOT, prompt_templates=[]), '"prompt_templates" is missing or empty'),
        (changed(FEW_SHOT, prompt_templates=["No gap"]), '"prompt_templates" must hold {} once'),
        (changed(RELATION, samples=[1]), "sample 1: a sample is"),
        (changed(RELATION, samples=[{"subject": "a"}]), 'sample 1: the field "object" is missing'),
        (changed(RELATION, samples=[]), "is empty"),
        (json.dumps(RELATION, indent=1)[:-1], "is not JSON"),
        (tabled([changed(POPQA, possible_answers="x")], "\t"), '"possible_answers" must be a JSON'),
        (tabled([changed(POPQA, s_pop="many")], "\t"), '"s_pop" must be a finite number'),
        (tabled([changed(POPQA, subj="")], "\t"), 'line 2: the field "subj" is missing'),
        (tabled([POPQA, POPQA], "\t"), "line 3 has the id '4222362' of line 2"),
    ],
)  # fmt: skip
def test_what_is_malformed_gets_one_sentence_that_says_where(
    parser: str, tmp_path: Path, content: object, message: str
) -> None:
    path = save(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_prompts(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


Make = Callable[[Path], Path]


def _bytes(content: bytes) -> Make:
    def make(tmp_path: Path) -> Path:
        path = tmp_path / "data"
        path.write_bytes(content)
        return path

    return make


def _folder(**contents: object) -> Make:
    def make(tmp_path: Path) -> Path:
        for name, content in contents.items():
            save(tmp_path, content, f"folder/{name}.json")
        return tmp_path / "folder"

    return make


LISTED = json.dumps([OWN])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_bytes(LISTED.encode("utf-16")), "is UTF-16 text; convert it to UTF-8"),
        (_bytes(LISTED.encode("utf-16-le")), "is UTF-16 text"),
        (_bytes(LISTED.encode("utf-16-be")), "is UTF-16 text"),
        (_bytes(LISTED.encode("utf-32")), "is UTF-32 text"),
        (_bytes(LISTED.encode("utf-32-be")), "is UTF-32 text"),
        (_bytes(LISTED.encode()[:-1] + b",\n\n\n\"caf\xe9\"]"), "not UTF-8 text: see line 4"),
        (_bytes(b" " * 2_000_000 + b"\n\xff"), "not UTF-8 text: see line 2"),
        (_bytes(b"prompt,subject\n\xe2\x82"), "not UTF-8 text: see line 2"),
        (_folder(a=RELATION, b=without(RELATION, "name")), 'b.json: the field "name" is missing'),
        (_folder(a=RELATION, b=[ENTITY]), "b.json must hold one relation"),
        (_folder(a=[OWN]), "a.json is in the format json; only jsonl and lre and entity_questions"),
        (lambda tmp_path: tmp_path, "is a folder without a .json or .jsonl file"),
        (lambda tmp_path: tmp_path / "none", "there is no data file"),
        (lambda _: Path("/dev/null"), "is a device or a pipe"),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_or_decoded_says_what_to_do(
    tmp_path: Path, make: Make, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_prompts(make(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlxjsd.prompts.formats.files.MOST_ENTRIES", 3)
    make = _folder(a=RELATION, b=RELATION, c=RELATION, d=RELATION)
    with pytest.raises(InputError, match="holds over 3 files"):
        read_prompts(make(tmp_path))
