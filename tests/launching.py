"""Starting ranks by hand, as mlx.launch does it: several processes on this machine."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

#: Seconds after which something that is waited for will not come.
PATIENCE = 600.0
COMMAND = "from mlxjsd.cli import main; import sys; main(sys.argv[1:])"


def hostfile(folder: Path, size: int) -> Path:
    """Write a list of so many ranks at free ports of this machine."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(size)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        hosts = [[f"127.0.0.1:{one.getsockname()[1]}"] for one in sockets]
    path = folder / "hosts.json"
    path.write_text(json.dumps(hosts))
    return path


def start(hosts: Path, rank: int, *arguments: object, code: str = COMMAND) -> subprocess.Popen[str]:
    """Start the command line as one of the ranks that ``hosts`` lists."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "MLX_RANK": str(rank), "MLX_HOSTFILE": str(hosts)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], object]) -> None:
    """Wait for what other processes do."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.02)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process; return its exit code and what it said."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err
