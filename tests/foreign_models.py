"""Models as somebody else may have made them, and what a command says of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from commands import call
from mlx.utils import tree_flatten

from mlxjsd.assets import MODEL
from mlxjsd.model.loaded import LoadedModel

ROW = {"prompt": "The capital of France is", "subject": "France", "relation": "capital"}
NORM = "model.norm.weight"


def copied(name: str) -> Path:
    return Path(shutil.copytree(MODEL, name)).absolute()


def edited(folder: Path, file: str, **changes: Any) -> Path:
    held = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**held, **changes}))
    return folder


def rescaled(folder: Path, by: float = 0.5) -> Path:
    """Another model under the same names."""
    weights = mx.load(str(folder / "model.safetensors"))
    weights[NORM] = weights[NORM] * by
    mx.save_safetensors(str(folder / "new.safetensors"), weights, {"format": "mlx"})
    (folder / "new.safetensors").replace(folder / "model.safetensors")
    return folder


def norm_of(model: LoadedModel) -> list[float]:
    held = dict(tree_flatten(model.blocks.model.parameters()))
    return held[NORM].astype(mx.float32).tolist()


def sentence(*arguments: object, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command is refused with, in one sentence."""
    assert call(*arguments) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    (told,) = [line for line in err.splitlines() if line.startswith("mlxjsd: ")]
    return told


#: What loads a model, or its tokenizer alone.
COMMANDS = [
    ("prompts", "d.jsonl", "--model", "m"),
    ("run", "--model", "m", "--data", "d.jsonl", "--output", "r"),
    ("check", "m", "--data", "d.jsonl"),
    ("bench", "--model", "m", "--data", "d.jsonl"),
]
