"""LoRA adapters: measured with the model, part of its identity, refused where they do not fit."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from adapters import adapter_of, tiny_model
from commands import call
from mlx_lm.utils import load
from records import HEADER

from mlxjsd.errors import InputError
from mlxjsd.model.load import load_model
from mlxjsd.model.lora import check_applied
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.experiment import measure
from mlxjsd.run.plan import plan_run
from mlxjsd.run.resume import job_of
from mlxjsd.settings import Settings
from mlxjsd.store.folders import run_folder
from mlxjsd.store.reader import read_run
from mlxjsd.store.writer import Store
from mlxjsd.tui.protocol import Job

PROMPTS = "\n".join(
    json.dumps({"prompt": f"The capital of {name} is", "subject": name})
    for name in ("France", "Spain", "Norway")
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("adapters")
    adapter_of(tiny_model(place / "model"), place / "adapter")
    (place / "prompts.jsonl").write_text(PROMPTS)
    return place


@pytest.mark.parametrize("quantized", [False, True])
def test_an_adapted_model_is_measured_and_is_another_model(tmp_path: Path, quantized: bool) -> None:
    model = tiny_model(tmp_path / "model", quantized)
    adapter = adapter_of(model, tmp_path / "adapter")
    plain = load_model(model)
    adapted = load_model(model, adapter_path=adapter)
    tokens = mx.array([[1, 5, 9, 200]])
    reference, _ = load(str(model), adapter_path=str(adapter))
    expected = np.array(reference(tokens).astype(mx.float32))
    given = np.array(adapted.blocks.model(tokens).astype(mx.float32))
    np.testing.assert_allclose(given, expected, atol=1e-3 if quantized else 1e-5)
    assert np.abs(given - np.array(plain.blocks.model(tokens).astype(mx.float32))).max() > 0.1
    assert plain.identity.adapter is None
    assert adapted.identity.adapter == str(adapter)
    assert adapted.identity.sha256 != plain.identity.sha256
    (tmp_path / "prompts.jsonl").write_text(PROMPTS)
    data = read_prompts(tmp_path / "prompts.jsonl")
    jsd = [measure(plan_run(loaded, data)).jsd() for loaded in (plain, adapted)]
    assert np.isfinite(jsd[1]).all()
    assert not np.allclose(jsd[0], jsd[1], atol=1e-4)


def test_the_identity_is_of_what_is_read_and_no_checkpoint(place: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(place / "adapter", copy)
    (copy / "0000100_adapters.safetensors").write_bytes(b"an earlier state")
    one = load_model(place / "model", adapter_path=place / "adapter").identity
    two = load_model(place / "model", adapter_path=copy).identity
    assert replace(two, adapter=one.adapter) == one
    same = {"layers": HEADER["layers"]}  # of the header's grid
    header = {**HEADER, "model": one.to_json() | same}
    Store(tmp_path / "run", header)
    Store(tmp_path / "run", {**header, "model": two.to_json() | same})  # the same one, moved


@pytest.mark.slow
def test_a_run_goes_on_with_its_adapter_and_no_other(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = adapter_of(place / "model", tmp_path / "other", seed=2)
    folder = tmp_path / "run"
    command = ["run", "--model", place / "model", "--data", place / "prompts.jsonl",
               "--no-label", "--output", folder]  # fmt: skip
    assert call(*command, "--adapter-path", place / "adapter") == 0
    assert call(*command, "--adapter-path", place / "adapter") == 0
    assert read_run(folder).model["adapter"] == str(place / "adapter")
    capsys.readouterr()
    assert call(*command, "--adapter-path", other) == 2
    assert f"model adapter '{place / 'adapter'}', now '{other}'" in capsys.readouterr().err
    assert call(*command) == 2
    assert "now None" in capsys.readouterr().err
    job = job_of(folder)
    assert job is not None
    assert (job.model, job.adapter_path) == (str(place / "model"), place / "adapter")


def test_check_and_bench_take_what_a_run_takes(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "prompts.txt"  # a name that says nothing: --format has to
    rows = [f"The capital of {name} is\t{name}" for name in ("France", "Spain", "Norway")]
    table.write_text("\n".join(["prompt\tsubject", *rows]))
    options = ["--data", table, "--format", "tsv", "--adapter-path", place / "adapter"]
    assert call("check", place / "model", *options) == 0
    assert call("bench", "--model", place / "model", *options, "--prompts", 2, "--rounds", 1) == 0
    capsys.readouterr()
    for command in (["check", place / "model"], ["bench", "--model", place / "model"]):
        assert call(*command, "--data", table, "--adapter-path", tmp_path / "none") == 2
        assert "there is no adapter folder" in capsys.readouterr().err
        assert call(*command, "--revision", "v1") == 2
        assert "revision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "there is no adapter folder"),
        ("model", "holds no adapter_config.json"),
        ("without weights", "holds no adapters.safetensors"),
        ("broken", "cannot be put into this model"),
        ("foreign", "the adapter in"),
    ],
)
def test_what_is_no_adapter_of_the_model_is_one_sentence(
    name: str, said: str, place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = tmp_path / name
    if name == "model":
        adapter = place / "model"
    elif name == "foreign":
        adapter_of(tiny_model(tmp_path / "wide", hidden_size=128), adapter)
    elif name != "nowhere":
        shutil.copytree(place / "adapter", adapter)
    if name == "without weights":
        (adapter / "adapters.safetensors").unlink()
    elif name == "broken":
        (adapter / "adapter_config.json").write_text("{oops")
    arguments = ["run", "--model", place / "model", "--data", place / "prompts.jsonl"]
    assert call(*arguments, "--adapter-path", adapter, "--output", tmp_path / "run") == 2
    *_, told = capsys.readouterr().err.splitlines()  # what is said of the prompts stands before
    assert said in told
    assert not (tmp_path / "run").exists()


def test_an_adapter_that_was_passed_over_is_noticed(place: Path, tmp_path: Path) -> None:
    module, _ = load(str(place / "model"))  # as if nothing had been put into it
    with pytest.raises(InputError, match=r"has no place for 'model\.layers"):
        check_applied(module, place / "adapter")


def test_revision_and_adapter_are_part_of_a_runs_name() -> None:
    def name(revision: str | None, adapter: Path | None) -> str:
        return run_folder("a/b", None, Settings(), None, revision, adapter).name

    assert name(None, None) == "b"
    assert name("refs/pr/1", Path("out/lora")) == "b_revision-refs-pr-1_adapter-lora"
    job = Job("a/b", revision="v1", adapter_path=Path("lora"))
    assert job.folder.name == "b_revision-v1_adapter-lora"
