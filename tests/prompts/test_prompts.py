import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlxjsd.errors import InputError
from mlxjsd.prompts.prompt import Prompt, PromptFile, Unusable
from mlxjsd.prompts.read import read_prompts


def write(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "prompts.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


FRANCE = {"prompt": "The capital of France is", "subject": "France"}


def test_reads_every_field(tmp_path: Path) -> None:
    row = {
        **FRANCE,
        "answers": ["Paris"],
        "relation": "capital",
        "id": 7,
        "subject_start": 15,
        "note": "left alone",
    }
    (prompt,) = read_prompts(write(tmp_path, row)).prompts
    assert prompt == Prompt("7", "The capital of France is", "France", 15, ("Paris",), "capital")


def test_blank_lines_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, "", FRANCE, "   ")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_prompts(path).prompts) == 1


def test_a_line_separator_inside_a_string_does_not_end_the_line(tmp_path: Path) -> None:
    row = json.dumps({**FRANCE, "relation": "a\u2028b\x85"}, ensure_ascii=False)
    assert read_prompts(write(tmp_path, row)).prompts[0].relation == "a\u2028b\x85"


def test_names_follow_the_content_not_the_place(tmp_path: Path) -> None:
    spain = {"prompt": "The capital of Spain is", "subject": "Spain"}
    one = read_prompts(write(tmp_path, FRANCE, spain)).prompts
    two = read_prompts(write(tmp_path, spain, FRANCE)).prompts
    assert [p.id for p in one] == [p.id for p in reversed(two)]


def test_equal_prompts_get_different_names(tmp_path: Path) -> None:
    names = [p.id for p in read_prompts(write(tmp_path, FRANCE, FRANCE, FRANCE)).prompts]
    assert len(set(names)) == 3


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = write(tmp_path, FRANCE)
    before = read_prompts(path).sha256
    path.write_text(path.read_text() + "\n")
    assert read_prompts(path).sha256 != before


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "is empty"),
        (["", " "], "is empty"),
        ([FRANCE, "{not json"], "line 2 is not JSON"),
        ([FRANCE, "", "[1]"], "line 3: a prompt is an object"),
        ([{"subject": "France"}], 'line 1: the field "prompt" is missing'),
        ([{"prompt": "The capital"}], 'line 1: the field "subject" is missing'),
        ([{**FRANCE, "subject": 3}], '"subject" must be a string'),
        ([{**FRANCE, "prompt": " "}], '"prompt" must be a string with something in it'),
        ([{**FRANCE, "answers": "Paris"}], '"answers" must be a list'),
        ([{**FRANCE, "answers": [1]}], '"answers" must be a list'),
        ([{**FRANCE, "relation": 1}], '"relation" must be a string'),
        ([{**FRANCE, "id": True}], '"id" must be'),
        ([{**FRANCE, "id": [1]}], '"id" must be'),
        ([{**FRANCE, "subject_start": -1}], '"subject_start" must be'),
        ([{**FRANCE, "subject_start": "0"}], '"subject_start" must be'),
        ([{**FRANCE, "id": "a"}, {**FRANCE, "id": "a"}], "line 2 has the id 'a' of line 1"),
    ],
)
def test_malformed_files_get_one_clear_sentence(
    tmp_path: Path, lines: list[object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_prompts(write(tmp_path, *lines))
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_other_bytes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no data file"):
        read_prompts(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="is a folder"):
        read_prompts(tmp_path)
    path = tmp_path / "latin1.jsonl"
    path.write_bytes(json.dumps(FRANCE).encode() + b"\n\xe9")
    with pytest.raises(InputError, match="not UTF-8 text: see line 2"):
        read_prompts(path)


def test_the_subject_is_its_first_occurrence_unless_another_is_named() -> None:
    assert Prompt("", "York, not New York, is", "York").subject_chars() == (0, 4)
    assert Prompt("", "York, not New York, is", "York", 14).subject_chars() == (14, 18)
    assert Prompt("", "York, not New York, is", "York", 3).subject_chars() is None
    assert Prompt("", "York, not New York, is", "york").subject_chars() is None


def test_a_subject_has_a_place_or_the_prompt_is_unusable() -> None:
    assert Prompt("", "York, not New York, is", "York", 14).place() == (14, 18)
    with pytest.raises(Unusable, match="the subject is not in the text"):
        Prompt("", "York is", "york").place()


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    path = write(tmp_path, FRANCE)
    assert read_prompts(str(path)) == read_prompts(path)


# Prompts that are in no file.

TWO = (
    Prompt("a", "The capital of France is", "France", 15, ("Paris",), "capital", 2.5),
    Prompt("b", "The capital of Spain is", "Spain"),
)


def test_any_prompts_can_be_measured_as_if_they_were_in_a_file() -> None:
    found = PromptFile.of(prompt for prompt in TWO)
    assert found.prompts == TWO
    assert found == PromptFile.of(list(TWO))
    identity = PromptFile.of(TWO, "mine").identity()
    assert json.loads(json.dumps(identity)) == {
        "file": "mine",
        "sha256": found.sha256,
        "prompts": 2,
        "format": None,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"id": "c"}, {"text": "The capital of France was"}, {"subject": "capital"},
        {"subject_start": None}, {"answers": ()}, {"answers": ("Paris", "paris")},
        {"relation": None}, {"popularity": 2.0},
    ],
)  # fmt: skip
def test_their_hash_is_that_of_all_they_say(change: dict[str, object]) -> None:
    before = PromptFile.of(TWO).sha256
    assert PromptFile.of([replace(TWO[0], **change), TWO[1]]).sha256 != before


def test_their_hash_is_that_of_their_order() -> None:
    assert PromptFile.of(TWO[::-1]).sha256 != PromptFile.of(TWO).sha256


def test_their_ids_are_unique_and_there_is_one() -> None:
    with pytest.raises(InputError, match="two prompts have the id 'a'; give each an id of its own"):
        PromptFile.of([*TWO, replace(TWO[1], id="a")])
    with pytest.raises(InputError, match="there is no prompt to measure"):
        PromptFile.of([])
