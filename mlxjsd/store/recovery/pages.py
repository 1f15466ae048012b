"""Reading rows from the bytes of an SQLite file, page by page, whatever holds them together.

SQLite stops at the first page that makes no sense, and finds none without those above it. Here
each page of an index b-tree, the kind in which tables without a rowid are kept, is read for
itself (https://www.sqlite.org/fileformat2.html). What comes out may be old or nonsense: only its
checksum tells whether a row is one.
"""

import struct
from collections.abc import Iterator
from typing import Any

#: Where the cells' places begin, by the kind of page: interior and leaf of an index.
_KINDS = {0x02: 12, 0x0A: 8}
_HEADER = 100
_PAGE = 4096
#: How often each byte is taken at most. One row holds it, but a page that makes no sense can have
#: a thousand cells that lead to the same chain of pages.
_MOST_TIMES = 16
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class _Nonsense(Exception):
    """The bytes are no row."""


def rows_in(content: bytes) -> Iterator[tuple[Any, ...]]:
    """Yield whatever can be read as a row, in no order; text that is not UTF-8 is left out."""
    size, left = _page_size(content), _MOST_TIMES * len(content)
    for number in range(1, len(content) // size + 1):
        page = content[(number - 1) * size : number * size]
        begins = _HEADER if number == 1 else 0
        if page[begins] not in _KINDS:
            continue
        (count,) = struct.unpack_from(">H", page, begins + 3)
        first = begins + _KINDS[page[begins]]
        for at in range(first, min(first + 2 * count, size - 1), 2):
            (place,) = struct.unpack_from(">H", page, at)
            try:
                cell = place + 4 if page[begins] == 0x02 else place  # behind the child's number
                payload = _payload(content, size, page, cell)
                if (left := left - len(payload)) < 0:
                    return
                yield _row(payload)
            except (_Nonsense, IndexError, struct.error, UnicodeDecodeError):
                continue


def _page_size(content: bytes) -> int:
    if len(content) > _HEADER:
        (size,) = struct.unpack_from(">H", content, 16)
        if size >= 512 and size & (size - 1) == 0:
            return int(size)
    return _PAGE


def _payload(content: bytes, size: int, page: bytes, cell: int) -> bytes:
    """Return a cell's content, the parts on overflow pages included."""
    length, cell = _varint(page, cell)
    if not 0 < length <= len(content):
        raise _Nonsense
    most, least = (size - 12) * 64 // 255 - 23, (size - 12) * 32 // 255 - 23
    if length <= most:
        return page[cell : cell + length]
    here = least + (length - least) % (size - 4)
    here = here if here <= most else least
    parts, have = [page[cell : cell + here]], here
    (following,) = struct.unpack_from(">I", page, cell + here)
    while have < length:
        begins = (following - 1) * size
        if not 0 < begins < len(content):
            raise _Nonsense
        (following,) = struct.unpack_from(">I", content, begins)
        parts.append(content[begins + 4 : begins + size])
        have += size - 4
    return b"".join(parts)[:length]


def _row(payload: bytes) -> tuple[Any, ...]:
    ends, at = _varint(payload, 0)
    if ends > len(payload):
        raise _Nonsense
    kinds = []
    while at < ends:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values, at = [], ends
    for kind in kinds:
        value, at = _value(payload, at, kind)
        values.append(value)
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    width = _INTEGERS[kind] if kind in _INTEGERS else (kind - 12) // 2
    found = payload[at : at + width]
    if kind in (10, 11) or len(found) < width:
        raise _Nonsense
    if kind in _INTEGERS:
        return int.from_bytes(found, "big", signed=True), at + width
    return (found.decode() if kind % 2 else found), at + width


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of up to nine bytes, and where it ends."""
    value = 0
    for place in range(8):
        byte = data[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value << 8 | data[at + 8], at + 9
