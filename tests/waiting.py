"""Waiting for the app by what it does, not by the clock: a loaded machine takes its time."""

import time
from collections.abc import Callable
from typing import Any

#: Seconds after which something that is waited for will not come.
PATIENCE = 120.0


async def until(pilot: Any, condition: Callable[[], object]) -> None:
    """Let the app go on until ``condition`` holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE
        await pilot.pause(0.05)


async def settled(pilot: Any) -> None:
    """Let the app go on until what was set off has been taken in and drawn."""
    for _ in range(3):
        await pilot.pause()
    await until(pilot, lambda: not getattr(pilot.app.screen, "_drawing_due", False))
    await pilot.pause()
