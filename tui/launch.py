"""The app on this terminal, from its start to its exit code."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from mlxjsd.errors import InputError
from mlxjsd.tui.app import PATIENCE, MlxjsdApp
from mlxjsd.tui.library_output import kept_apart
from mlxjsd.tui.protocol import Job


def launch(
    job: Job | None = None,
    folder: Path | None = None,
    warn: Callable[[str], object] = lambda text: None,
    form: Job | None = None,
) -> int:
    """Run the app on this terminal; return the exit code.

    Args:
        job: measured at once; None for the start screen.
        folder: a run to be shown instead.
        warn: takes what libraries wrote to the terminal meanwhile and no error has shown.
        form: what the start screen is filled in with at first.

    Raises:
        InputError: without a terminal.
    """
    _check_terminal()
    from mlxjsd.tui.engine import MLXEngine

    # A small model keeps the engine's thread in Python, not in MLX, most of the time: asked
    # five times as often as usual, it lets the screen answer a key at once.
    sys.setswitchinterval(0.001)
    engine = MLXEngine()
    app = MlxjsdApp(engine, job, folder, remembers=True, form=form)
    with kept_apart() as app.library_output:
        try:
            app.run()
        finally:
            ended = app.ended_cleanly and engine.close(PATIENCE)
            written = app.library_output.take()
    if written:
        warn(f"While the app ran, libraries wrote:\n{written}")
    code = app.return_code or 0
    if not ended:
        # A thread that is still computing aborts an interpreter that ends in the ordinary
        # way. Whole batches are on disk, and the terminal is restored.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _check_terminal() -> None:
    """Raise ``InputError`` where keys could never come from: Textual would wait for ever."""
    if "TEXTUAL_DRIVER" in os.environ:  # it is asked for from elsewhere, as for a browser
        return
    streams = (sys.__stdin__, sys.__stderr__)  # where Textual reads and draws
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise InputError(
            "the app needs a terminal",
            hint="use `mlxjsd run`, or `mlxjsd tui --serve` for a browser",
        )
