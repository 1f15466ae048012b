"""One writer at a time; a lock whose owner is dead is taken over; readers need none."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import call
from records import HEADER, record

from mlxjsd.errors import InputError
from mlxjsd.store.lock import FileLock, owner_of
from mlxjsd.store.reader import read_run
from mlxjsd.store.writer import FILE, Store, check_free

#: Holds the lock of a run until its input ends.
HOLDER = (
    "import sys\n"
    "from pathlib import Path\n"
    "from mlxjsd.store.lock import FileLock\n"
    "lock = FileLock(Path(sys.argv[1]))\n"
    "print('locked', flush=True)\n"
    "sys.stdin.read()\n"
)


def holder(path: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_a_second_writer_is_told_who_the_first_one_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store(tmp_path, HEADER) as store:
        store.add([record(0)])
    with holder(tmp_path / FILE) as process:
        said = rf"is being written by process {process.pid}, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
        with pytest.raises(InputError, match=said):
            Store(tmp_path, HEADER)
        assert call("run", "--output", tmp_path) == 2
        assert re.search(said, capsys.readouterr().err)
        assert len(read_run(tmp_path).records) == 1, "reading is allowed"
        assert call("show", tmp_path) == 0
        process.kill()
        process.wait()
        assert (tmp_path / f"{FILE}.lock").exists()
        check_free(tmp_path)
        with Store(tmp_path, HEADER) as store:
            store.add([record(1)])
            assert owner_of(tmp_path / FILE) == owner_of(tmp_path / FILE) is not None
    assert sorted(p.name for p in tmp_path.iterdir()) == [FILE]


def test_two_stores_of_one_process_are_two_writers(tmp_path: Path) -> None:
    with (
        Store(tmp_path, HEADER) as store,
        pytest.raises(InputError, match=f"process {os.getpid()}"),
    ):
        Store(tmp_path, HEADER)
    store = Store(tmp_path, HEADER)
    del store  # as when an exception goes by: the lock goes with the last reference
    with Store(tmp_path, HEADER):
        pass


def test_two_files_of_one_folder_have_a_writer_each(tmp_path: Path) -> None:
    with Store(tmp_path, HEADER) as one, Store(tmp_path, HEADER, "run.1.sqlite") as other:
        one.add([record(0)])
        other.add([record(1)])
    with Store(tmp_path, HEADER, "run.1.sqlite") as other:
        assert other.done() == {"p1"}


def test_a_lock_that_its_owner_has_not_signed_yet(tmp_path: Path) -> None:
    with FileLock(tmp_path / FILE) as lock:
        lock.path.write_text("{")
        with pytest.raises(InputError, match="is being written by another process"):
            FileLock(tmp_path / FILE)
        assert owner_of(tmp_path / FILE) == "another process"
    assert owner_of(tmp_path / FILE) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(InputError, match=r"cannot be locked .*: Permission denied"):
        Store(tmp_path, HEADER)


def test_a_folder_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be locked .*: No such file"):
        FileLock(tmp_path / "none" / FILE)


def test_what_a_killed_process_left_is_no_obstacle(tmp_path: Path) -> None:
    for name in ("run.partial", "run.partial-journal", f"{FILE}.lock", ".heatmap.partial-7.png"):
        (tmp_path / name).write_bytes(b"half of it")
    with Store(tmp_path, HEADER) as store:
        store.add([record(0)])
    assert len(read_run(tmp_path).records) == 1
    assert not (tmp_path / "run.partial").exists()
