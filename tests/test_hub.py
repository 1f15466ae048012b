import json
from pathlib import Path

from mlxjsd.hub import CachedModel, cached_models, count_layers
from mlxjsd.runs import list_runs, run_folder
from mlxjsd.settings import Settings


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
    assert all(isinstance(model, CachedModel) and model.size >= 1000 for model in found)


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
