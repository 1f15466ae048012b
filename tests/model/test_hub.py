import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from commands import call

from mlxjsd.assets import MODEL
from mlxjsd.errors import InputError
from mlxjsd.model.hub import KnownModel, cached_models, count_layers, find_model, is_whole
from mlxjsd.model.load import load_encoder
from mlxjsd.settings import Settings
from mlxjsd.store.folders import list_runs, run_folder
from mlxjsd.text import size_of


def put(cache: Path, kind: str, name: str, config: object, weights: bool = True) -> None:
    """Lay out one repository as the Hub's client does."""
    folder = cache / f"{kind}s--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / "abc"
    for part in ("blobs", "refs"):
        (folder / part).mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text(json.dumps(config))
    if weights:
        (snapshot / "model.safetensors").write_bytes(b"0" * 1000)


def test_models_of_the_cache_are_listed_with_size_and_layers(tmp_path: Path) -> None:
    put(tmp_path, "model", "org/llama", {"num_hidden_layers": 16})
    put(tmp_path, "model", "Org/gemma", {"text_config": {"num_hidden_layers": 26}})
    put(tmp_path, "model", "org/odd", ["no", "object"])
    put(tmp_path, "model", "org/tokenizer-only", {}, weights=False)
    put(tmp_path, "dataset", "org/data", {})
    found = cached_models(tmp_path)
    assert [(model.name, model.layers) for model in found] == [("Org/gemma", 26), ("org/llama", 16)]
    assert all(isinstance(model, KnownModel) and model.size >= 1000 for model in found)


def test_no_cache_is_no_models(tmp_path: Path) -> None:
    assert cached_models(tmp_path / "none") == []


def test_layers_are_unknown_where_nothing_says() -> None:
    assert count_layers({}) is None
    assert count_layers({"n_layer": 12}) == 12


def test_a_run_folder_is_named_after_what_differs_from_the_defaults() -> None:
    assert run_folder(None, None, Settings(), None).name == "bundled"
    named = run_folder("a/model", Path("facts.jsonl"), Settings("swap", window=3), 7)
    assert named.name == "model_facts_corruption-swap_window-3_limit-7"


def test_what_is_no_run_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.sqlite").write_text("no database")
    assert list_runs(tmp_path) == []


def lay_out(cache: Path, name: str, revisions: dict[str, str], source: Path) -> None:
    """Put a model into a cache under several revisions: commits by branch."""
    folder = cache / f"models--{name.replace('/', '--')}"
    for part in ("blobs", "refs"):
        (folder / part).mkdir(parents=True)
    for branch, commit in revisions.items():
        (folder / "refs" / branch).write_text(commit)
        shutil.copytree(source, folder / "snapshots" / commit)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hub's client, and a client that thinks it is online."""
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return cache


def no_network(*_: object, **__: object) -> NoReturn:
    raise AssertionError("the network was asked")


def test_what_is_in_the_cache_is_found_without_the_network(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = "1" * 40, "2" * 40
    lay_out(cache, "org/small", {"main": one, "v2": two}, MODEL)
    monkeypatch.setattr("huggingface_hub.snapshot_download", no_network)
    assert find_model("org/small").name == one
    assert find_model("org/small", revision="v2").name == two
    assert find_model("org/small", revision=two).name == two
    assert load_encoder("org/small", "v2").decode([0])
    with pytest.raises(InputError, match="org/small at revision v3 is not in the local cache"):
        find_model("org/small", local_only=True, revision="v3")


def test_a_download_that_was_cut_off_is_not_taken_for_a_model(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(cache, "org/small", {"main": "1" * 40}, MODEL)
    folder = find_model("org/small")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    asked = []

    def download(name: str, **options: object) -> str:
        asked.append((name, options["revision"]))
        (folder / "model-2.safetensors").write_bytes(b"")
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert cached_models(cache) == []
    assert find_model("org/small") == folder
    assert find_model("org/small") == folder
    assert asked == [("org/small", None)], "once"
    (folder / "model.safetensors.index.json").write_text("{oops")
    assert not is_whole(folder)


def test_offline_is_offline(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.snapshot_download", no_network)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        find_model("org/none")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("RevisionNotFoundError", "the Hub has no org/none at revision v9; check the revision"),
        ("RepositoryNotFoundError", "the Hub has no model org/none that you may read"),
        ("ConnectError", "at revision v9 is neither a folder nor in the local cache"),
    ],
)
def test_the_hubs_errors_are_one_sentence(
    kind: str, said: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise type(kind, (Exception,), {})

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(InputError, match=said):
        find_model("org/none", revision="v9")


def test_a_revision_is_of_a_repository(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name one with --model"):
        load_encoder(None, "v1")
    with pytest.raises(InputError, match="is a folder"):
        find_model(str(MODEL), revision="v1")


@pytest.mark.slow
def test_loading_a_cached_model_opens_no_connection(tmp_path: Path) -> None:
    lay_out(tmp_path / "hub", "org/small", {"main": "1" * 40}, MODEL)
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise SystemExit('the network was asked')\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from mlxjsd.model.load import load_model\n"
        "assert load_model('org/small').identity.layers > 0\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_the_command_lists_what_can_be_measured(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("models") == 0
    out, err = capsys.readouterr()
    packaged = ["smollm2-135m", "93", "MB", "30", "layers", "llama,", "Apache-2.0,"]
    packaged += ["not", "downloaded", "yet"]
    assert [line.split() for line in out.splitlines()] == [packaged]
    assert "no model that can be measured is on this machine but the bundled one" in err
    put(cache, "model", "org/llama", {"model_type": "llama", "num_hidden_layers": 16})
    put(cache, "model", "org/mistral", {"model_type": "mistral", "num_hidden_layers": 8})
    put(cache, "model", "org/bert", {"model_type": "bert\x1b[2J", "num_hidden_layers": 12})
    lay_out(cache, "org/bundled", {"v2": "2" * 40}, MODEL)
    size = next(m.size for m in cached_models(cache) if m.revision)
    assert call("models") == 0
    out, err = capsys.readouterr()
    assert [line.split() for line in out.splitlines()] == [
        packaged,
        ["org/bundled", "--revision", "v2", *size_of(size).split(), "32", "layers", "llama"],
        ["org/llama", "1.0", "kB", "16", "layers", "llama"],
        ["org/mistral", "1.0", "kB", "8", "layers", "mistral"],
    ]  # fmt: skip
    assert "1 others are of no family that MLX-LM reads: bert[2J" in err
