"""Data sets of the Hub by name, out of a cache as the library lays it out; no network."""

import hashlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from commands import call
from published import TRACING
from records import HEADER

from mlxjsd.errors import InputError
from mlxjsd.prompts.hub_data import HubData, is_cached, names_hub
from mlxjsd.prompts.read import data_hash, read_prompts
from mlxjsd.run.job import Job
from mlxjsd.run.resume import job_of
from mlxjsd.store.writer import Store
from mlxjsd.tui.form import job_from, values_of

pyarrow = pytest.importorskip("pyarrow")
from pyarrow import ipc  # noqa: E402 - only where it is there

OLD, NEW = "a" * 40, "b" * 40
NAME = "NeelNanda/counterfact-tracing"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a library that may not be used."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "datasets", None)
    return tmp_path / "cache"


def keep(cache: Path, commit: str, *splits: str, name: str = NAME, config: str = "default") -> Path:
    """Write what the library keeps of a data set."""
    owner, _, called = name.rpartition("/")
    base = f"{owner}___{called}" if owner else called
    folder = cache / base / config / "0.0.0" / commit
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    for split in splits:
        table = pyarrow.Table.from_pylist([{**TRACING, "target_true": f" {commit[0]}-{split}"}])
        with ipc.new_stream(str(folder / f"{called}-{split}.arrow"), table.schema) as out:
            out.write_table(table)
    return folder


def answers(name: str) -> tuple[str, ...]:
    return read_prompts(name).prompts[0].answers


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("hf:NeelNanda/counterfact-tracing", HubData("NeelNanda/counterfact-tracing")),
        ("hf:squad", HubData("squad")),
        ("hf:a/b/c", HubData("a/b", "c")),
        ("hf:a/b:test", HubData("a/b", None, "test")),
        ("hf:a/b@refs/pr/1", HubData("a/b", None, None, "refs/pr/1")),
        (f"hf:a/b/c.d:test@{OLD}", HubData("a/b", "c.d", "test", OLD)),
    ],
)
def test_a_name_says_config_split_and_revision(typed: str, found: HubData) -> None:
    assert HubData.parse(typed) == found
    assert str(found) == typed
    assert names_hub(Path(typed))


@pytest.mark.parametrize("typed", ["hf:", "hf:/b", "hf:a/../b", "hf:a/b/c/d", "hf:a b", "hf:a/b:"])
def test_what_is_no_name_is_refused(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("prompts", typed) == 2
    assert "names no data set of the Hub; write it such as hf:Neel" in capsys.readouterr().err


def test_what_is_cached_is_read_without_the_library(cache: Path) -> None:
    keep(cache, OLD, "train")
    found = read_prompts(f"hf:{NAME}")
    resolved = f"hf:{NAME}/default:train@{OLD}"
    assert (found.format, found.prompts[0].answers) == ("counterfact_tracing", ("a-train",))
    assert found.identity() == {
        "file": "default:train@" + OLD,
        "sha256": hashlib.sha256(resolved.encode()).hexdigest(),
        "prompts": 1,
        "format": "counterfact_tracing",
        "revision": OLD,
    }
    assert str(found.path) == resolved
    assert data_hash(found.path) == found.sha256
    assert is_cached(Path(f"hf:{NAME}:train"))
    assert not is_cached(Path(f"hf:{NAME}@{NEW}"))


def test_the_commit_that_is_named_is_read(cache: Path) -> None:
    keep(cache, OLD, "train")
    keep(cache, NEW, "train")
    assert answers(f"hf:{NAME}@{OLD}") == ("a-train",)
    assert answers(f"hf:{NAME}@{NEW}") == ("b-train",)


def test_of_several_splits_and_configs_one_is_named(cache: Path) -> None:
    keep(cache, OLD, "test", "train")
    with pytest.raises(
        InputError, match=r"has the splits test, train; name one, such as hf:.*:test"
    ):
        read_prompts(f"hf:{NAME}")
    assert answers(f"hf:{NAME}:test") == ("a-test",)
    keep(cache, OLD, "train", config="small")
    with pytest.raises(
        InputError, match=r"has the configs default, small; name one, such as .*/def"
    ):
        read_prompts(f"hf:{NAME}:train")
    assert answers(f"hf:{NAME}/small") == ("a-train",)


def test_a_part_of_a_data_set_that_is_cached_is_not_taken_for_it(cache: Path) -> None:
    keep(cache, NEW, "train", config="default-fe88be32c6a8ff10")
    assert not is_cached(Path(f"hf:{NAME}"))
    keep(cache, OLD, "train")
    assert answers(f"hf:{NAME}") == ("a-train",)


def test_the_shards_of_a_split_are_read_in_order(cache: Path) -> None:
    folder = keep(cache, OLD, "train-00001-of-00002", "train-00000-of-00002", name="a/PopQA")
    (folder.parents[2]).rename(folder.parents[2].with_name("a___pop_qa"))
    assert [p.answers[0] for p in read_prompts("hf:a/PopQA").prompts] == [
        "a-train-00000-of-00002",
        "a-train-00001-of-00002",
    ]


def library(cache: Path, asked: list[tuple[Any, ...]]) -> ModuleType:
    """A library that "downloads" into the cache."""
    module = ModuleType("datasets")

    def load_dataset(
        name: str, config: str | None, *, split: str | None, revision: str | None
    ) -> Any:
        asked.append((name, config, split, revision))
        if revision == "gone":
            raise OSError("no such\nrevision")
        folder = keep(cache, NEW, "train", name=name)
        file = {"filename": str(folder / "counterfact-tracing-train.arrow")}
        return {"train": SimpleNamespace(cache_files=[file])}

    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    return module


def test_what_is_not_cached_is_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setitem(sys.modules, "datasets", library(cache, asked))
    found = read_prompts(f"hf:{NAME}@main")
    assert asked == [(NAME, None, None, "main")], "nothing that would run its code"
    assert found.identity()["revision"] == NEW
    assert read_prompts(f"hf:{NAME}") == found
    assert len(asked) == 1
    with pytest.raises(InputError, match="cannot be fetched: no such revision; check the name"):
        read_prompts(f"hf:{NAME}@gone")


def test_without_the_library_it_is_said_what_to_install() -> None:
    with pytest.raises(InputError, match=r"not in the cache; pip install 'mlxjsd\[data\]'"):
        read_prompts(f"hf:{NAME}")


def test_a_run_goes_on_with_the_commit_that_it_began_with(cache: Path, tmp_path: Path) -> None:
    keep(cache, OLD, "train")
    found = read_prompts(f"hf:{NAME}")
    header = {**HEADER, "data": found.identity(), "data_path": str(found.path)}
    Store(tmp_path / "run", header)
    keep(cache, NEW, "train")
    job = job_of(tmp_path / "run")
    assert str(job.data) == f"hf:{NAME}/default:train@{OLD}"
    assert read_prompts(job.data or "") == found
    json.dumps(found.identity())


def test_the_apps_form_takes_the_name_of_a_data_set() -> None:
    job = Job(data=Path(f"hf:{NAME}"))
    assert job_from(values_of(job), job).data == job.data


def test_data_sets_have_run_folders_of_their_own() -> None:
    names = {Job(data=Path(name)).folder.name for name in ("hf:a/b", "hf:c/b", "hf:a/b:test")}
    assert names == {"bundled_hf-a-b", "bundled_hf-c-b", "bundled_hf-a-b-test"}
