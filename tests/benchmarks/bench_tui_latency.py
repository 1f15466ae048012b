"""How long the app takes from a key press to the repaint while the bundled model computes.

Usage: python tests/benchmarks/bench_tui_latency.py [PRESSES]

The app runs as its users have it, in a pseudo-terminal of its own: what is timed is from the
bytes of an arrow key going in to the new layer's name coming out. Exits 1 when the median is
over 100 ms or the 95th percentile over 250 ms.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

MEDIAN_MS, P95_MS = 100, 250
COLUMNS, LINES = 120, 40
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?>$ ]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|.)")


class Terminal:
    """The app's other side."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(sys.executable, [sys.executable, "-m", "mlxjsd", *arguments])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        self.seen = ""

    def wait_for(self, wanted: str, seconds: float) -> float | None:
        """Read until ``wanted`` is written; return the seconds that took, None if too many."""
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            if wanted in _ESCAPES.sub("", self.seen):
                return time.perf_counter() - began
            if select.select([self.fd], [], [], 0.01)[0]:
                try:
                    self.seen += os.read(self.fd, 1 << 16).decode("utf-8", "replace")
                except OSError:
                    return None  # the app has ended
        return None

    def drain(self, seconds: float) -> None:
        """Read what comes on its own; what was seen so far is forgotten."""
        self.wait_for("\0", seconds)
        self.seen = ""

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.fd, keys)

    def end(self) -> int:
        """Leave; return the exit code."""
        self.press(b"q")
        self.wait_for("\0", 30)
        return self.exit_code(30)

    def exit_code(self, seconds: float) -> int:
        """Wait for the app to end; one that does not is killed, which its exit code tells."""
        began = time.monotonic()
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        while not ended:
            if time.monotonic() - began > seconds:
                os.kill(self.pid, signal.SIGKILL)
                ended, status = os.waitpid(self.pid, 0)
            else:
                time.sleep(0.05)
                ended, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status)


def main(presses: int) -> int:
    """Measure, print one JSON object, and judge."""
    with tempfile.TemporaryDirectory() as folder:
        app = Terminal("tui", "--output", str(Path(folder) / "run"))
        if app.wait_for("measuring", 120) is None:
            print("the run did not begin", file=sys.stderr)
            return 1
        times, layer = [], 0
        for press in range(presses):
            app.drain(0.07 + 0.013 * (press % 7))  # not in step with the batches
            step = 1 if press // 31 % 2 == 0 else -1  # to the last layer, back, and again
            layer += step
            app.press(b"\x1b[C" if step == 1 else b"\x1b[D")
            took = app.wait_for(f"layer {layer} ", 5)
            if took is None:
                print(f"press {press} was not answered", file=sys.stderr)
                return 1
            times.append(1000 * took)
        # The numbers count only if the model was computing all the while.
        app.drain(0.5)
        app.press(b" ")
        computing = app.wait_for("paused", 5) is not None
        code = app.end()
    times.sort()
    median, p95 = statistics.median(times), times[int(0.95 * len(times))]
    result = {
        "presses": presses,
        "median_ms": round(median, 1),
        "p95_ms": round(p95, 1),
        "max_ms": round(times[-1], 1),
        "computing_to_the_end": computing,
        "exit_code": code,
    }
    print(json.dumps(result))
    good = median <= MEDIAN_MS and p95 <= P95_MS and computing and code == 0
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 150))
