"""A model's files: what is hashed is what is loaded, and nothing is waited for."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from foreign_models import NORM, copied, norm_of, rescaled, sentence

from mlxjsd.errors import InputError
from mlxjsd.model import files, hashes, load
from mlxjsd.model.checkpoint import INDEX
from mlxjsd.model.hashes import fingerprint, hash_model
from mlxjsd.model.load import load_model

# What is hashed is what is loaded.


@pytest.mark.parametrize("name", ["llama[4]", "llama?", "llama*"])
def test_the_folder_that_is_named_is_loaded_not_its_neighbour(name: str) -> None:
    copied(name)
    rescaled(copied("llama4"))
    assert norm_of(load_model(name)) == norm_of(load_model())
    assert hash_model(Path(name), None) != hash_model(Path("llama4"), None)


def test_a_temporary_folder_that_is_a_pattern_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t[1]").mkdir()
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path / "t[1]"))
    assert norm_of(load_model(copied("m")))


def test_a_name_in_the_hubs_cache_is_no_hash(tmp_path: Path) -> None:
    folders = []
    for at, by in enumerate((1.0, 0.5)):
        blobs = tmp_path / f"hub{at}" / "blobs"
        blobs.mkdir(parents=True)
        folder = rescaled(copied(f"m{at}"), by)
        (folder / "model.safetensors").rename(blobs / ("a" * 64))
        (folder / "model.safetensors").symlink_to(blobs / ("a" * 64))
        folders.append(folder)
    one, other = (hash_model(folder, None) for folder in folders)
    assert one != other
    honest = fingerprint(files.model_files(copied("plain"))).sha256
    rescaled(copied("half"), 1.0)
    assert one == hash_model(Path("half"), None), "by its content, wherever that lies"
    assert honest == load_model().identity.sha256


def test_weights_that_no_index_names_are_hashed_and_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = copied("m")
    weights = mx.load(str(folder / "model.safetensors"))
    (folder / INDEX).write_text(
        json.dumps({"weight_map": dict.fromkeys(weights, "model.safetensors")})
    )
    before = hash_model(folder, None)
    mx.save_safetensors(str(folder / "model-more.safetensors"), {NORM: weights[NORM] * 0.5})
    assert hash_model(folder, None) != before
    told = sentence("run", "--model", folder, "--data", "d.jsonl", capsys=capsys)
    assert f"hold the weight {NORM}, and either may be the one that is loaded" in told


def test_only_what_is_hashed_can_be_loaded() -> None:
    folder = copied("m")
    (folder / "unknown.bin").write_text("not hashed")
    known = files.model_files(folder)
    with files.staged(known, "name", code=True) as place:
        assert {path.name for path in place.iterdir()} == set(known)
        assert all((place / name).resolve() == path for name, path in known.items())
        assert "unknown.bin" not in known
    assert not place.exists()


@pytest.mark.parametrize("put_back", [False, True])
def test_a_file_that_changes_between_hash_and_load_is_refused(
    put_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, load_module = copied("m"), load.load_module
    path = folder / "model.safetensors"

    def swapped(*arguments: Any) -> Any:
        stat, held = path.stat(), path.read_bytes()
        rescaled(folder)
        found = load_module(*arguments)
        if put_back:
            path.write_bytes(held)
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return found

    monkeypatch.setattr(load, "load_module", swapped)
    with pytest.raises(InputError, match=r"model\.safetensors changed while the model was read"):
        load_model(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
def test_hashes_that_another_user_left_are_not_believed(tmp_path: Path) -> None:
    folder = copied("m")
    path = folder / "model.safetensors"
    os.utime(path, (1, 1))
    right, place = hash_model(folder, None), hashes._place()
    kept = json.loads(place.read_text())["files"]
    (entry,) = kept.values()
    entry[-1] = "0" * 64
    forged = json.dumps({"files": kept, "sha256": hashes._seal(kept)})
    place.write_text(forged)
    assert hash_model(folder, None) != right, "the user's own file is believed"
    for uid, mode in ((12345, 0o644), (os.geteuid(), 0o666)):
        place.unlink()
        place.write_text(forged)
        place.chmod(mode)
        os.chown(place, uid, -1)
        assert hash_model(folder, None) == right
    assert place.stat().st_mode & 0o777 == 0o600


# Nothing is waited for.


def to_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def to_device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def to_nowhere(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("nowhere")


NAMES = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", INDEX]
NAMES += ["generation_config.json", "model-2.safetensors", "chat_template.jinja"]


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [to_pipe, to_device, to_nowhere])
@pytest.mark.parametrize("name", NAMES)
def test_no_pipe_is_waited_for(name: str, spoil: Callable[[Path], None]) -> None:
    spoil(copied("m") / name)
    commands = [
        ("run", "--model", "m", "--data", "d.jsonl"),
        ("prompts", "d.jsonl", "--model", "m"),
    ]
    for command in commands:
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-m", "mlxjsd", *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 2, ended.stderr
        assert "Traceback" not in ended.stderr
        assert name in ended.stderr
        assert time.monotonic() - began < 30


@pytest.mark.parametrize("name", ["adapter_config.json", "adapters.safetensors"])
def test_no_pipe_of_an_adapter_is_waited_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    adapter = Path("a")
    adapter.mkdir()
    for other in ("adapter_config.json", "adapters.safetensors"):
        (adapter / other).write_text("{}")
    to_pipe(adapter / name)
    arguments = ("run", "--data", "d.jsonl", "--adapter-path", adapter)
    assert f"holds no {name}" in sentence(*arguments, capsys=capsys)
