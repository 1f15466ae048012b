"""Models that somebody else made: what they hold is never believed, run or waited for."""

import json
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from commands import call
from mlx.utils import tree_flatten

from mlxjsd.assets import MODEL
from mlxjsd.errors import InputError, Panic, UnsupportedModel, panics_caught
from mlxjsd.model import files, hashes, load
from mlxjsd.model.checkpoint import INDEX
from mlxjsd.model.hashes import fingerprint, hash_model
from mlxjsd.model.load import load_encoder, load_model

ROW = {"prompt": "The capital of France is", "subject": "France", "relation": "capital"}
NORM = "model.norm.weight"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.jsonl").write_text(json.dumps(ROW))


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


def norm_of(model: load.LoadedModel) -> list[float]:
    held = dict(tree_flatten(model.blocks.model.parameters()))
    return held[NORM].astype(mx.float32).tolist()


def sentence(*arguments: object, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command is refused with, in one sentence."""
    assert call(*arguments) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    (told,) = [line for line in err.splitlines() if line.startswith("mlxjsd: ")]
    return told


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


# No code that is not asked for.

TAKES_CODE = {"tokenizer_class": "T", "auto_map": {"AutoTokenizer": [None, "tok.T"]}}


def with_code(name: str) -> Path:
    folder = edited(copied(name), "tokenizer_config.json", **TAKES_CODE)
    (folder / "tok.py").write_text(
        "open('RAN', 'w').close()\nfrom transformers import PreTrainedTokenizerFast as T\n"
    )
    return folder


COMMANDS = [
    ("prompts", "d.jsonl", "--model", "m"),
    ("run", "--model", "m", "--data", "d.jsonl", "--output", "r"),
    ("check", "m", "--data", "d.jsonl"),
    ("bench", "--model", "m", "--data", "d.jsonl"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_tokenizers_code_is_not_run(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_code("m")

    def asked(*_: object) -> str:
        return "y"

    monkeypatch.setattr("builtins.input", asked)
    told = sentence(*command, capsys=capsys)
    assert "code of its own (tok.T, in tokenizer_config.json)" in told
    assert "only with --trust-remote-code" in told
    assert not Path("RAN").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS[:2])
def test_nobody_is_asked_on_a_terminal(command: tuple[str, ...]) -> None:
    with_code("m")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mlxjsd", *command],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(ours, b"y\ny\ny\n")
        _, err = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 2
    assert "only with --trust-remote-code" in err
    assert not Path("RAN").exists()


def test_a_tokenizers_code_is_run_if_it_is_trusted() -> None:
    with_code("m")
    assert load_encoder("m", trust_remote_code=True).decode([5]) == load_encoder().decode([5])
    assert Path("RAN").exists()


def test_code_of_another_repository_is_never_run(capsys: pytest.CaptureFixture[str]) -> None:
    edited(copied("m"), "tokenizer_config.json", auto_map={"AutoTokenizer": [None, "a/b--tok.T"]})
    arguments = ("prompts", "d.jsonl", "--model", "m", "--trust-remote-code")
    assert "takes code from another repository (a/b--tok.T)" in sentence(*arguments, capsys=capsys)


@pytest.mark.parametrize("code", ["../evil.py", "sub/evil.py", "evil.txt"])
def test_a_models_code_is_a_file_that_is_hashed(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(copied("m"), "config.json", model_file=code)
    arguments = ("run", "--model", "m", "--data", "d.jsonl", "--trust-remote-code")
    assert "is no Python file in that folder" in sentence(*arguments, capsys=capsys)


def test_without_trust_a_loader_finds_no_code() -> None:
    with_code("m")
    with files.staged(files.model_files(Path("m")), "name", code=False) as place:
        assert not list(place.glob("*.py"))


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


# One sentence, whatever a model leads to.

PANICS = {
    "when it is loaded": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
    "when it is used": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
}


@pytest.mark.parametrize("when", PANICS)
@pytest.mark.parametrize("command", COMMANDS[:2])
def test_a_tokenizer_that_panics_is_one_sentence(
    command: tuple[str, ...], when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(copied("m"), "tokenizer.json", **PANICS[when])
    told = sentence(*command, capsys=capsys)
    assert ("charsmap" if when == "when it is loaded" else "chunk size must be") in told


def test_only_a_panic_is_caught() -> None:
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit, type("PanicException", (), {})):
        if not issubclass(kind, BaseException):
            kind = type("PanicException", (BaseException,), {"__module__": "of another"})
        with pytest.raises(kind), panics_caught():
            raise kind
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
    with pytest.raises(Panic, match="gave up"), panics_caught():
        raise panic("gave up")


def tiny(name: str, family: str, **settings: Any) -> Path:
    """A random model of a family behind the bundled tokenizer, saved with ``settings``."""
    from models import FAMILIES, SIZES

    folder = copied(name)
    module = FAMILIES[family]()
    weights = dict(tree_flatten(module.parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    config = {**SIZES, "model_type": family, **settings}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


CONTRADICTIONS = [
    ("gemma2", {"head_dim": 16, "final_logit_softcapping": None}),
    ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 9}),
]


@pytest.mark.parametrize(("family", "settings"), CONTRADICTIONS)
@pytest.mark.parametrize("command", COMMANDS[1:3])
def test_a_configuration_that_fails_in_the_first_pass_is_one_sentence(
    command: tuple[str, ...],
    family: str,
    settings: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiny("m", family, **settings)
    assert "cannot be run" in sentence(*command, capsys=capsys)
    with pytest.raises(UnsupportedModel):
        load_model("m")


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 1e9},
        {"num_hidden_layers": 10**400},
        {"num_hidden_layers": 100_000},
        {"text_config": {"num_hidden_layers": 10**9}},
        {"n_routed_experts": 10**9},
        {"layer_types": ["full_attention"] * 100_000},
        {"hybrid_override_pattern": "M" * 100_000},
    ],
)
def test_a_model_that_would_be_built_without_end_is_refused_at_once(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    edited(copied("m"), "config.json", **changes)
    for command in COMMANDS[:2]:
        began = time.monotonic()
        told = sentence(*command, capsys=capsys)
        assert "asks for too much" in told
        assert time.monotonic() - began < 5
