"""Putting text where other programs can paste it.

Two ways. The terminal takes it by an escape sequence (OSC 52), also from another machine, but some
do not know that, and none answers. A program of the system's (pbcopy, wl-copy, xclip) does answer,
but its clipboard is that of the machine on which the app runs.
"""

import os
from collections.abc import Mapping
from typing import Any

from textual.app import App

#: What a terminal without OSC 52 says of itself.
_WITHOUT = (("TERM_PROGRAM", ("Apple_Terminal",)), ("TERM", ("linux", "dumb")))


def takes_sequences(environment: Mapping[str, str]) -> bool:
    """Say whether the terminal is not known to pass OSC 52 over."""
    if any(environment.get(name) in values for name, values in _WITHOUT):
        return False
    return "VTE_VERSION" not in environment or "TMUX" in environment


def copy(app: App[Any], text: str) -> bool:
    """Copy ``text``; return whether anything may have taken it.

    To be called on the app's thread; the system's program takes some milliseconds.
    """
    app.copy_to_clipboard(text)
    remote = any(name in os.environ for name in ("SSH_CONNECTION", "SSH_TTY"))
    if not remote and _by_program(text):
        return True
    return takes_sequences(os.environ)


def _by_program(text: str) -> bool:
    # It looks for its programs as it is imported.
    import pyperclip

    try:
        pyperclip.copy(text)
    except (pyperclip.PyperclipException, OSError, UnicodeError):
        return False
    return True
