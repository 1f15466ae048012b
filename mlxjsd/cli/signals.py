"""Stopping a run: asked once, after the current batch; asked twice, now.

Python runs a signal's handler only between two of its own steps, and a batch can be one long
call of MLX. So a thread of its own reads each signal from the wakeup file descriptor, which
the operating system's handler writes to at once.
"""

import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

#: What asks a run to stop: Ctrl-C, `kill`, a closed terminal.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Listens for what asks a run to stop, while it is a context manager."""

    def __init__(self, say: Callable[[str], object], on_abort: Callable[[], object]) -> None:
        """Prepare; both arguments are called from another thread.

        Args:
            say: shows the user a sentence.
            on_abort: called before the process ends at once.
        """
        self._say, self._on_abort = say, on_abort
        self._asked: int | None = None
        self._before: dict[int, object] = {}
        self._reader, self._writer = socket.socketpair()

    @property
    def exit_code(self) -> int:
        """128 and the signal's number, as a shell has it: 130 for Ctrl-C."""
        return 128 + (self._asked or signal.SIGINT)

    def asked(self) -> bool:
        """Whether the run is to stop."""
        return self._asked is not None

    def __enter__(self) -> "Interrupts":
        self._writer.setblocking(False)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._before[number] = signal.signal(number, _leave_to_the_thread)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, name="mlxjsd-interrupts", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._writer.close()  # which ends the thread

    def _listen(self) -> None:
        with self._reader:
            while got := self._reader.recv(1):
                if got[0] not in SIGNALS:
                    continue
                if got[0] == signal.SIGHUP:
                    without_terminal()
                if not self.asked():
                    self._asked = got[0]
                    self._tell("finishing the current batch; once more stops at once")
                    continue
                self._tell("stopped at once; the current batch is not kept")
                with suppress(OSError):
                    self._on_abort()
                os._exit(128 + got[0])

    def _tell(self, sentence: str) -> None:
        with suppress(OSError, ValueError):  # nobody may be there to read it
            self._say(sentence)


def _leave_to_the_thread(number: int, frame: FrameType | None) -> None:
    """Do nothing: a handler of Python's has to be there for the wakeup to be written."""


_gone = threading.Event()


def without_terminal() -> None:
    """Send what is printed from now on nowhere: the terminal is gone."""
    _gone.set()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def terminal_is_gone() -> bool:
    """Whether the terminal was closed, be it known from a signal or not."""
    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    hung_up = any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
    # Asked last: the thread may replace the descriptors meanwhile, and says so before it does.
    return hung_up or _gone.is_set()
