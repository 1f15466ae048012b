"""Every format as it is published, made small by hand."""

import json
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
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.prompts.formats.question_templates import ENTITY_QUESTIONS
from mlxjsd.prompts.prompt import Prompt, PromptFile
from mlxjsd.prompts.read import read_prompts

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
            f"{name}/Norland",
            "What is the capital of Norland? It is",
            "Norland",
            23,
            ("Tarvo",),
            name,
        ),
        Prompt(
            f"{name}/Sudland",
            "What is the capital of Sudland? It is",
            "Sudland",
            23,
            ("Orr",),
            name,
        ),
    )


def test_without_zero_shot_templates_lres_others_are_asked(tmp_path: Path) -> None:
    for zero_shot in ({}, {"prompt_templates_zs": []}):
        relation = {k: v for k, v in RELATION.items() if k != "prompt_templates_zs"} | zero_shot
        first, _ = read_prompts(save(tmp_path, relation)).prompts
        assert (first.text, first.subject_start) == ("The capital city of Norland is", 20)


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


def test_two_relations_with_one_question_are_distinguished_by_the_file_if_at_all(
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


def test_popqa_need_not_be_quoted(tmp_path: Path) -> None:
    lines = ("\t".join(map(str, part)) for part in (POPQA.keys(), POPQA.values()))
    found = read_prompts(save(tmp_path, "\n".join(lines), "popqa.tsv"))
    assert one(found) == one(read_prompts(save(tmp_path, tabled([POPQA], "\t"), "quoted.tsv")))


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
    both = {**KNOWN, "question": "Where was Anna Vell born?"}
    assert read_prompts(save(tmp_path, [both])).format == "known_1000"
    path = save(tmp_path, [{**both, "answers": ["Tarvo"]}])
    assert read_prompts(path).format == "json"
    found = read_prompts(path, "entity_questions")
    assert (found.format, one(found).subject) == ("entity_questions", "Anna Vell")
    assert one(read_prompts(path, "json")).answers == ("Tarvo",)
    with pytest.raises(InputError, match=r"--format is jsonl, .*, not 'parquet'"):
        read_prompts(path, "parquet")
    with pytest.raises(InputError, match=r"line 1 is not JSON|line 1: a prompt is an object"):
        read_prompts(path, "jsonl")
    assert set(FORMATS) >= {"jsonl", "csv", "tsv", "known_1000", "lre"}
