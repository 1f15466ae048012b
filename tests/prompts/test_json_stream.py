"""A JSON list, element by element: the standard library's values, whatever parses and cuts it."""

import gc
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ijson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import OWN, save

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import json_stream
from mlxjsd.prompts.read import read_prompts

PATH = Path("data.json")
Read = Callable[[str], list[Any]]


def read(text: str) -> list[Any]:
    return list(json_stream.elements(io.StringIO(text, newline="\n"), PATH))


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(text)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400
    return said


def same(found: Any, wanted: Any) -> bool:
    """Equal, and of equal types: 1 is not 1.0."""
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, dict):
        return list(found) == list(wanted) and all(same(found[k], wanted[k]) for k in wanted)
    return type(found) is type(wanted) and found == wanted


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    # What yajl reads of them: 64 bits.
    | st.integers(1 - 2**63, 2**63 - 1)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


@pytest.mark.slow
@given(
    values=st.lists(_VALUES, max_size=6),
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 2),
    window=st.integers(1, 40),
    backend=st.sampled_from(["yajl2_c", "python"]),
)
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_the_values_are_those_of_the_standard_library(
    values: list[Any], ascii_only: bool, indent: int | None, window: int, backend: str
) -> None:
    text = json.dumps(values, ensure_ascii=ascii_only, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "WINDOW", window)
        patch.setattr(ijson, "basic_parse", ijson.get_backend(backend).basic_parse)
        assert same(read(text), values)


def test_of_a_key_that_is_there_twice_the_last_value_counts(parser: str) -> None:
    assert read('[{"a": 1, "a": 2}]') == json.loads('[{"a": 1, "a": 2}]') == [{"a": 2}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # The line, and the record.
        ("[1,\n2\n3]", "data.json, line 3 is not JSON: record 3 cannot be read ("),
        ("[1,\n2,\n oops, 4]", "line 3 is not JSON: record 3 cannot be read ("),
        ('[{},\n{"a": 1,\n"b" 2},\n{}]', "line 3 is not JSON: record 2 cannot be read ("),
        ("[1,\n]", "line 2 is not JSON: record 2 cannot be read ("),
        ('[{"a": 1,}]', "line 1 is not JSON: record 1 cannot be read ("),
        ('["a\x01"]', "line 1 is not JSON: record 1 cannot be read ("),
        ('[1, "\\q"]', "line 1 is not JSON: record 2 cannot be read ("),
        ('[1, "\\u00g0"]', "line 1 is not JSON: record 2 cannot be read ("),
        ('[1, {"a": 01}]', "record 2 cannot be read ("),
        ("[1, /* 2 */ 2]", "record 2 cannot be read ("),
        # Numbers.
        ("[1, NaN]", "record 2 cannot be read ("),
        ("[1, Infinity]", "(JSON has no NaN, no Infinity and no comma after the last element)"),
        ("[1, -Infinity]", "record 2 cannot be read ("),
        ("[1, nan]", "record 2 cannot be read ("),
        ("[1, 1e999]", "record 2 cannot be read ("),
        (f"[1, {'9' * 5000}]", "record 2 cannot be read ("),
        # The list itself.
        ("[1, 2", "the file ends in the middle of the list, after record"),
        ("[1,\n2,\n", "line 3 is not JSON: the file ends in the middle of the list, after rec"),
        ('[1, {"a": "b', "the file ends in the middle of the list, after record 1"),
        ("[", "the file ends in the middle of the list, after record 0"),
        ("[1]\n\n[2]", "line 3 is not JSON: there is more after the end of the list"),
        ("[1]]", "line 1 is not JSON: there is more after the end of the list"),
        ('[1]\n"', "line 2 is not JSON: there is more after the end of the list"),
        ("[1]\ntru", "line 2 is not JSON: there is more after the end of the list"),
        ("[]\n,", "line 2 is not JSON: there is more after the end of the list"),
        ('{"item": 1}', "data.json is not a JSON list: it does not begin with ["),
        ('"item"', "data.json is not a JSON list"),
        ("3", "data.json is not a JSON list"),
        ("oops", "data.json is not a JSON list"),
        (" \n", "data.json is not a JSON list"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("window", [1, 7, 1 << 16])
def test_what_is_no_list_is_refused_with_its_place(
    parser: str, monkeypatch: pytest.MonkeyPatch, text: str, message: str, window: int
) -> None:
    monkeypatch.setattr(json_stream, "WINDOW", window)
    assert message in refusal(text)


def test_what_stands_in_front_of_an_error_is_read(parser: str) -> None:
    found = json_stream.elements(io.StringIO('[1, {"a": 2}, oops]'), PATH)
    assert [next(found), next(found)] == [1, {"a": 2}]
    with pytest.raises(InputError, match="record 3"):
        next(found)


HALVES = [r"\ud800", r"\uDBFF!", r"\udc00", r"\uDE00\uD83D", r"\ud83d\u0041", r"\ud83d\ud83d\ude00"]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("window", [1, 4, 9, 1 << 16])
def test_half_a_character_is_refused_and_never_becomes_a_question_mark(
    parser: str, monkeypatch: pytest.MonkeyPatch, half: str, window: int
) -> None:
    monkeypatch.setattr(json_stream, "WINDOW", window)
    text = f'["a",\n {{"b": "c"}}, {{"d": "\\\\\\u0041 {half}"}}]'
    assert json.loads(text), "the standard library lets it pass"
    said = refusal(text)
    assert said.startswith(
        "data.json, record 3: a string holds half a character (a lone surrogate)"
    )


@pytest.mark.parametrize("whole", [r"\ud83d\ude00", r"\uD83D\uDE00", r"\\ud800", r"\\\\ud800 \n"])
@pytest.mark.parametrize("window", range(1, 16))
def test_whole_characters_are_read_wherever_the_text_is_cut(
    parser: str, monkeypatch: pytest.MonkeyPatch, whole: str, window: int
) -> None:
    monkeypatch.setattr(json_stream, "WINDOW", window)
    text = f'["{whole}{whole}", "a{whole}"]'
    assert read(text) == json.loads(text)


def test_nesting_is_read_down_to_a_depth(parser: str) -> None:
    def nested(depth: int) -> str:
        return f"[1, {'[' * (depth - 1)}{']' * (depth - 1)}]"

    deepest = nested(json_stream.DEEPEST)
    assert read(deepest) == json.loads(deepest)
    said = refusal(nested(json_stream.DEEPEST + 1))
    assert said.startswith("data.json, record 2: lists or objects are nested too deeply")
    assert "nested too deeply" in refusal("[" * 1_000_000)


def test_bytes_that_are_no_text_are_found_within_and_after_a_list(
    parser: str, tmp_path: Path
) -> None:
    path = save(tmp_path, "")
    for tail in (b',\n\n"caf\xe9"]', b"]\n\n\xe9"):
        path.write_bytes(json.dumps([OWN]).encode()[:-1] + tail)
        with pytest.raises(InputError, match="is not UTF-8 text: see line 3"):
            read_prompts(path)


def test_a_list_that_is_left_in_the_middle_says_nothing(
    parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    text = json.dumps([OWN] * 3)
    next(json_stream.elements(io.StringIO(text), PATH))
    refusal(text[:-1] + r', "\ud800"]')
    refusal(text[:-1] + ", [" + "[" * json_stream.DEEPEST)
    # Far behind what tells the format.
    path = save(tmp_path, "")
    path.write_bytes(json.dumps([{**OWN, "id": None}] * 5000).encode()[:-1] + b', "\xe9"]')
    with pytest.raises(InputError, match="not UTF-8"):
        read_prompts(path)
    gc.collect()
    assert not ignored
