"""JSON as the standard has it, one value at a time; every failure is one sentence.

ijson reads a list event by event, so that a file of 100 MB takes no more memory than its largest
record. Its parser in C (yajl) and the one in Python both do.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO

from mlxjsd.errors import InputError
from mlxjsd.prompts.formats.opening import LONGEST, TOO_LONG, too_long

#: Characters read at a time.
WINDOW = 1 << 16
#: Lists and objects inside one another. A record is shallow; a megabyte of brackets is damage,
#: and takes a hundred times its size in memory.
DEEPEST = 500
_SPACE = re.compile(r"[ \t\n\r]*")
#: How an event changes the number of open lists and objects.
_STEP = {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}
#: A pair of surrogates, half of one (the group), or any other escape.
_HALF = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
#: Characters of a pair of surrogates, the longest of these.
_LONGEST = 12


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
    except (ValueError, RecursionError) as error:
        raise _refused(error, place) from None


def _refused(error: Exception, place: str) -> InputError:
    """Return what is said of an error of the decoder."""
    if isinstance(error, json.JSONDecodeError):
        return InputError(f"{place} is not JSON: {error.msg}", hint="correct it")
    if isinstance(error, InputError):
        return error.at(place)
    if isinstance(error, RecursionError):
        return _too_deep(place)
    return InputError(  # all that is left of the decoder's
        f"{place}: a number has too many digits", hint="write it shorter, or as a string"
    )


def objects(text: Iterable[str], path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the values that stand one after another, and the line in which each begins.

    A value may be over many lines, and a line may hold several.

    Args:
        text: the lines, with what they end in.
        path: of the file, for messages.

    Raises:
        InputError: if something among them is not JSON; the message names the line.
    """
    held: list[str] = []
    first, wanted, size = 1, 1, 0
    for number, line in enumerate(text, start=1):
        if not held:
            if line.isspace():
                continue
            try:  # nearly always a line is an object
                value = _DECODER.decode(line)
            except json.JSONDecodeError:
                first, wanted, size = number, number, 0
            except (ValueError, RecursionError) as error:
                raise _refused(error, f"{path}, line {number}") from None
            else:
                yield number, value
                continue
        held.append(line)
        size += len(line)
        if size > LONGEST:
            raise too_long(f"{path}, line {first}")
        if number < wanted:
            continue
        found, rest, first = _whole("".join(held), first, path)
        yield from found
        held, size = [rest] if rest else [], len(rest)
        # Twice as many lines before the next try: then all tries together are linear.
        wanted = number + (number - first + 1 if rest else 0)
    if held:
        found, rest, first = _whole("".join(held), first, path)
        yield from found
        if rest:
            raise InputError(
                f"{path}, line {first} is not JSON: the file ends in the middle of what begins "
                "there",
                hint="correct it",
            )


def _whole(text: str, line: int, path: Path) -> tuple[list[tuple[int, Any]], str, int]:
    """Return the values at the beginning of ``text`` with their lines, and what goes on behind it.

    The latter with the line in which it begins; "" if nothing goes on.
    """
    found: list[tuple[int, Any]] = []
    end, at, counted = len(text.rstrip()), 0, 0
    while (at := _SPACE.match(text, at).end()) < end:  # type: ignore[union-attr]
        line += _breaks(text, counted, at)
        counted = at
        try:
            value, at = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            if error.pos >= end:
                return found, text[counted:], line
            line += _breaks(text, counted, error.pos)
            raise _refused(error, f"{path}, line {line}") from None
        except (ValueError, RecursionError) as error:
            raise _refused(error, f"{path}, line {line}") from None
        found.append((line, value))
    return found, "", line


def _breaks(text: str, start: int, stop: int) -> int:
    """Count the line ends in a part of a text: a feed, a return, or both."""
    stretch = text[start:stop]
    return stretch.count("\n") + stretch.count("\r") - stretch.count("\r\n")


def elements(file: TextIO, path: Path) -> Iterator[Any]:
    """Yield the elements of the JSON list that ``file`` holds.

    Raises:
        InputError: if it is not one list; the message names the line, the record or both.
        UnicodeDecodeError: as the file does.
    """
    # Not above: the command line imports the formats for their names.
    import ijson

    source, builder = _Source(file.read), ijson.ObjectBuilder()
    begun, depth, number = False, 0, 0
    try:
        # Without use_float, numbers are Decimals.
        for event, value in ijson.basic_parse(source, use_float=True):
            if not depth and event != "start_array":
                raise _no_list(path)
            begun = True
            builder.event(event, value)
            depth += _STEP.get(event, 0)
            if depth > DEEPEST:
                raise _too_deep(f"{path}, record {number + 1}")
            if depth == 1 and builder.value:
                number += 1
                yield builder.value.pop()
                source.taken = 0
    except (ijson.JSONError, json.JSONDecodeError) as error:
        if source.error is None:
            if not begun:
                raise _no_list(path) from None
            place = f"{path}, line {_line_of_error(file)} is not JSON"
            if depth == 0:
                raise _more(place) from None
            if source.ended:
                raise InputError(
                    f"{place}: the file ends in the middle of the list, after record {number}",
                    hint="correct that line",
                ) from None
            raise InputError(
                f"{place}: record {number + 1} cannot be read ({_said(error)})",
                hint="correct that line (JSON has no NaN, no Infinity and no comma after the last "
                "element)",
            ) from None
    if isinstance(source.error, InputError):
        raise source.error.at(f"{path}, record {number + 1}")
    if source.error is not None:
        raise source.error
    if source.last != "]":  # yajl takes a string that begins there and does not end
        raise _more(f"{path}, line {_line_of_error(file)} is not JSON")


def _no_list(path: Path) -> InputError:
    return InputError(
        f"{path} is not a JSON list: it does not begin with [",
        hint="name another --format, or put the records into a list",
    )


def _too_deep(place: str) -> InputError:
    return InputError(f"{place}: lists or objects are nested too deeply", hint="write it flatter")


def _more(place: str) -> InputError:
    return InputError(f"{place}: there is more after the end of the list", hint="correct that line")


def _said(error: Exception) -> str:
    """Return what a parser says, without the place, which it counts in what it was handed."""
    said = error.msg if isinstance(error, json.JSONDecodeError) else str(error).partition("\n")[0]
    return said.rstrip(".")[:80]


def _line_of_error(file: TextIO) -> int:
    """Return the line at which a parser gives up, or the last one.

    A parser does not tell, but it gives up in the line that it was handed last. Line by line it
    takes several times as long, so this is done once something is wrong.
    """
    import ijson

    file.seek(0)
    source = _Source(file.readline)
    with suppress(ijson.JSONError, json.JSONDecodeError):
        for _ in ijson.basic_parse(source, use_float=True):
            pass
    return source.line


class _Source:
    """Hands a text to a parser in pieces.

    Nothing is raised through the parser: an error is kept, and the text ends there.
    """

    def __init__(self, take: Callable[[int], str]) -> None:
        """Hand on what ``take`` gives of a text, when it is asked for so many characters."""
        self._take = take
        self._kept = ""
        self._next_line = 1
        self.line = 1
        """In which the last piece began."""
        self.last = ""
        """The last character so far that is no space."""
        self.ended = False
        self.taken = 0
        """Characters since it was last set to 0, when a record was whole."""
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        """Return the next piece as UTF-8, whatever ``size`` is asked for; b"" at the end."""
        if not size:  # ijson asks whether these are bytes
            return b""
        try:
            piece = self._kept or self._piece()
        except UnicodeDecodeError as error:
            self.error, piece = error, ""
        self._kept = ""
        self.taken += len(piece)
        if self.taken > LONGEST:
            self.error, piece = InputError(f"{TOO_LONG}", hint="name a file of prompts"), ""
        if (half := _half(piece)) is not None:
            # yajl would put a question mark in its place. What is in front goes first, so that
            # the record is known.
            piece, self._kept = piece[:half], piece[half:]
            if not piece:
                self.error = InputError(
                    "a string holds half a character (a lone surrogate)", hint="write the whole one"
                )
        self.line = self._next_line
        self._next_line += piece.count("\n")
        self.last = piece.rstrip()[-1:] or self.last
        self.ended = not piece
        return piece.encode()

    def _piece(self) -> str:
        """Return text that does not end inside an escape."""
        piece = self._take(WINDOW)
        while "\\" in piece[-_LONGEST:] and not piece.endswith("\n"):
            if not (more := self._take(1)):
                break
            piece += more
        return piece


def _half(text: str) -> int | None:
    """Return where the escape of one half of a character begins; None if nowhere."""
    if "\\u" not in text:
        return None
    return next((found.start() for found in _HALF.finditer(text) if found[1]), None)
