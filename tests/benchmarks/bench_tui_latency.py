"""How long the app takes from a key press to the repaint, while a run grows.

Usage: python tests/benchmarks/bench_tui_latency.py [PRESSES] [--prompts N [--open]]

The app runs as its users have it, in a pseudo-terminal of its own. The bundled model computes, and
what is timed is from the bytes of an arrow key going in to the new layer's name coming out. Exits 1
when the median is over 100 ms or the 95th percentile over 250 ms.

With ``--prompts`` nothing computes: a made-up run of so many prompts is nearly done, batches of 8
arrive ten times a second, and arrow keys and group keys (until the new group stands on the frame)
are timed by turns. Exits 1 when the 95th percentile of either is over 150 ms.

With ``--open`` as well, a run folder of so many prompts is opened: what is timed is from the first
thing that the app draws to the run's screen, and to its numbers. Exits 1 when the screen takes more
than 500 ms.
"""

import argparse
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
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

MEDIAN_MS, P95_MS = 100, 250
GROUP_P95_MS = 150
OPEN_MS = 500
COLUMNS, LINES = 120, 40
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?>$ ]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|.)")


class Terminal:
    """The app's other side."""

    def __init__(self, *arguments: str, program: tuple[str, ...] = ("-m", "mlxjsd")) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(sys.executable, [sys.executable, *program, *arguments])
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
        """Leave, unasked; return the exit code."""
        self.press(b"\x11")
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


def computing(presses: int) -> int:
    """Time arrow keys beside the bundled model, print one JSON object, and judge."""
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
        busy = app.wait_for("paused", 5) is not None
        code = app.end()
    found = percentiles(times)
    print(json.dumps({"presses": presses, **found, "computing_to_the_end": busy,
                      "exit_code": code}))  # fmt: skip
    good = found["median_ms"] <= MEDIAN_MS and found["p95_ms"] <= P95_MS
    return 0 if good and busy and code == 0 else 1


def growing(presses: int, prompts: int) -> int:
    """Time arrow keys and group keys in a large run, print one JSON object, and judge."""
    groups = ((b"2", "Prompts · FA"), (b"3", "Prompts · AH"), (b"4", "Prompts · UH"))
    moves, switches = [], []
    with tempfile.TemporaryDirectory() as folder:
        app = Terminal("--child", folder, "--prompts", str(prompts), program=(__file__,))
        if app.wait_for("measuring", 120) is None:
            print("the run did not begin", file=sys.stderr)
            return 1
        app.drain(3)
        for press in range(presses):
            app.drain(0.2 + 0.013 * (press % 7))  # not in step with the batches
            key, wanted = groups[press % 3]
            app.press(key)
            took = app.wait_for(wanted, 10)
            app.drain(0.15)
            layer = press + 1 if press < 31 else 30 - (press - 31) % 31
            app.press(b"\x1b[C" if press < 31 else b"\x1b[D")
            moved = app.wait_for(f"layer {layer} ", 10) if press < 61 else 0.0
            if took is None or moved is None:
                print(f"press {press} was not answered", file=sys.stderr)
                return 1
            switches.append(1000 * took)
            if press < 61:
                moves.append(1000 * moved)
        code = app.end()
    found = {"group": percentiles(switches), "arrow": percentiles(moves)}
    print(json.dumps({"presses": presses, "prompts": prompts, **found, "exit_code": code}))
    return 0 if code == 0 and all(f["p95_ms"] <= GROUP_P95_MS for f in found.values()) else 1


def percentiles(times: list[float]) -> dict[str, float]:
    """Return what is said of some times, in ms."""
    times = sorted(times)
    found = statistics.median(times), times[int(0.95 * len(times))], times[-1]
    return dict(zip(("median_ms", "p95_ms", "max_ms"), (round(t, 1) for t in found), strict=True))


def made_up(prompts: int) -> list[Any]:
    """Return so many records with arrays and texts of their own, as read from a file."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from records import record

    rng, layers = np.random.default_rng(0), 32
    return [
        record(
            at,
            layers,
            jsd=rng.random((3, layers), dtype=np.float32) * np.float32(0.69),
            reliance=float(rng.random()) * 0.6,
            answer="in Paris" if at % 3 else "London",
        )
        for at in range(prompts)
    ]


def opening(prompts: int) -> int:
    """Time the opening of a run folder, print one JSON object, and judge."""
    made = made_up(prompts)
    from records import HEADER

    from mlxjsd.records import Grid
    from mlxjsd.store.writer import Store

    with tempfile.TemporaryDirectory() as folder:
        header = {**HEADER, **Grid(32).to_json(), "total": prompts}
        with Store(Path(folder) / "run", header) as store:
            for at in range(0, prompts, 500):
                store.add(made[at : at + 500])
        app = Terminal("tui", str(Path(folder) / "run"))
        steps = (("mlxjsd", 120), ("Prompts", 60), (f"· {prompts} prompts", 120))
        took = [app.wait_for(wanted, seconds) for wanted, seconds in steps]
        code = app.end()
    if None in took:
        print("the run was not shown", file=sys.stderr)
        return 1
    screen, numbers = (round(1000 * sum(took[1:end])) for end in (2, 3))
    print(json.dumps({"prompts": prompts, "screen_ms": screen, "numbers_ms": numbers}))
    return 0 if code == 0 and screen <= OPEN_MS else 1


def child(folder: Path, prompts: int) -> int:
    """Run the app, on this terminal, on top of an engine that hands out made-up records."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from dataclasses import replace

    from records import run_of

    from mlxjsd.run.events import BatchDone
    from mlxjsd.tui.app import MlxjsdApp
    from mlxjsd.tui.protocol import Job, Opened

    sys.setswitchinterval(0.001)  # as the app has it
    layers, made = 32, made_up(prompts)
    begun = replace(run_of(1, layers), records=made[: -prompts // 10], total=prompts)
    end = threading.Event()

    class Engine:
        def start(self, job: Job, tell) -> None:
            tell(Opened(job.folder, begun))
            threading.Thread(target=self.work, args=(tell,), daemon=True).start()

        def work(self, tell) -> None:
            for at in range(len(begun.records), prompts, 8):
                if end.wait(0.1):
                    return
                tell(BatchDone(tuple(made[at : at + 8]), at + 8, prompts, 0.1, 64_000_000))

        def stop(self) -> None:
            end.set()

        def close(self, timeout: float) -> bool:
            end.set()
            return True

    app = MlxjsdApp(Engine(), Job(output=folder / "run"))  # type: ignore[arg-type]
    app.run()
    return app.return_code or 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presses", nargs="?", type=int, default=150)
    parser.add_argument("--prompts", type=int)
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        return child(asked.child, asked.prompts)
    if asked.prompts is not None and asked.open:
        return opening(asked.prompts)
    if asked.prompts is not None:
        return growing(asked.presses, asked.prompts)
    return computing(asked.presses)


if __name__ == "__main__":
    sys.exit(main())
