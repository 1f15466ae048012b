"""No name is followed that could be a link, and what lies where a run is written is looked at."""

import os
import shutil
from pathlib import Path

import pytest
from commands import call
from records import HEADER, record

from mlxjsd.errors import InputError, MachineError
from mlxjsd.files import write_whole
from mlxjsd.store.lock import FileLock, lock_path, owner_of
from mlxjsd.store.shards import FILE
from mlxjsd.store.writer import Store


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text("mine\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Store(tmp_path / "run", HEADER) as store:
        store.add([record(0)])
    return tmp_path / "run"


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_lock_that_is_a_link_writes_over_nothing(link, folder: Path, victim: Path) -> None:  # type: ignore[no-untyped-def]
    link(victim, lock_path(folder / FILE))
    with pytest.raises(InputError, match="is no lock: it is a link"):
        Store(folder, HEADER)
    assert owner_of(folder / FILE) is None
    assert victim.read_text() == "mine\n"


def test_a_lock_that_is_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(lock_path(folder / FILE))
    assert owner_of(folder / FILE) is None
    with pytest.raises(InputError, match="is no lock"):
        FileLock(folder / FILE)


def test_a_file_under_a_temporary_name_is_not_written_over(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever knows the process's number, and guesses the rest as well.
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    name = f".heatmap.partial-{os.getpid()}-guessed.png"
    for guess in (f".heatmap.partial-{os.getpid()}.png", name):
        (tmp_path / guess).symlink_to(victim)
    with pytest.raises(InputError, match="cannot write"):
        write_whole(tmp_path / "heatmap.png", b"new")
    assert victim.read_text() == "mine\n"


def test_an_export_replaces_a_link_and_not_what_it_points_to(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "x.csv").symlink_to(victim)
    write_whole(tmp_path / "x.csv", b"new")
    assert victim.read_text() == "mine\n"
    assert not (tmp_path / "x.csv").is_symlink()
    assert (tmp_path / "x.csv").read_bytes() == b"new"


def test_an_export_keeps_the_mode_of_what_it_replaces(tmp_path: Path) -> None:
    path, umask = tmp_path / "alone" / "x.csv", os.umask(0o027)
    path.parent.mkdir()
    try:
        write_whole(path, b"one")
        assert path.stat().st_mode & 0o777 == 0o640, "as any new file"
        path.chmod(0o604)
        write_whole(path, b"two")
        assert path.stat().st_mode & 0o777 == 0o604
    finally:
        os.umask(umask)
    assert sorted(p.name for p in path.parent.iterdir()) == ["x.csv"], "nothing is left behind"


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert call(*arguments) == 2
    return capsys.readouterr().err


def test_an_output_that_can_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere" / "else")
    assert "a link that leads nowhere" in said(capsys, "run", "--output", dangling)
    long = said(capsys, "run", "--output", tmp_path / ("x" * 300))
    assert "too long" in long
    assert "room" not in long
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
def test_a_run_whose_file_is_taken_away(how: str, folder: Path, tmp_path: Path) -> None:
    store = Store(folder, HEADER)
    if how == "removed":
        (folder / FILE).unlink()
    elif how == "moved":
        folder.rename(tmp_path / "elsewhere")
    else:
        shutil.copy(folder / FILE, tmp_path / "copy")
        (tmp_path / "copy").rename(folder / FILE)
    with store, pytest.raises(MachineError, match="while it was written") as found:
        store.add([record(1)])
    assert "room" not in str(found.value)


def test_a_working_folder_that_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone, before = tmp_path / "gone", Path.cwd()
    gone.mkdir()
    os.chdir(gone)
    try:
        gone.rmdir()
        assert "the working folder was removed" in said(capsys, "run", "--limit", 1)
    finally:
        os.chdir(before)
