"""Parquet, Arrow, and folders that datasets saves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published import KNOWN, OWN, save

from mlxjsd.errors import InputError
from mlxjsd.prompts.read import data_hash, read_prompts

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import feather, ipc, parquet  # noqa: E402 - only where it is there

ROWS = [
    {"prompt": f"The capital of {land} is", "subject": land, "answers": [town, "x"], "id": str(n)}
    for n, (land, town) in enumerate((("Norland", "Tarvo"), ("Süd\u2028land", "Orr"), ("Ö", "Å")))
]


@pytest.fixture
def wanted(tmp_path: Path) -> tuple[Any, ...]:
    return read_prompts(save(tmp_path, ROWS, "wanted.json")).prompts


def written(tmp_path: Path, content: bytes, name: str = "data") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def columns() -> Any:
    return pyarrow.Table.from_pylist(ROWS)


def write_stream(path: Path) -> None:
    with ipc.new_stream(str(path), columns().schema) as out:
        out.write_table(columns(), 2)


COLUMNS: dict[str, Callable[[Path], Any]] = {
    "parquet": lambda path: parquet.write_table(columns(), path, row_group_size=2),
    "arrow": lambda path: feather.write_feather(columns(), str(path), compression="zstd"),
    "arrow-stream": write_stream,
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns(tmp_path: Path, wanted: tuple[Any, ...], kind: str) -> None:
    path = tmp_path / "data"
    COLUMNS[kind](path)
    found = read_prompts(path)
    assert (found.format, found.prompts) == ("arrow", wanted)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:60]):
        with pytest.raises(InputError, match=f"cannot be read as {kind}") as caught:
            read_prompts(written(tmp_path, content))
        assert "\n" not in str(caught.value)


def test_columns_of_a_published_layout_and_empty_cells(tmp_path: Path) -> None:
    rows = [KNOWN, {**KNOWN, "known_id": 5, "relation_id": None}]
    path = tmp_path / "known.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found = read_prompts(path)
    assert (found.format, [p.relation for p in found.prompts]) == ("known_1000", ["P17", None])
    rows = [{**OWN, "popularity": n, "subject_start": None} for n in (1.5, float("nan"))]
    rows[0]["id"], rows[1]["id"] = "a", "b"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert [p.popularity for p in read_prompts(path).prompts] == [1.5, None]
    rows[1]["subject"] = None
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    with pytest.raises(InputError, match='row 2: the field "subject" is missing: there is answers'):
        read_prompts(path)


def test_without_pyarrow_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    COLUMNS["parquet"](path)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"columns \(parquet\); pip install 'mlxjsd\[data\]'"):
        read_prompts(path)


def saved(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """What ``Dataset.save_to_disk`` writes, as far as it is read."""
    folder.mkdir(parents=True)
    names = []
    for n, row in enumerate(rows):
        names.append(f"data-{n:05}-of-{len(rows):05}.arrow")
        table = pyarrow.Table.from_pylist([row])
        with ipc.new_stream(str(folder / names[-1]), table.schema) as out:
            out.write_table(table)
    (folder / "dataset_info.json").write_text("{}")
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    return folder


def test_a_folder_that_datasets_saved(tmp_path: Path, wanted: tuple[Any, ...]) -> None:
    folder = saved(tmp_path / "set", ROWS)
    found = read_prompts(folder)
    assert (found.format, found.prompts) == ("arrow", wanted)
    shards = sorted(folder.glob("*.arrow"))
    shards[0].write_bytes(shards[1].read_bytes())
    assert data_hash(folder) != found.sha256
    state = {"_data_files": [{"filename": "../wanted.jsonl"}]}
    (folder / "state.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match=r"state\.json is damaged: it does not list"):
        read_prompts(folder)


def test_a_saved_data_set_of_several_splits_is_asked_which(
    tmp_path: Path, wanted: tuple[Any, ...]
) -> None:
    saved(tmp_path / "set/test", ROWS)
    (tmp_path / "set/dataset_dict.json").write_text('{"splits": ["test"]}')
    assert read_prompts(tmp_path / "set").prompts == wanted
    (tmp_path / "set/dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    with pytest.raises(InputError, match=r"holds the splits test, train; name one .*set/test"):
        read_prompts(tmp_path / "set")


def test_what_datasets_itself_saves(tmp_path: Path, wanted: tuple[Any, ...]) -> None:
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_list(ROWS)
    whole.save_to_disk(tmp_path / "one", num_shards=2)
    assert read_prompts(tmp_path / "one").prompts == wanted
    datasets.DatasetDict({"train": whole}).save_to_disk(tmp_path / "dict")
    assert read_prompts(tmp_path / "dict").prompts == wanted
    whole.select([2, 0]).save_to_disk(tmp_path / "some")
    assert read_prompts(tmp_path / "some").prompts == (wanted[2], wanted[0])
