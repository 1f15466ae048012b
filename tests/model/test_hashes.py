"""The hash of a model: of what is in its files, which are read once."""

import json
import os
import subprocess
import sys
import time
from io import BufferedReader
from pathlib import Path
from typing import Any

import platformdirs.macos
import platformdirs.unix
import pytest

from mlxjsd.errors import InputError
from mlxjsd.model import hashes
from mlxjsd.model.hashes import hash_model

#: Of the files that the fixtures make, as the runs of all versions hold it.
KNOWN = "6b3a719473fbbf56a58b8c985edeeca17a63ae1a4e07cedb050212fc38efb59e"
KNOWN_ADAPTED = "bc5c043ab3c0663e17cd89fe9ede8c54bbfe842ddbbe26e45531260aade5a3a2"


def age(path: Path) -> None:
    """Let a file be one that nobody has written to for a minute."""
    then = time.time_ns() - 60_000_000_000
    os.utime(path, ns=(then, then))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The files of a model with two files of weights; nothing that could be loaded."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "notes.md").write_text("of no account")
    for number in (1, 2):
        path = folder / f"model-{number}.safetensors"
        path.write_bytes(bytes([number]) * 100)
        age(path)
    return folder


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapters.safetensors").write_bytes(b"lora")
    age(folder / "adapters.safetensors")
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the weight files that are opened from now on."""
    names: list[str] = []
    opened = Path.open

    def counting(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.suffix == ".safetensors":
            names.append(path.name)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", counting)
    return names


BOTH = ["model-1.safetensors", "model-2.safetensors"]


def test_the_hash_is_the_one_that_runs_hold(model: Path, adapter: Path) -> None:
    for _ in range(2):  # read, and remembered
        assert hash_model(model, None) == KNOWN
        assert hash_model(model, adapter) == KNOWN_ADAPTED


def test_weights_are_read_once(model: Path, adapter: Path, read: list[str]) -> None:
    first = hash_model(model, adapter)
    assert read == [*BOTH, "adapters.safetensors"]
    read.clear()
    assert hash_model(model, adapter) == first
    assert read == []


def test_a_folder_of_links_is_read_once_as_well(
    model: Path, tmp_path: Path, read: list[str]
) -> None:
    first, links = hash_model(model, None), tmp_path / "links"
    links.mkdir()
    for path in model.iterdir():
        (links / path.name).symlink_to(path)
    read.clear()
    assert hash_model(links, None) == first
    assert read == []


def test_other_content_of_the_same_size_is_another_hash(model: Path, read: list[str]) -> None:
    before = hash_model(model, None)
    path = model / BOTH[0]
    path.write_bytes(b"x" * 100)
    age(path)
    read.clear()
    assert hash_model(model, None) != before
    assert read == [BOTH[0]], "and only that is read"


def test_other_content_with_the_old_time_is_another_hash(model: Path) -> None:
    before, path = hash_model(model, None), model / BOTH[0]
    stat = path.stat()
    path.write_bytes(b"x" * 100)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert hash_model(model, None) != before


def test_another_file_in_its_place_is_another_hash(model: Path) -> None:
    before, path = hash_model(model, None), model / BOTH[0]
    stat, other = path.stat(), model / "other"
    other.write_bytes(b"x" * 100)
    other.replace(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert hash_model(model, None) != before


def test_a_file_that_was_just_written_is_read_again(model: Path, read: list[str]) -> None:
    (model / BOTH[1]).write_bytes(b"new")
    first = hash_model(model, None)
    read.clear()
    assert hash_model(model, None) == first
    assert read == [BOTH[1]]


def test_a_file_that_changes_while_it_is_read_is_refused(
    model: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hash_file = hashes._hash_file

    def slow(file: BufferedReader) -> str:
        found = hash_file(file)
        with Path(file.name).open("ab") as end:
            end.write(b"more")
        age(Path(file.name))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(hashes, "_hash_file", slow)
        with pytest.raises(InputError, match="changed while the model was read; wait until"):
            hash_model(model, None)
    read.clear()
    assert hash_model(model, None)
    assert read == BOTH, "of what was read meanwhile nothing is kept"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: text[:-9],
        lambda text: "[" * 100_000,
        lambda text: "\0" * 1000,
        lambda text: text.replace('"files"', '"file"'),
        lambda text: with_other_hashes(text),
    ],
)
def test_a_damaged_cache_is_ignored_and_written_anew(
    damage: Any, model: Path, read: list[str]
) -> None:
    first = hash_model(model, None)
    place = hashes._place()
    place.write_text(damage(place.read_text()))
    read.clear()
    assert hash_model(model, None) == first
    assert read == BOTH
    read.clear()
    assert hash_model(model, None) == first
    assert read == []


def with_other_hashes(text: str) -> str:
    """As a flipped bit may leave it: still JSON, still hashes."""
    held = json.loads(text)
    for entry in held["files"].values():
        entry[-1] = "0" * 64
    return json.dumps(held)


def test_a_cache_that_cannot_be_written_is_no_error(
    model: Path, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = hash_model(model, None)
    (tmp_path / "file").write_text("no folder")
    for home in (tmp_path / "file", Path("/dev/null"), Path("/proc/none")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(home))
        monkeypatch.setenv("HOME", str(home))
        read.clear()
        assert hash_model(model, None) == expected
        assert read == BOTH
    assert (tmp_path / "file").read_text() == "no folder"


def test_the_oldest_hashes_go_first(
    model: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "MOST_KEPT", 1)
    first = hash_model(model, None)
    read.clear()
    assert hash_model(model, None) == first
    assert read == BOTH, "the second one took the place of the first, and the first of the second"
    assert len(hashes._read_kept()) == 1


def test_processes_that_hash_at_the_same_time_disturb_nobody(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mlxjsd.model.hashes import _hash_weights\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    assert len(_hash_weights(path)[0]) == 64\n"
    )
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
        for number in range(40):
            path = folder / f"{number}.safetensors"
            path.write_bytes(folder.name.encode() * (number + 1))
            age(path)
    running = [subprocess.Popen([sys.executable, "-c", code, str(folder)]) for folder in folders]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert hashes._read_kept(), "whole, if not complete"
    assert [path.name for path in hashes._place().parent.iterdir()] == ["weights.json"]


def test_no_test_sees_the_developers_own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    assert base in hashes._place().parents
    assert base in platformdirs.unix.Unix("mlxjsd").user_cache_path.parents


def test_neither_does_one_on_a_mac(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")  # by HOME alone
    place = platformdirs.macos.MacOS("mlxjsd").user_cache_path
    assert tmp_path_factory.getbasetemp() in place.parents
    assert place.parts[-3:] == ("Library", "Caches", "mlxjsd")
