"""Layouts that people have beside those that are tested in test_formats: made small by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import call
from published import (
    CLOZE_ROW,
    EASY_EDIT,
    KNOW_EDIT,
    KNOWN,
    MQUAKE,
    OWN,
    TRACING,
    TRIPLE,
    ZSRE,
    save,
)

from mlxjsd.errors import InputError
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.prompts.read import data_hash, read_prompts


def said(prompts: tuple[Prompt, ...]) -> list[tuple[Any, ...]]:
    return [(p.text, p.subject, p.subject_start, p.answers, p.relation) for p in prompts]


TEXT = "The mother tongue of Anna Vell is"
BORN = "The place of birth of Anna Vell is"


@pytest.mark.parametrize(
    ("format", "row", "prompts"),
    [
        ("counterfact_tracing", TRACING, [(TEXT, "Anna Vell", 21, ("French",), "P103")]),
        ("knowedit", KNOW_EDIT, [(BORN, "Anna Vell", 22, ("Tarvo", "Old Tarvo"), None)]),
        (
            "knowedit",
            {k: v for k, v in KNOW_EDIT.items() if k != "ground_truth"},
            [(BORN, "Anna Vell", 22, ("Orr",), None)],
        ),
        (
            "zsre",
            ZSRE,
            [
                (
                    "Which university did Anna Vell attend?",
                    "Anna Vell",
                    21,
                    ("Tarvo University",),
                    None,
                )
            ],
        ),
        (
            "mquake",
            MQUAKE,
            [
                (
                    "Anna Vell is a citizen of",
                    "Anna Vell",
                    0,
                    ("Norland", "Kingdom of Norland"),
                    "P27",
                ),
                ("The capital of Norland is", "Norland", 15, ("Tarvo",), "P36"),
            ],
        ),
        (
            "triples",
            TRIPLE,
            [("The capital of Norland is", "Norland", 15, ("Tarvo",), "The capital of {} is")],
        ),
        (
            "triples",
            {**TRIPLE, "relation": "[X] has the capital [Y]."},
            [("Norland has the capital", "Norland", 0, ("Tarvo",), "[X] has the capital [Y].")],
        ),
    ],
)
def test_a_layout_is_known_by_its_fields(
    tmp_path: Path, format: str, row: dict[str, Any], prompts: list[tuple[Any, ...]]
) -> None:
    for content in ([row], json.dumps(row), json.dumps(row, indent=2)):
        found = read_prompts(save(tmp_path, content))
        assert (found.format, said(found.prompts)) == (format, prompts)


def test_the_relation_of_counterfact_tracing_finds_the_subject(tmp_path: Path) -> None:
    row = {**TRACING, "subject": "is", "prompt": "What it is, is", "relation": "What it is, {}"}
    assert read_prompts(save(tmp_path, [row])).prompts[0].subject_start == 12
    row["relation"] = "another {}"
    assert read_prompts(save(tmp_path, [row])).prompts[0].subject_start == 8


def test_a_hop_of_mquake_has_the_id_of_its_case(tmp_path: Path) -> None:
    assert [p.id for p in read_prompts(save(tmp_path, [MQUAKE])).prompts] == ["3/1", "3/2"]


# A row of one's own.


@pytest.mark.parametrize(
    "further",
    [
        {"question": "Where was Anna Vell born?"},
        {"attribute": "Orr", "known_id": 3},
        {"case_id": 3, "ground_truth": "Orr", "target_new": "Tarvo"},
        {"target_true": " Orr"},
        {"subj": "Anna Vell", "question": "What genre is Anna Vell?"},
        {"object": "Orr"},
        {"requested_rewrite": {}},
        {"src": "Who?", "alt": "Orr"},
        {"sub_label": "Anna", "obj_label": "Orr"},
        {"single_hops": []},
    ],
)
def test_a_row_with_its_own_prompt_subject_and_answers_is_read_as_that(
    tmp_path: Path, further: dict[str, Any]
) -> None:
    found = read_prompts(save(tmp_path, [{**further, **OWN}]))
    assert found.format == "json"
    (prompt,) = found.prompts
    assert (prompt.text, prompt.answers) == (OWN["prompt"], ("Tarvo", "Old Tarvo"))


@pytest.mark.parametrize(
    "further",
    [
        {"question": "Where was Anna Vell born?"},
        {"attribute": "Orr"},
        {"case_id": 3},
        {"object": "Orr"},
        {"requested_rewrite": {}},
        {"src": "Who?", "alt": "Orr"},
        {"single_hops": []},
    ],
)
def test_without_answers_too_its_own_prompt_is_asked(
    tmp_path: Path, further: dict[str, Any]
) -> None:
    row = {**further, "prompt": "The capital of Norland is", "subject": "Norland"}
    found = read_prompts(save(tmp_path, [row]))
    assert (found.format, found.prompts[0].text) == ("json", "The capital of Norland is")


@pytest.mark.parametrize(
    ("format", "row", "answers"),
    [
        ("known_1000", KNOWN, ("Norland",)),
        ("counterfact", EASY_EDIT, ("French",)),
        ("counterfact_tracing", TRACING, ("French",)),
    ],
)
def test_a_published_row_keeps_its_own_answers_unless_it_has_answers_besides(
    tmp_path: Path, format: str, row: dict[str, Any], answers: tuple[str, ...]
) -> None:
    found = read_prompts(save(tmp_path, [row]))
    assert (found.format, found.prompts[0].answers) == (format, answers)
    found = read_prompts(save(tmp_path, [{**row, "answers": ["mine"]}]))
    assert (found.format, found.prompts[0].answers) == ("json", ("mine",))


def test_answers_that_nobody_reads_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"prompt": "The capital of Norland is", "subject": "Norland", "town": "Tarvo"}
    path = save(tmp_path, [row])
    (note,) = read_prompts(path).notes
    assert "no prompt has answers; what town hold" in note
    assert call("prompts", path) == 0
    out = capsys.readouterr().out
    assert "Read as json." in out
    assert "0 of 1 prompts have answers, so nothing will be judged." in out
    assert "No prompt has answers" in out
    assert read_prompts(save(tmp_path, [{**row, "answers": ["Tarvo"]}])).notes == ()
    assert read_prompts(save(tmp_path, [{k: row[k] for k in ("prompt", "subject")}])).notes == ()


# Tables beside their patterns.

IN = "Mount Tarvo is located in"


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_lama(tmp_path: Path) -> None:
    patterns = (
        {"relation": "P17", "template": "[X] is located in [Y] .", "label": "country"},
        {"relation": "P19", "template": "[X] was born in [Y] ."},
    )
    beside = save(tmp_path, lines(*patterns), "data/relations.jsonl")
    row = {**CLOZE_ROW, "predicate_id": "P17", "evidences": []}
    path = save(tmp_path, lines(row), "data/TREx/P17.jsonl")
    found = read_prompts(path)
    assert found.format == "cloze"
    assert said(found.prompts) == [(IN, "Mount Tarvo", 0, ("Norland",), "P17")]
    assert read_prompts(path.parent).prompts == found.prompts
    beside.write_text(lines({"relation": "P17", "template": "[X] lies in [Y] ."}))
    assert read_prompts(path).prompts[0].text == "Mount Tarvo lies in"
    assert data_hash(path, "cloze") != found.sha256, "the patterns belong to the run"


def test_pararel(tmp_path: Path) -> None:
    patterns = [
        {"pattern": "[X] is located in [Y].", "lemma": "locate", "tense": "present"},
        {"pattern": "[X], in [Y], is a place."},
        {"pattern": "The country of [X] is [Y]"},
        {"pattern": "[Y] is home to [X]."},
    ]
    save(tmp_path, lines(*patterns), "data/pattern_data/graphs_json/P17.jsonl")
    path = save(tmp_path, lines(CLOZE_ROW), "data/trex_lms_vocab/P17.jsonl")
    found = read_prompts(path.parent)
    assert said(found.prompts) == [
        (IN, "Mount Tarvo", 0, ("Norland",), "P17"),
        ("The country of Mount Tarvo is", "Mount Tarvo", 15, ("Norland",), "P17"),
    ]
    assert [p.id for p in found.prompts] == ["P17/Mount Tarvo/1", "P17/Mount Tarvo/3"]


def test_mpararel(tmp_path: Path) -> None:
    for language, pattern in (("de", "[X] liegt in [Y]"), ("en", "[X] is in [Y]")):
        save(tmp_path, lines({"pattern": pattern}), f"m/patterns/{language}/P17.jsonl")
    path = save(tmp_path, lines(CLOZE_ROW), "m/tuples/de/P17.jsonl")
    (prompt,) = read_prompts(path).prompts
    assert prompt.text == "Mount Tarvo liegt in"


def test_bear(tmp_path: Path) -> None:
    relations = {
        "P17": {"templates": ["[X] is located in [Y].", "[Y] is where [X] is."]},
        "P36": {"templates": ["[Y] is the capital of [X]."]},
    }
    save(tmp_path, relations, "BEAR/metadata_relations.json")
    row = {"sub_id": "Q1", "sub_label": "Mount Tarvo", "obj_id": "Q2", "obj_label": "Norland"}
    path = save(tmp_path, lines(row), "BEAR/P17.jsonl")
    save(tmp_path, lines(row, row), "BEAR/P36.jsonl")
    found = read_prompts(path.parent)
    assert said(found.prompts) == [(IN, "Mount Tarvo", 0, ("Norland",), "P17")]
    (note,) = found.notes
    assert "no pattern ends with the answer for the records of P36.jsonl (2)" in note
    with pytest.raises(InputError, match=r"P36\.jsonl is empty.*a pattern that ends with \[Y\]"):
        read_prompts(path.with_name("P36.jsonl"))


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (None, "", "line 1: there are no patterns of P17 beside it: none of metadata_relations"),
        ({}, "metadata_relations.json", "has no pattern of P17; add one"),
        ([], "metadata_relations.json", "has no pattern of P17; add one"),
        ("{", "metadata_relations.json", "metadata_relations.json is not JSON"),
        ('{"relation": "P17", "template": 3}', "relations.jsonl", "has no pattern of P17"),
        ("[1]", "relations.jsonl", "relations.jsonl, line 1: a prompt is an object"),
    ],
)
def test_patterns_that_are_not_there_or_broken(
    tmp_path: Path, content: object, name: str, message: str
) -> None:
    path = save(tmp_path, lines(CLOZE_ROW), "d/P17.jsonl")
    if content is not None:
        save(tmp_path, content, f"d/{name}")
    with pytest.raises(InputError) as caught:
        read_prompts(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([TRACING, {"prompt": "a b", "target_true": "c"}], 'record 2: the field "subject" is '),
        ([{**TRACING, "target_true": {"str": "x"}}], '"target_true" must be a string or a list'),
        ([{**KNOW_EDIT, "ground_truth": 3}], '"ground_truth" must be a string or a list'),
        ([ZSRE, {**ZSRE, "src": ""}], 'record 2: "src" must be a string with something in it'),
        ([{**MQUAKE, "single_hops": [3]}], '"single_hops" must be a list of objects'),
        ([{**MQUAKE, "orig": {}}], 'record 1: "orig" has no "triples_labeled" for hop 1'),
        ([{**TRIPLE, "relation": "capital"}], '"relation" holds no {} or [X] for the subject'),
        ([{**TRIPLE, "relation": "{} and {}"}], '"relation" holds no {} or [X] for the subject'),
        ([TRIPLE, {"subject": "a"}], 'record 2: the field "relation" is missing: there is subject'),
        ([CLOZE_ROW, {**CLOZE_ROW, "sub_label": 1}], "there are no patterns of data beside it"),
    ],
)
def test_a_record_that_is_not_of_its_layout(
    tmp_path: Path, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_prompts(save(tmp_path, rows))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
