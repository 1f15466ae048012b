"""Files as people keep them: compressed, objects over many lines, tables of any delimiter."""

import gzip
import json
import lzma
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import call
from published import OWN, save, tabled

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import json_stream, opening
from mlxjsd.prompts.formats.tables import delimiter_of
from mlxjsd.prompts.read import read_prompts

zstandard = pytest.importorskip("zstandard")

ROWS = [
    {"prompt": f"The capital of {land} is", "subject": land, "answers": [town, "x"], "id": str(n)}
    for n, (land, town) in enumerate((("Norland", "Tarvo"), ("Süd\u2028land", "Orr"), ("Ö", "Å")))
]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


@pytest.fixture
def wanted(tmp_path: Path) -> tuple[Any, ...]:
    return read_prompts(save(tmp_path, LINES, "wanted.jsonl")).prompts


def written(tmp_path: Path, content: bytes, name: str = "data") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


# Compressed.

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("kind", PACK)
def test_compressed_text_is_known_by_its_bytes(
    tmp_path: Path, wanted: tuple[Any, ...], kind: str
) -> None:
    pack = PACK[kind]
    for text in (LINES, json.dumps(ROWS), json.dumps(ROWS, indent=2), "\ufeff" + LINES):
        assert read_prompts(written(tmp_path, pack(text.encode()))).prompts == wanted
    half = len(LINES) // 2
    parts = pack(LINES[:half].encode()) + pack(b"") + pack(LINES[half:].encode())
    assert read_prompts(written(tmp_path, parts)).prompts == wanted, "members follow one another"
    path = written(tmp_path, pack(b"x" * 3_000_000 + b"\n\xff"))
    with pytest.raises(InputError, match="is not UTF-8 text: see line 2"):
        read_prompts(path, "jsonl")
    path = written(tmp_path, pack(json.dumps(ROWS, indent=1).encode()[:-9] + b"oops"))
    with pytest.raises(InputError, match="line 27 is not JSON"):
        read_prompts(path)


@pytest.mark.parametrize("kind", PACK)
def test_a_compressed_file_that_is_cut_or_damaged_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    text = "".join(json.dumps({**OWN, "id": n, "x": n**9}) + "\n" for n in range(3000))
    whole = PACK[kind](text.encode())
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 40] = bytes(40)
    for content in (whole[: len(whole) // 2], whole[:-5], bytes(damaged)):
        with pytest.raises(InputError) as caught:
            read_prompts(written(tmp_path, content))
        assert "data is damaged: " in str(caught.value)
        assert "\n" not in str(caught.value)
    assert call("prompts", tmp_path / "data") == 2
    assert "is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("begin", ['{"prompt": "', '[{"prompt": "', '{"samples": "', "prompt,su"])
def test_a_record_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, begin: str
) -> None:
    # As it would be with the real bound, but sooner.
    for module in (opening, json_stream):
        monkeypatch.setattr(module, "LONGEST", 100_000)
    monkeypatch.setattr("mlxjsd.prompts.formats.lre.LONGEST", 100_000)
    path = written(tmp_path, PACK[kind](begin.encode() + b"x" * 20_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="a record of more than"):
        read_prompts(path)
    with pytest.raises(InputError, match="a record of more than"):
        read_prompts(path, "lre" if "samples" in begin else None)


def test_without_zstandard_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    with pytest.raises(InputError, match=r"with zstd; pip install 'mlxjsd\[data\]'"):
        read_prompts(written(tmp_path, PACK["zstd"](LINES.encode())))


# JSON objects.


@pytest.mark.parametrize(
    "text",
    [
        "".join(json.dumps(row, indent=2) + "\n" for row in ROWS),
        "".join(json.dumps(row, indent=2) for row in ROWS),
        "".join(json.dumps(row) for row in ROWS),
        " ".join(json.dumps(row) for row in ROWS[:2]) + "\n\n" + json.dumps(ROWS[2], indent=4),
        json.dumps(ROWS[0]) + "\n" + json.dumps(ROWS[1], indent=1) + json.dumps(ROWS[2]),
        json.dumps(ROWS[0], indent=2).replace("\n", "\r\n") + "\r\n" + LINES.split("\n", 1)[1],
        "".join(json.dumps(row, indent=2) for row in ROWS).replace("\n", "\r"),
        LINES.replace("\n", "\r"),
        LINES.replace("\n", "\r\n"),
    ],
)
def test_objects_over_many_lines_and_one_after_another(
    tmp_path: Path, wanted: tuple[Any, ...], text: str
) -> None:
    assert read_prompts(written(tmp_path, text.encode())).prompts == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n "prompt": "a b",\n "subject": oops\n}', "line 3 is not JSON: Expecting value"),
        ('{\n "prompt": "a b"', "line 1 is not JSON: the file ends in the middle of what begins"),
        (LINES + '{\n"prompt": 1,\n', "line 4 is not JSON: the file ends in the middle"),
        (LINES + '{"prompt": "a', "line 4 is not JSON: Unterminated string"),
        (LINES + "{}]\n", "line 4 is not JSON"),
        ('{\r"prompt": "a b",\r"subject": "b",\r\r oops}', "line 5 is not JSON"),
        (json.dumps(ROWS[0], indent=1) + "\n\n[\n1]", "line 11: a prompt is an object"),
        (LINES + "\n{\n}\n", 'line 5: the field "prompt" is missing: there is none'),
        (LINES + '{"prompt": "a b",\n"subject": NaN}', "line 4: NaN is not a number that JSON has"),
        (LINES + '{\n"a": {"b":\n' * 2000, "is not JSON: the file ends|nested too deeply"),
    ],
)
def test_what_is_not_json_among_objects_has_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_prompts(written(tmp_path, text.encode()))


def test_an_object_of_many_lines_is_read_in_time(tmp_path: Path) -> None:
    row = {**OWN, "numbers": list(range(200_000))}
    found = read_prompts(save(tmp_path, row))  # indented: a line for each number
    assert found.prompts[0].answers == ("Tarvo", "Old Tarvo")


def test_a_folder_of_lines(tmp_path: Path, wanted: tuple[Any, ...]) -> None:
    for row, name in zip(ROWS, ("a.jsonl", "b/c.jsonl", "d.jsonl.gz"), strict=True):
        content = json.dumps(row).encode()
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    (tmp_path / "folder/README.md").write_text("not read")
    found = read_prompts(tmp_path / "folder")
    assert (found.format, found.prompts) == ("jsonl", wanted)
    (tmp_path / "folder/e.jsonl").write_text(json.dumps(ROWS[0]))
    with pytest.raises(InputError, match=r"e\.jsonl, line 1 has the id '0' of .*a\.jsonl, line 1"):
        read_prompts(tmp_path / "folder")


# Tables.

CELLS = [{"prompt": 'The "capital", of Norland; is', "subject": "Norland", "answers": "a|b"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_tables_with_any_delimiter_and_line_end(
    tmp_path: Path, delimiter: str, said: bool, end: str
) -> None:
    text = f"sep={delimiter}\r\n" * said + tabled(CELLS * 2, delimiter)
    found = read_prompts(written(tmp_path, text.replace("\r\n", end).encode()))
    assert found.format == ("tsv" if delimiter == "\t" else "csv")
    for prompt in found.prompts:
        assert (prompt.text, prompt.answers) == (CELLS[0]["prompt"], ("a", "b"))


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("prompt,subject", ","),
        ("prompt;subject;answers", ";"),
        ("prompt\tsubject", "\t"),
        ("prompt|subject", "|"),
        ('"prompt";"a,b,c,d";"subject"', ";"),
        ('"a;b;c;d",prompt,subject', ","),
        ('"prompt, as asked"\t"subject; of it"', "\t"),
        ("prompt", ","),
        ("sep=;\nprompt,subject", ";"),
        ('"sep=|"\nprompt', "|"),
        ("SEP=\t\nprompt", "\t"),
    ],
)
def test_the_delimiter_is_that_of_the_header(header: str, delimiter: str) -> None:
    assert delimiter_of(header, ",\t;|")[0] == delimiter


def test_a_long_line_of_quotes_is_sniffed_in_time() -> None:
    began = time.monotonic()
    delimiter_of('"a,' * 40_000, ",\t;|")
    assert time.monotonic() - began < 5, "it took two minutes"


def test_rows_keep_their_lines_behind_a_line_that_names_the_delimiter(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 4 has 1 cells, the header has 2"):
        read_prompts(written(tmp_path, b"sep=;\nprompt;subject\na b;b\nc\n"))
