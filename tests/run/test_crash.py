"""Runs that end in the worst way, and go on; see tests/benchmarks/crash_runs.py for many more."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import call
from crashes import Moment, command, crash, run_whole, same_results

from mlxjsd.store.reader import read_run
from mlxjsd.store.writer import FILE

LIMIT = 4
#: Begins a run in which something happens in the third batch.
WITH_HOOK = (
    "import os, signal, sys, time\n"
    "import mlxjsd.model.load\n"  # first, for the BLAS of the command line
    "import mlxjsd.run.batch as measuring\n"
    "from mlxjsd.cli import main\n"
    "measure, calls = measuring.measure_batch, []\n"
    "def hooked(plan, batch):\n"
    "    calls.append(batch)\n"
    "    if len(calls) == 2:\n"
    "        {hook}\n"
    "    return measure(plan, batch)\n"
    "measuring.measure_batch = hooked\n"
    "main(sys.argv[1:])\n"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_whole(folder, LIMIT)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [Moment(0.002, "run.partial"), Moment(0.0, "run.sqlite-journal"), Moment(0.05, FILE),
     Moment(0.0, ".heatmap.partial-*")],
)  # fmt: skip
def test_a_killed_run_goes_on_to_the_same_results(
    moment: Moment, whole: Path, tmp_path: Path
) -> None:
    found = crash(moment, tmp_path / "run", LIMIT, whole, by_resume=moment.appears != "run.partial")
    assert found["equal"], found


#: As a shell starts a command in front; one in the background has both ignored, and so stay they.
LISTENING = (
    "import signal\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
)


def hooked(hook: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    code = LISTENING + WITH_HOOK.replace("{hook}", hook)
    arguments = [sys.executable, "-c", code, *command(folder, LIMIT)[3:]]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hook", "code", "batches"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", 130, 3),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143, 3),
        ("os.kill(os.getpid(), signal.SIGHUP)", 129, 3),
        # Twice is now: what is being computed is not waited for.
        ("[(os.kill(os.getpid(), signal.SIGINT), time.sleep(0.2)) for _ in 'ab']; time.sleep(60)",
         130, 2),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(0.2); os.kill(os.getpid(), "
         "signal.SIGTERM); time.sleep(60)", 143, 2),
        # As Metal ends a process: from C++, where no handler of ours runs.
        ("os.abort()", -signal.SIGABRT, 2),
    ],
)  # fmt: skip
def test_signals_and_aborts_keep_every_whole_batch(
    hook: str, code: int, batches: int, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    ended = hooked(hook, folder)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(read_run(folder).records) == batches
    assert (folder / f"{FILE}.lock").exists() is (code == -signal.SIGABRT)
    if code in (130, 143) and batches == 3:
        assert "finishing the current batch; once more stops at once" in ended.stderr
        assert ended.stderr.splitlines()[-1] == f"mlxjsd resume {folder}"
    assert call("resume", folder) == 0
    assert same_results(folder, whole)


@pytest.mark.slow
def test_under_nohup_a_run_outlives_its_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    hook = "os.kill(os.getpid(), signal.SIGHUP)"
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    arguments = [*command(folder, LIMIT)[3:]]
    ended = subprocess.run(
        [sys.executable, "-c", code + WITH_HOOK.replace("{hook}", hook), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert read_run(folder).finished


@pytest.mark.slow
def test_a_terminal_that_is_closed_takes_nothing_with_it(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    main_end, terminal = os.openpty()
    process = subprocess.Popen(
        command(folder, LIMIT),
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(terminal)
    said = b""
    while b"measuring" not in said:
        said += os.read(main_end, 4096)
    while not (folder / FILE).exists():
        said += os.read(main_end, 4096)
    os.close(main_end)  # the window is closed: SIGHUP, and writing fails
    assert process.wait() in (129, -signal.SIGHUP, 0)
    assert call("resume", folder) == 0
    assert same_results(folder, whole)


def test_a_write_that_failed_just_before_the_signal_was_seen_is_the_closed_terminal_too() -> None:
    code = (
        "import errno, mlxjsd.cli.app as cli\n"
        "from mlxjsd.cli.signals import without_terminal\n"
        "def app(*_, **__):\n"
        "    without_terminal()\n"  # as the thread does it, while the write is on its way
        "    raise OSError(errno.EIO, 'Input/output error')\n"
        "cli.app = app\n"
        "cli.main([])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 129


#: A run of one batch under a limit of memory that it does not fit into.
IN_LITTLE_MEMORY = (
    "import resource, sys\n"
    "from dataclasses import replace\n"
    "from pathlib import Path\n"
    "from mlxjsd.model.load import load_model\n"
    "from mlxjsd import read_prompts\n"
    "from mlxjsd.run.batch import measure_batch\n"
    "from mlxjsd.run.experiment import run_experiment\n"
    "from mlxjsd.run.plan import plan_run\n"
    "from mlxjsd.assets import PROMPTS\n"
    "plan = plan_run(load_model(), read_prompts(PROMPTS), limit=64, batch_size=16)\n"
    "largest = max(plan.passes, key=len)\n"
    "if len(sys.argv) > 2:\n"
    "    measure_batch(plan, largest[:1])\n"
    "    status = Path('/proc/self/status').read_text()\n"
    "    now = int(status.split('VmSize:')[1].split()[0]) * 1024\n"
    "    resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[2]),) * 2)\n"
    "units = replace(plan.units, batches=[largest])\n"
    "list(run_experiment(replace(plan, units=units), Path(sys.argv[1])))\n"
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_batch_that_ends_every_process_is_halved_until_one_survives(tmp_path: Path) -> None:
    # MLX's allocator on Linux does not look whether it got memory: the process ends.
    roomy, tight = tmp_path / "roomy", tmp_path / "tight"
    code = [sys.executable, "-c", IN_LITTLE_MEMORY]
    subprocess.run([*code, str(roomy)], check=True)
    ends = []
    while not ends or (ends[-1] and len(ends) < 12):
        ended = subprocess.run(
            [*code, str(tight), str(60_000_000)], check=False, capture_output=True
        )
        ends.append(ended.returncode)
    assert ends[-1] == 0, ends
    whole, parts = read_run(roomy), read_run(tight)
    assert [r.id for r in parts.records] + [f.id for f in parts.failed]
    by_id = {record.id: record for record in whole.records}
    for record in parts.records:
        np.testing.assert_allclose(record.jsd, by_id[record.id].jsd, atol=1e-5)
    assert len(parts.records) + len(parts.failed) == len(whole.records)
    if len(ends) > 1:
        assert len(parts.records) > len(parts.failed)
