"""Model folders that are broken in every way that a copy can be: one sentence each."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import pytest
from commands import call
from mlx.utils import tree_flatten

from mlxjsd.assets import MODEL
from mlxjsd.errors import InputError
from mlxjsd.model.load import load_model

WEIGHTS = "model.safetensors"


def edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def sharded(folder: Path) -> list[Path]:
    """Split the weights into three files with an index, as large models have."""
    weights = mx.load(str(folder / WEIGHTS))
    names, index, files = sorted(weights), {}, []
    for number in range(3):
        part = names[number::3]
        files.append(folder / f"model-0000{number + 1}-of-00003.safetensors")
        mx.save_safetensors(str(files[-1]), {n: weights[n] for n in part}, {"format": "mlx"})
        index.update(dict.fromkeys(part, files[-1].name))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    (folder / WEIGHTS).unlink()
    return files


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def reshape(folder: Path) -> None:
    weights = mx.load(str(folder / WEIGHTS))
    name = "model.layers.3.mlp.down_proj.weight"
    weights[name] = weights[name][:, :-1]
    mx.save_safetensors(str(folder / "new.safetensors"), weights, {"format": "mlx"})
    (folder / "new.safetensors").replace(folder / WEIGHTS)


def drop_a_weight(folder: Path) -> None:
    weights = mx.load(str(folder / WEIGHTS))
    kept = {n: w for n, w in weights.items() if "layers.3.mlp.down_proj" not in n}
    mx.save_safetensors(str(folder / "new.safetensors"), kept, {"format": "mlx"})
    (folder / "new.safetensors").replace(folder / WEIGHTS)


FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: (f / "config.json").write_text("{oops"), "config.json is not JSON: Expecting"),
    (lambda f: (f / "config.json").write_text("[" * 100_000), "config.json is not JSON"),
    (lambda f: (f / "config.json").write_bytes(b"\xff\xfe{"), "config.json is not JSON"),
    (lambda f: (f / "config.json").write_text("[]"), "config.json is not JSON: it is no object"),
    (lambda f: (f / "config.json").write_text("{}"), "does not say of which type"),
    (lambda f: edit_config(f, model_type=3), "does not say of which type"),
    (lambda f: edit_config(f, model_type="../evil"), "does not say of which type"),
    (lambda f: edit_config(f, model_type="hal9000"), "has no model of type hal9000"),
    (lambda f: edit_config(f, hidden_size="wide"), "cannot be loaded"),
    (lambda f: edit_config(f, num_hidden_layers=2), "cannot be loaded"),
    (lambda f: (f / WEIGHTS).unlink(), "holds no weights (model*.safetensors)"),
    (lambda f: (f / WEIGHTS).write_bytes(b""), "is cut off: it ends after 0 bytes"),
    (lambda f: cut(f / WEIGHTS, 5), "is cut off: it ends after 5 bytes"),
    (lambda f: cut(f / WEIGHTS, 900), "is cut off: it ends after 900 bytes"),
    (lambda f: cut(f / WEIGHTS, 2_000_000), "is cut off: it ends after 2000000"),
    (lambda f: cut(f / WEIGHTS, (f / WEIGHTS).stat().st_size - 1), "is cut off"),
    (lambda f: (f / WEIGHTS).write_bytes(b"\x08" + bytes(7) + b"{\"a\": 3}"), "not a file of saf"),
    (lambda f: (f / WEIGHTS).write_bytes(b"\x80\x02" + b"pickle" * 99), "is cut off"),
    (lambda f: sharded(f)[1].unlink(), "1 of the 3 weight files of"),
    (lambda f: cut(sharded(f)[2], 500_000), "model-00003-of-00003.safetensors is cut off"),
    (lambda f: (sharded(f), (f / "model.safetensors.index.json").write_text("{}")),
     "does not say which file holds which weight"),
    (reshape, "cannot be loaded: Expected shape"),
    (drop_a_weight, "cannot be loaded: Missing"),
    (lambda f: (f / "tokenizer.json").write_text("{"), "cannot be loaded"),
    (lambda f: (f / "tokenizer.json").unlink(), "cannot be loaded"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "said"), FAULTS)
def test_a_broken_model_folder_gets_one_sentence(
    fault: Callable[[Path], object],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    fault(folder)
    assert call("run", "--model", folder, "--limit", 1, "--output", tmp_path / "run") == 2
    err = capsys.readouterr().err
    (told,) = [line for line in err.splitlines() if line.startswith("mlxjsd: ")]
    assert said in told
    assert "; " in told, "and what to do next"
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_whole_shards_are_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    sharded(folder)
    loaded = load_model(folder)
    assert len(tree_flatten(loaded.blocks.model.parameters())) > 100


def test_a_model_of_pickles_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="holds no weights"):
        load_model(folder)
