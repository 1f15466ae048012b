"""The app as it is served: the command in a process of its own, and what asks it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from launching import COMMAND, PATIENCE, until


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        printed: the address that it printed, with the token.
        process: itself.
    """

    port: int
    printed: str
    process: "subprocess.Popen[bytes]"

    @property
    def origin(self) -> str:
        """What its own pages say that they are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The query of the printed address."""
        return urlsplit(self.printed).query

    def apps(self) -> int:
        """Count the apps that it runs."""
        listed = subprocess.run(["ps", "-A", "-o", "ppid="], capture_output=True, text=True)
        return listed.stdout.split().count(str(self.process.pid))


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[Served]:
    """Serve the app from a working folder, until the context ends."""
    port, said = free_port(), folder / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "tui", "--serve", "--port", str(port), *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONSAFEPATH": ""},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: "http://127.0.0.1" in said.read_text() or process.poll() is not None)
        while not _answers(port):
            assert process.poll() is None, said.read_text()
            time.sleep(0.05)
        words = said.read_text().split()
        printed = next(word for word in words if word.startswith("http://127.0.0.1"))
        yield Served(port, printed, process)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
