"""Reading what is large, and what is no file of prompts at all."""

import json
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from published import COUNTERFACT, ENTITY, KNOWN, OWN, POPQA, RELATION, tabled

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import FORMATS, json_stream
from mlxjsd.prompts.prompt import PromptFile
from mlxjsd.prompts.read import read_prompts

SIZE = 100_000_000
RECORDS = 20_000


def records() -> Iterator[str]:
    ignored = "x" * (SIZE // RECORDS)
    for number in range(RECORDS):
        yield json.dumps({**KNOWN, "known_id": number, "notes": ignored})


@pytest.mark.slow
@pytest.mark.parametrize("format", ["jsonl", "json"])
def test_a_large_file_takes_little_more_memory_than_its_prompts(
    tmp_path: Path, format: str
) -> None:
    path = tmp_path / "large"
    before, between, after = ("[", ",\n", "]\n") if format == "json" else ("", "\n", "\n")
    with path.open("w") as file:
        file.write(before)
        for number, record in enumerate(records()):
            file.write(between * bool(number) + record)
        file.write(after)
    assert path.stat().st_size > SIZE
    tracemalloc.start()
    try:
        found = read_prompts(path)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.prompts) == RECORDS
    # The names are let go at the end; everything else on top of the prompts is one window.
    assert peak - kept < 8_000_000, f"{peak / 1e6:.1f} MB at the peak, {kept / 1e6:.1f} MB kept"


def test_a_list_reads_the_same_through_any_window(
    parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {
        **OWN,
        "numbers": [1.5e-10, -0.25, 12345678901, True, None],
        "odd": 'é\\"\u2028\U0001f600',
    }
    rows = [{**row, "id": str(number)} for number in range(7)]
    path = tmp_path / "data.json"
    for ascii_only, indent in ((True, None), (False, 2)):
        path.write_text(json.dumps(rows, ensure_ascii=ascii_only, indent=indent), "utf-8")
        whole = read_prompts(path)
        for window in (1, 2, 3, 7, 64, 1000):
            monkeypatch.setattr(json_stream, "WINDOW", window)
            with path.open(encoding="utf-8") as file:
                assert list(json_stream.elements(file, path)) == rows
            assert read_prompts(path) == whole
        monkeypatch.undo()


@pytest.mark.parametrize("window", [1, 5, 1 << 16])
def test_errors_name_the_same_line_through_any_window(
    parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(json_stream, "WINDOW", window)
    path = tmp_path / "data.json"
    good = json.dumps(OWN, indent=1)
    lines = good.count("\n") + 1
    for wrong in ("oops", '{"prompt" 3}', '"unended', "{"):
        path.write_text(f"[\n{good},\n{wrong}")
        with pytest.raises(InputError, match=f"line {lines + 2} is not JSON"):
            read_prompts(path)


def test_a_number_at_the_end_of_a_window_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[" + " " * (json_stream.WINDOW - 3) + "1234]")
    with path.open() as file:
        assert list(json_stream.elements(file, path)) == [1234]


SEEDS = [
    json.dumps([KNOWN]),
    json.dumps([COUNTERFACT]),
    json.dumps([ENTITY]),
    json.dumps(RELATION),
    json.dumps(OWN) + "\n" + json.dumps(OWN),
    tabled([POPQA], "\t"),
    tabled([{**OWN, "answers": "a|b"}], ","),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A file of one of the formats with some of its bytes replaced."""
    content = bytearray(draw(st.sampled_from(SEEDS)).encode())
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 12))
        piece = draw(
            st.binary(max_size=6)
            | st.sampled_from([b"{}", b"NaN", b"null", b"[", b'"', b"\n", b"\\ud800", b"1e999"])
        )
        content[at : at + length] = piece
    return bytes(content)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted({*KNOWN, *COUNTERFACT, *ENTITY, *RELATION, *OWN, *POPQA})),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


def outcome(path: Path, format: str | None) -> PromptFile | str:
    """The prompts, or what is said against the file."""
    try:
        return read_prompts(path, format)
    except InputError as error:
        return str(error)


@pytest.mark.slow
@settings(
    derandomize=True,
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
@given(
    content=st.binary(max_size=200) | damaged() | _JSON.map(lambda v: json.dumps(v).encode()),
    format=st.none() | st.sampled_from(sorted(FORMATS)),
)
def test_any_bytes_are_prompts_or_bad_input(content: bytes, format: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "data")
        path.write_bytes(content)
        found = outcome(path, format)
    if isinstance(found, str):
        assert "\n" not in found
        assert len(found) < 1000
        return
    names = [prompt.id for prompt in found.prompts]
    assert names
    assert len(set(names)) == len(names)
    for prompt in found.prompts:
        "".join((prompt.id, prompt.text, prompt.subject, *prompt.answers)).encode()
