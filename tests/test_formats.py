"""Every format as it is published, made small by hand; and what each says when it is malformed."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlxjsd.errors import InputError
from mlxjsd.formats import FORMATS
from mlxjsd.formats.questions import ENTITY_QUESTIONS
from mlxjsd.prompts import Prompt, PromptFile, read_prompts


def save(tmp_path: Path, content: object, name: str = "data.json") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, indent=2)
    path.write_text(text, encoding="utf-8")
    return path


def tabled(rows: list[dict[str, Any]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


KNOWN = {
    "known_id": 4,
    "subject": "Mount Tarvo",
    "attribute": " Norland ",
    "template": "{} can be found in",
    "prediction": " Norland",
    "prompt": "Mount Tarvo lies in the country of",
    "relation_id": "P17",
}
REWRITE = {
    "prompt": "The mother tongue of {} is",
    "relation_id": "P103",
    "target_new": {"str": "English", "id": "Q1860"},
    "target_true": {"str": "French", "id": "Q150"},
    "subject": "Anna Vell",
}
COUNTERFACT = {
    "case_id": 0,
    "pararel_idx": 2796,
    "requested_rewrite": REWRITE,
    "paraphrase_prompts": ["Anna Vell, a native"],
    "neighborhood_prompts": ["Ben Orr spoke"],
}
EASY_EDIT = {
    "case_id": 7,
    "prompt": "The mother tongue of Anna Vell is",
    "target_new": "English",
    "subject": "Anna Vell",
    "ground_truth": "French",
    "rephrase_prompt": "Anna Vell spoke",
}
RELATION = {
    "name": "country capital city",
    "prompt_templates": ["The capital city of {} is", "In {}, the capital is"],
    "prompt_templates_zs": ["What is the capital of {}? It is"],
    "properties": {"relation_type": "factual", "symmetric": False},
    "samples": [
        {"subject": "Norland", "object": "Tarvo"},
        {"subject": "Sudland", "object": "Orr"},
    ],
}
POPQA = {
    "id": 4222362,
    "subj": "Anna Vell",
    "prop": "occupation",
    "obj": "politician",
    "s_aliases": '["A. Vell"]',
    "s_pop": 142,
    "o_pop": 25692,
    "question": "What is Anna Vell's occupation?",
    "possible_answers": '["politician", "political \\"leader\\""]',
}
ENTITY = {"question": "Where was Anna Vell born?", "answers": ["Tarvo", "Old Tarvo"]}
OWN = {
    "prompt": "The capital of Norland is",
    "subject": "Norland",
    "answers": ["Tarvo", "Old Tarvo"],
    "relation": "capital",
    "id": "n",
    "subject_start": 15,
    "popularity": 2.5,
}
OWN_PROMPT = Prompt(
    "n", "The capital of Norland is", "Norland", 15, ("Tarvo", "Old Tarvo"), "capital", 2.5
)


def one(found: PromptFile) -> Prompt:
    (prompt,) = found.prompts
    return prompt


def test_known_1000_takes_the_prompt_not_the_template(tmp_path: Path) -> None:
    found = read_prompts(save(tmp_path, [KNOWN]))
    assert found.format == "known_1000"
    assert one(found) == Prompt(
        "4", "Mount Tarvo lies in the country of", "Mount Tarvo", 0, ("Norland",), "P17"
    )


def test_known_1000s_template_finds_the_subject_where_it_can(tmp_path: Path) -> None:
    fields = {"subject": "it", "prompt": "What it is like, it likes", "template": "{}"}
    unlike = one(read_prompts(save(tmp_path, [{**KNOWN, **fields}])))
    assert unlike.subject_chars() == (5, 7), "whole words come before parts of words"
    fields["template"] = "What it is like, {} likes"
    assert one(read_prompts(save(tmp_path, [{**KNOWN, **fields}]))).subject_chars() == (17, 19)


def test_counterfact(tmp_path: Path) -> None:
    found = read_prompts(save(tmp_path, [COUNTERFACT]))
    assert found.format == "counterfact"
    text = "The mother tongue of Anna Vell is"
    assert one(found) == Prompt("0", text, "Anna Vell", 21, ("French",), "P103")


def test_counterfacts_subject_stands_in_its_gap(tmp_path: Path) -> None:
    rewrite = {**REWRITE, "subject": "The {} of is"}
    prompt = one(read_prompts(save(tmp_path, [{**COUNTERFACT, "requested_rewrite": rewrite}])))
    assert prompt.text == "The mother tongue of The {} of is is"
    assert prompt.subject_chars() == (21, 33)


@pytest.mark.parametrize("truth", ["French", ["French"]])
def test_counterfact_as_easy_edit_lays_it_out(tmp_path: Path, truth: object) -> None:
    found = read_prompts(save(tmp_path, [{**EASY_EDIT, "ground_truth": truth}]))
    assert found.format == "counterfact"
    text = "The mother tongue of Anna Vell is"
    assert one(found) == Prompt("7", text, "Anna Vell", 21, ("French",))


@pytest.mark.parametrize("indent", [None, 4])
def test_a_relation_of_lre(tmp_path: Path, indent: int | None) -> None:
    found = read_prompts(save(tmp_path, json.dumps(RELATION, indent=indent)))
    assert found.format == "lre"
    name = "country capital city"
    assert found.prompts == (
        Prompt(
            f"{name}/Norland", "The capital city of Norland is", "Norland", 20, ("Tarvo",), name
        ),
        Prompt(f"{name}/Sudland", "The capital city of Sudland is", "Sudland", 20, ("Orr",), name),
    )


def test_a_folder_of_relations_is_read_in_one_order_whatever_made_it(tmp_path: Path) -> None:
    other = {**RELATION, "name": "a", "samples": RELATION["samples"][:1]}
    save(tmp_path, RELATION, "lre/factual/z.json")
    first = save(tmp_path, other, "lre/bias/b.json")
    save(tmp_path, "not a relation", "lre/README.md")
    found = read_prompts(tmp_path / "lre")
    assert [p.id for p in found.prompts] == [
        "a/Norland", "country capital city/Norland", "country capital city/Sudland",
    ]  # fmt: skip
    assert found.identity()["file"] == "lre"
    assert read_prompts(tmp_path / "lre") == found
    first.write_text(first.read_text() + "\n")
    assert read_prompts(tmp_path / "lre").sha256 != found.sha256


def test_a_subject_twice_in_a_relation_gets_two_names(tmp_path: Path) -> None:
    names = ["Norland-2", "Norland", "Norland", "Norland"]
    samples = [{"subject": name, "object": "Tarvo"} for name in names]
    found = read_prompts(save(tmp_path, {**RELATION, "name": "r", "samples": samples}))
    assert [p.id for p in found.prompts] == [
        "r/Norland-2",
        "r/Norland",
        "r/Norland-3",
        "r/Norland-4",
    ]


def test_popqa(tmp_path: Path) -> None:
    found = read_prompts(save(tmp_path, tabled([POPQA], "\t"), "popqa.tsv"))
    assert found.format == "popqa"
    assert one(found) == Prompt(
        "4222362",
        "What is Anna Vell's occupation?",
        "Anna Vell",
        8,
        ("politician", 'political "leader"'),
        "occupation",
        142.0,
    )


def test_popqas_question_says_which_occurrence_is_the_subject(tmp_path: Path) -> None:
    odd = {**POPQA, "subj": "Who", "question": "Who is the author of Who?", "prop": "author"}
    prompt = one(read_prompts(save(tmp_path, tabled([odd], "\t"), "popqa.tsv")))
    assert prompt.subject_chars() == (21, 24)


@pytest.mark.parametrize("relation", ENTITY_QUESTIONS)
def test_entity_questions_finds_the_subject_of_every_relation(
    tmp_path: Path, relation: str
) -> None:
    template = ENTITY_QUESTIONS[relation]
    subject = "What is Where's child?"
    row = {**ENTITY, "question": template.replace("[X]", subject)}
    found = read_prompts(save(tmp_path, [row], f"{relation}.test.json"))
    assert found.format == "entity_questions"
    prompt = one(found)
    assert prompt.relation == relation
    assert prompt.answers == ("Tarvo", "Old Tarvo")
    start = template.index("[X]")
    assert prompt.subject_chars() == (start, start + len(subject))


def test_two_relations_with_one_question_are_told_apart_by_the_file_if_at_all(
    tmp_path: Path,
) -> None:
    row = {**ENTITY, "question": "Where is Tarvo located?"}
    for name in ("P131", "P276"):
        assert one(read_prompts(save(tmp_path, [row], f"{name}.dev.json"))).relation == name
    assert one(read_prompts(save(tmp_path, [row], "all.json"))).relation == "P131"


def test_entity_questions_may_be_a_folder(tmp_path: Path) -> None:
    save(tmp_path, [ENTITY], "eq/P19.test.json")
    save(tmp_path, [{**ENTITY, "question": "Where did Anna Vell die?"}], "eq/P20.test.json")
    found = read_prompts(tmp_path / "eq")
    assert [p.relation for p in found.prompts] == ["P19", "P20"]


@pytest.mark.parametrize("answers", ['["Tarvo", "Old Tarvo"]', "Tarvo| Old Tarvo |"])
@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_own_fields_as_a_table(tmp_path: Path, ending: str, delimiter: str, answers: str) -> None:
    rows = [{**OWN, "answers": answers}, {"prompt": "A b,\nor c", "subject": "b"}]
    found = read_prompts(save(tmp_path, tabled(rows, delimiter), "prompts.txt"))
    assert found.format == ending
    assert found.prompts[0] == OWN_PROMPT
    assert found.prompts[1].text == "A b,\nor c"
    assert (found.prompts[1].answers, found.prompts[1].popularity) == ((), None)


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_own_fields_as_json(tmp_path: Path, format: str) -> None:
    content = json.dumps([OWN] if format == "json" else OWN)
    found = read_prompts(save(tmp_path, content))
    assert (found.format, one(found)) == (format, OWN_PROMPT)


@pytest.mark.parametrize(
    ("format", "row"),
    [
        ("known_1000", KNOWN),
        ("counterfact", COUNTERFACT),
        ("counterfact", EASY_EDIT),
        ("popqa", POPQA),
        ("entity_questions", ENTITY),
        ("jsonl", OWN),
        ("json", OWN),
    ],
)
def test_a_data_set_is_known_by_its_fields_whatever_holds_it(
    tmp_path: Path, format: str, row: dict[str, Any]
) -> None:
    listed = read_prompts(save(tmp_path, [row], "x.json"))
    lines = read_prompts(save(tmp_path, json.dumps(row), "x.jsonl"))
    assert listed.prompts == lines.prompts
    if format not in ("json", "jsonl"):
        assert listed.format == lines.format == format
    marked = tmp_path / "marked"
    marked.write_bytes(b"\xef\xbb\xbf\r\n  " + (tmp_path / "x.json").read_bytes())
    assert read_prompts(marked).prompts == listed.prompts


def test_a_format_can_be_forced(tmp_path: Path) -> None:
    both = {**KNOWN, "question": "Where was Anna Vell born?", "answers": ["Tarvo"]}
    path = save(tmp_path, [both])
    assert read_prompts(path).format == "known_1000"
    found = read_prompts(path, "entity_questions")
    assert (found.format, one(found).subject) == ("entity_questions", "Anna Vell")
    assert one(read_prompts(path, "json")).answers == ("Tarvo",)
    with pytest.raises(InputError, match=r"--format is jsonl, .*, not 'parquet'"):
        read_prompts(path, "parquet")
    with pytest.raises(InputError, match=r"line 1 is not JSON|line 1: a prompt is an object"):
        read_prompts(path, "jsonl")
    assert set(FORMATS) >= {"jsonl", "csv", "tsv", "known_1000", "lre"}


def without(row: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != field}


def changed(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**row, **changes}


def of_rewrite(**changes: Any) -> dict[str, Any]:
    return changed(COUNTERFACT, requested_rewrite=changed(REWRITE, **changes))


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
        ([{"a": 1, "b": 2}], "no known format: its first record has the fields a, b; give"),
        ("just words\n", "no known format: its first record has the fields just words; give"),
        ("\x01\x02 \x7f;\n", "no known format"),
        (json.dumps([OWN])[:-1], "line 1 is not JSON: the file ends in the middle of the list"),
        (json.dumps([OWN, OWN])[:-9], "line 1 is not JSON: "),
        ("[\n{}\n{}]", "no known format"),
        (f"[\n{json.dumps(OWN)}\n{{}}]", "line 3 is not JSON: a comma is due after record 1"),
        (json.dumps([OWN]) + "\n[]", "line 2 is not JSON: there is more after the end of the list"),
        (f"[{json.dumps(OWN)},\n\n oops]", "line 3 is not JSON: Expecting value"),
        (f'[{json.dumps(OWN)},\n {{"prompt": "\\q"}}]', "line 2 is not JSON: Invalid"),
        (f"[{json.dumps(OWN)}, {DEEP}", "record 2: lists or objects are nested too deeply"),
        (f'{{"prompt": {DEEP}', "line 1: lists or objects are nested too deeply"),
        ('{"samples": ' + DEEP, "nested too deeply"),
        (f"[{json.dumps(OWN)}, {'9' * 5000}]", "record 2: a number has too many digits"),
        ('{"prompt": "a", "id": ' + "9" * 5000 + "}", "line 1: a number has too many digits"),
        ([changed(OWN, popularity=float("nan"))], "record 1: NaN is not a number that JSON has"),
        (json.dumps(changed(OWN, popularity=float("inf"))), "line 1: Infinity is not a number"),
        ([changed(OWN, popularity=True)], 'record 1: "popularity" must be a finite number'),
        ([changed(OWN, popularity=10**400)], '"popularity" must be a finite number'),
        ([changed(OWN, prompt="a \ud800")], '"prompt" holds half a character'),
        ([changed(OWN, id="\udfff")], '"id" holds half a character'),
        ([OWN, OWN], "record 2 has the id 'n' of record 1"),
        ([changed(OWN, answers=["\ud800"])], '"answers" holds half a character'),
        # Tables.
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
        (without(RELATION, "prompt_templates"), '"prompt_templates" is missing or empty'),
        (changed(RELATION, prompt_templates=["No gap"]), '"prompt_templates" must hold {} once'),
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
    tmp_path: Path, content: object, message: str
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
        (_folder(a=[OWN]), "a.json is in the format json; only lre and entity_questions"),
        (lambda tmp_path: tmp_path, "is a folder without a .json file"),
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


def test_somebodys_disk_is_not_read_as_a_folder_of_relations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlxjsd.formats.text.MOST_ENTRIES", 3)
    make = _folder(a=RELATION, b=RELATION, c=RELATION, d=RELATION)
    with pytest.raises(InputError, match="holds over 3 files"):
        read_prompts(make(tmp_path))
