"""A data file as lines of text: sniffed by its first bytes, decompressed as it is read.

Nothing is held as a whole, and no line may be longer than :data:`LONGEST`: a few kilobytes can
unpack to gigabytes.
"""

import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from mlxjsd.errors import InputError, said_by
from mlxjsd.prompts.formats.kinds import COMPRESSED, HEAD, kind_of

CHUNK = 1 << 20
#: Most characters of a record.
LONGEST = 1 << 26
TOO_LONG = f"a record of more than {LONGEST:,} characters"
#: Bytes of a zstd file that are unpacked at a time: each may stand for 32 kB.
_PIECE = 512
#: Bytes that are unpacked for a checksum: one that unpacks without end is not waited for.
_MOST_CHECKED = 1 << 29


def sniff(path: Path) -> str:
    """Return the kind of a file; see :func:`mlxjsd.prompts.formats.kinds.kind_of`.

    Raises:
        InputError: if it cannot be opened, or is of a kind that is never read.
    """
    with _named(path):
        return _sniffed(path)


def _sniffed(path: Path) -> str:
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "device or a pipe"
        raise InputError(f"{path} is a {kind}", hint="name a file of prompts")
    with path.open("rb") as raw:
        return kind_of(path, raw.read(HEAD))


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    r"""Open a file as UTF-8, with or without a byte order mark, compressed or not.

    Lines end in ``\n``, ``\r\n`` or ``\r``, and keep what they end in.

    Raises:
        InputError: if it cannot be opened, or is found to be damaged or not to be UTF-8 while it
            is read.
    """
    with _named(path):
        kind = _sniffed(path)
        packed = kind in COMPRESSED.values()
        try:
            with _bytes(path, kind) as raw:
                if packed:
                    _refuse_nested(path, raw)
                yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        except InputError:
            if packed:  # what is damaged may unpack to anything
                _check_whole(path, kind)
            raise
        except UnicodeDecodeError:
            if packed:
                _check_whole(path, kind)
            line = _line_of_bad_bytes(path, kind)
            raise InputError(
                f"{path} is not UTF-8 text: see line {line}", hint="convert the file to UTF-8"
            ) from None


def lines(file: TextIO, path: Path) -> Iterator[str]:
    """Yield the lines of a text, with what they end in.

    Raises:
        InputError: if one is longer than a record may be.
    """
    for number, line in enumerate(iter(partial(file.readline, LONGEST), ""), start=1):
        if len(line) >= LONGEST:
            raise too_long(f"{path}, line {number}")
        yield line


def too_long(place: str) -> InputError:
    """Return what is said of a record of more than :data:`LONGEST` characters."""
    return InputError(f"{place}: {TOO_LONG}", hint="name a file of prompts")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what the system says into a sentence that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(
            f"there is no data file {path}", hint="name a file of prompts with --data"
        ) from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path} is damaged: {said_by(error, 120) or 'it ends too early'}",
            hint="fetch or compress it anew",
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", hint="name a file that may be read"
        ) from None


@contextmanager
def _bytes(path: Path, kind: str) -> Iterator[BinaryIO]:
    """Open the bytes of a file, unpacked."""
    opened: Any  # the library has a type for each
    if kind == "gzip":
        with gzip.open(path, "rb") as opened:
            yield opened
    elif kind == "xz":
        with lzma.open(path, "rb") as opened:
            yield opened
    elif kind == "zstd":
        with io.BufferedReader(_Zstd(path), CHUNK) as opened:
            yield opened
    else:
        with path.open("rb") as opened:
            yield opened


def _check_whole(path: Path, kind: str) -> None:
    """Unpack a file once more, for the checksum at its end; its errors are those of that."""
    with _bytes(path, kind) as raw:
        for _ in range(_MOST_CHECKED // CHUNK):
            if not raw.read(CHUNK):
                return


def _refuse_nested(path: Path, raw: BinaryIO) -> None:
    head = raw.read(HEAD)
    raw.seek(0)
    if (kind := kind_of(Path(f"what {path} holds"), head)) != "text":
        raise InputError(
            f"{path} holds a file that is no text but {kind}", hint="unpack it, and name that file"
        )


class _Zstd(io.RawIOBase):
    """The content of a zstd file.

    The library's own reader says nothing where a file ends too early.
    """

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            InputError: if the library is not here.
        """
        try:
            import zstandard
        except ImportError:
            raise InputError(
                f"{path} is compressed with zstd", hint="pip install 'mlxjsd[data]'"
            ) from None
        self._new = partial(zstandard.ZstdDecompressor().decompressobj)
        self._error = zstandard.ZstdError
        self._file = path.open("rb")
        self._begin()

    def _begin(self) -> None:
        self._frame = self._new()
        self._at, self._within = 0, False
        self._ready, self._packed = memoryview(b""), b""

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def seekable(self) -> bool:
        """Whether it can be read from its beginning again: yes."""
        return True

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go back to the beginning; nowhere else."""
        if whence == io.SEEK_CUR and not offset:
            return self._at
        if offset or whence:
            raise io.UnsupportedOperation("only to the beginning")
        self._file.seek(0)
        self._begin()
        return 0

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with what comes next; 0 at the end."""
        while not self._ready:
            self._packed = self._packed or self._file.read(_PIECE)
            if not self._packed:
                if self._within:
                    raise EOFError("the file ends in the middle of a zstd frame")
                return 0
            self._unpack()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        self._at += count
        return count

    def _unpack(self) -> None:
        try:
            self._ready = memoryview(self._frame.decompress(self._packed))
        except self._error as error:
            raise zlib.error(said_by(error, 120)) from None
        self._within, self._packed = not self._frame.eof, b""
        if self._frame.eof:  # several frames may follow one another
            self._packed = self._frame.unused_data
            self._frame = self._new()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _line_of_bad_bytes(path: Path, kind: str) -> int:
    """Say where decoding fails; the decoder of a text file knows only its own chunk."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    with _bytes(path, kind) as file:
        while True:
            chunk = file.read(CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n")
            if not chunk:
                return line
            line += chunk.count(b"\n")
