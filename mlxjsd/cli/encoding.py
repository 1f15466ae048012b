"""Output on terminals and in pipes that are not UTF-8: plain signs in place of an error.

A run of a night must not end in a traceback because LANG is C.
"""

import codecs
import sys

#: What stands for signs that an encoding lacks, each as wide as the sign.
_PLAIN = str.maketrans(
    {
        **{"█": "#", "▓": "%", "▒": "=", "░": ":", "▀": '"', "▄": "_", "▌": "[", "▐": "]"},
        **{"━": "-", "─": "-", "╸": "-", "╺": "-", "│": "|", "·": ".", "•": "*", "…": "."},
        **{"→": ">", "↵": "/", "▲": "^", "▼": "v", "✓": "+", "✗": "x", "σ": "s", "×": "x"},
        **{"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-"},
    }
)
_HANDLER = "mlxjsd.plain"
#: Bytes of a file's name that are no text, as Python keeps them.
_ESCAPED = range(0xDC80, 0xDD00)


def _plain(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = b""
    for sign in error.object[error.start : error.end]:
        if ord(sign) in _ESCAPED:
            found += bytes([ord(sign) - 0xDC00])
        else:
            found += sign.translate(_PLAIN).encode("ascii", "replace")
    return found, error.end


def prepare_output() -> None:
    """Let standard output and error take any text."""
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # not of a stream that a test put there
        if reconfigure is not None:
            reconfigure(errors=_HANDLER)
