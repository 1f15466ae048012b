"""A disk that is full, for real: a small file system of its own where one may be mounted."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import call
from crashes import command, run_whole, same_results

from mlxjsd.store.reader import read_run
from mlxjsd.store.writer import FILE

LIMIT = 12
KILOBYTE = 1024


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_whole(folder, LIMIT)
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(mounted)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def leave(disk: Path, size: int) -> Path:
    """Fill a disk up to ``size`` bytes."""
    filler = disk / "filler"
    filler.write_bytes(b"x" * max(0, shutil.disk_usage(disk).free - size))
    return filler


def ended(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(folder, LIMIT), capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_run_that_fills_the_disk_stops_and_goes_on_when_there_is_room(
    disk: Path, whole: Path
) -> None:
    filler = leave(disk, 60 * KILOBYTE)
    stopped = ended(disk / "run")
    assert stopped.returncode == 1, stopped.stderr
    said = stopped.stderr.splitlines()[-1]
    assert "can no longer be written: database or disk is full; what was committed is safe" in said
    assert f"go on with `mlxjsd resume {disk / 'run'}`" in said
    assert "Traceback" not in stopped.stderr
    committed = len(read_run(disk / "run").records)
    assert 0 < committed < LIMIT
    again = ended(disk / "run")
    assert again.returncode == 1
    assert len(read_run(disk / "run").records) >= committed
    filler.unlink()
    assert subprocess.run(
        [sys.executable, "-m", "mlxjsd", "resume", str(disk / "run")], capture_output=True
    ).returncode == 0  # fmt: skip
    assert same_results(disk / "run", whole)


@pytest.mark.slow
def test_a_run_cannot_begin_on_a_full_disk(disk: Path) -> None:
    filler = leave(disk, 8 * KILOBYTE)
    stopped = ended(disk / "run")
    assert stopped.returncode == 1, stopped.stderr
    assert "no run can be begun in" in stopped.stderr.splitlines()[-1]
    assert not any((disk / "run").iterdir())
    filler.unlink()
    assert ended(disk / "run").returncode == 0


@pytest.mark.slow
def test_products_that_do_not_fit_are_written_later(
    disk: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(whole, disk / "run")
    (disk / "run" / "heatmap.png").unlink()
    filler = leave(disk, 8 * KILOBYTE)
    before = (disk / "run" / FILE).read_bytes()
    assert call("resume", disk / "run") == 1
    assert "No space left on device; make room" in capsys.readouterr().err
    assert sorted(p.name for p in (disk / "run").iterdir()) == ["heatmap.csv", FILE]
    assert (disk / "run" / FILE).read_bytes() == before
    assert call("export", disk / "run", "-o", disk / "out.json") == 1
    filler.unlink()
    assert call("resume", disk / "run") == 0
    assert same_results(disk / "run", whole)


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_a_full_disk_too(whole: Path, tmp_path: Path) -> None:
    # Without a small file system: the operating system's own limit of a file's size.
    folder = tmp_path / "run"
    limit = (whole / FILE).stat().st_size - 8 * KILOBYTE
    stopped = subprocess.run(
        command(folder, LIMIT), capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert stopped.returncode == 1, stopped.stderr
    assert "can no longer be written" in stopped.stderr.splitlines()[-1]
    assert 0 < len(read_run(folder).records) < LIMIT
    assert call("resume", folder) == 0
    assert same_results(folder, whole)
