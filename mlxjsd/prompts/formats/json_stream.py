"""JSON as the standard has it, one value at a time, every failure one sentence.

A list is read through a window of text, so that a file of 100 MB takes no more memory than its
largest record; the standard library's decoder does the work in C.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from mlxjsd.errors import InputError

#: Characters read at a time.
WINDOW = 1 << 16
#: An error this close to the end of what is read may be the cut itself: ``tru``, ``\\u00``.
_TORN = 16
_SPACE = re.compile(r"[ \t\n\r]*")


def _no_constant(name: str) -> NoReturn:
    raise InputError(
        f"{name} is not a number that JSON has", hint="write null, or leave the field out"
    )


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def parse(text: str, place: str) -> Any:
    """Return the one value that ``text`` holds.

    Raises:
        InputError: beginning with ``place``.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{place} is not JSON: {error.msg}", hint="correct it") from None
    except (ValueError, RecursionError) as error:
        raise _unusable(error).at(place) from None


def _unusable(error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    if isinstance(error, RecursionError):
        return InputError("lists or objects are nested too deeply", hint="write it flatter")
    # All that is left of the decoder's ValueErrors.
    return InputError("a number has too many digits", hint="write it shorter, or as a string")


def elements(file: TextIO, path: Path) -> Iterator[Any]:
    """Yield the elements of the JSON list that ``file`` holds.

    Raises:
        InputError: if it is not one list; the message names the line or the record.
    """
    window = _Window(file, path)
    if window.next() != "[":
        raise InputError(
            f"{path} is not a JSON list: it does not begin with [",
            hint="name another --format, or put the records into a list",
        )
    window.take()
    if window.next() == "]":
        window.take()
    else:
        number = 0
        while True:
            number += 1
            yield window.value(number)
            mark = window.next()
            if mark not in (",", "]"):
                said = "the file ends in the middle of the list" if not mark else "a comma is due"
                window.fail(f"{said} after record {number}")
            window.take()
            if mark == "]":
                break
            window.next()
    if window.next():
        window.fail("there is more after the end of the list")


class _Window:
    """The part of a text that is looked at."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self._file, self._path = file, path
        self._text, self._at = "", 0
        self._line = 1
        """Of the first character of ``_text``."""

    def next(self) -> str:
        """Return the next character that is no space, without taking it; "" at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self) -> None:
        """Go on behind the next character."""
        self._at += 1

    def value(self, number: int) -> Any:
        """Take a value, record ``number`` of the list."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                beyond = error.pos - self._at
                if self._certain(error) or not self._more():
                    self._at += beyond
                    self.fail(error.msg)
            except (ValueError, RecursionError) as error:
                raise _unusable(error).at(f"{self._path}, record {number}") from None
            else:
                length = end - self._at
                # A number that ends with the window may go on behind it.
                if end < len(self._text) or not self._more():
                    self._at += length
                    return value

    def fail(self, said: str) -> NoReturn:
        """Raise the error for this place."""
        line = self._line + self._text.count("\n", 0, self._at)
        raise InputError(f"{self._path}, line {line} is not JSON: {said}", hint="correct that line")

    def _certain(self, error: json.JSONDecodeError) -> bool:
        """Whether it would stay an error if there were more text."""
        torn = error.msg.startswith("Unterminated string") or error.pos > len(self._text) - _TORN
        return not torn

    def _more(self) -> bool:
        """Forget what is taken and read on, as much again as is left; False at the end."""
        rest = self._text[self._at :]
        chunk = self._file.read(max(WINDOW, len(rest)))
        self._line += self._text.count("\n", 0, self._at)
        self._text, self._at = rest + chunk, 0
        return bool(chunk)
