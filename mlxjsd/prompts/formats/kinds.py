"""What a file is, by its first bytes: text, compressed text, a table of columns, or none of these.

Names are not asked: people rename files.
"""

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from mlxjsd.errors import InputError

#: So many bytes tell all kinds apart.
HEAD = 512
#: Compressed text, by its first bytes.
COMPRESSED = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
#: Tables that pyarrow reads.
COLUMNS = {b"PAR1": "parquet", b"ARROW1\0\0": "arrow", b"\xff\xff\xff\xff": "arrow-stream"}


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is never read."""

    magic: bytes
    """A pattern that its first bytes match."""
    what: str
    hint: str
    """What makes a file of it that is read; ``{path}`` stands for its name."""


FOREIGN = (
    Foreign(
        rb"PK\x03\x04.{26}(\[Content_Types\]|_rels/|xl/|docProps/)",
        "an .xlsx workbook (or another Office file)",
        "save the sheet as CSV, such as with `pandas.read_excel('{path}').to_csv('out.csv')`",
    ),
    Foreign(rb"PK\x03\x04|PK\x05\x06", "a zip archive", "take the file out with `unzip {path}`"),
    Foreign(
        rb"\x80[\x02-\x05]",
        "a Python pickle, which is never loaded, since it may run any code",
        "write JSON Lines where it was made: `DataFrame.to_json('out.jsonl', orient='records', "
        "lines=True)`",
    ),
    Foreign(
        rb"SQLite format 3\0",
        "an SQLite database",
        "write a table of it: `sqlite3 -csv -header {path} 'SELECT * FROM name' > out.csv`",
    ),
    Foreign(
        rb"\x89HDF\r\n\x1a\n",
        "an HDF5 file",
        "write JSON Lines: `pandas.read_hdf(...).to_json('out.jsonl', orient='records', "
        "lines=True)`",
    ),
    Foreign(
        rb"\x93NUMPY",
        "a NumPy array",
        "write JSON Lines: `pandas.DataFrame(numpy.load(...)).to_json('out.jsonl', "
        "orient='records', lines=True)`",
    ),
    Foreign(rb"\xd0\xcf\x11\xe0", "an old Office file (.xls)", "save the sheet as CSV"),
    Foreign(rb".{257}ustar", "a tar archive", "take the file out with `tar -xf {path}`"),
    Foreign(rb"BZh[1-9]1AY&SY", "compressed with bzip2", "write `bunzip2 {path}`"),
    Foreign(rb"\x04\x22\x4d\x18", "compressed with lz4", "write `unlz4 {path}`"),
    Foreign(rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "take the file out with `7z x {path}`"),
    Foreign(rb"Rar!\x1a\x07", "a RAR archive", "take the file out with `unrar x {path}`"),
    Foreign(
        rb"ORC[^ -~]|FEA1\0|Obj\x01",
        "an ORC, Avro or old Feather file",
        "write Parquet with pandas: `DataFrame.to_parquet('out.parquet')`",
    ),
    Foreign(rb"%PDF-", "a PDF", "copy its table into a file of prompts"),
    Foreign(rb"GGUF[^ -~]", "a model's weights (GGUF)", "give it as --model"),
    Foreign(rb"\x89PNG|\xff\xd8\xff|GIF8", "a picture", "name a file of prompts"),
    Foreign(rb"\x7fELF|\xcf\xfa\xed\xfe", "a program", "name a file of prompts"),
)


def kind_of(path: Path, head: bytes) -> str:
    """Return "text", or the kind of a compressed file or of a table of columns.

    Args:
        path: of the file, for messages.
        head: its first :data:`HEAD` bytes, or all of a shorter one.

    Raises:
        InputError: if it is none of these: what it is, and what makes a file of it that is read.
    """
    for known in (COMPRESSED, COLUMNS):
        for magic, kind in known.items():
            if head.startswith(magic):
                return kind
    for foreign in FOREIGN:
        if re.match(foreign.magic, head, re.DOTALL):
            hint = foreign.hint.format(path=path)
            raise InputError(f"{path} is {foreign.what}", hint=f"{hint}")
    _refuse_wide(path, head)
    return "text"


def _refuse_wide(path: Path, head: bytes) -> None:
    # With a byte order mark; without one, every second byte of plain letters is zero.
    first = head[:4]
    marked = first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if marked or (b"\0" in first and _is_wide(head[: HEAD // 2])):
        kind = "UTF-32" if b"\0\0" in first else "UTF-16"
        raise InputError(
            f"{path} is {kind} text",
            hint=f"convert it to UTF-8, for example with `iconv -f {kind} -t UTF-8`",
        )
    if b"\0" in head:
        raise InputError(
            f"{path} is no text: it begins with the bytes {head[:8].hex(' ')}",
            hint="write its records as JSON Lines, an object in each line",
        )


def _is_wide(head: bytes) -> bool:
    """Say whether printable letters stand between the zeros, as they do in wide text."""
    letters = bytes(byte for byte in head if byte)
    return head.count(0) * 2 >= len(head) - 1 and all(9 <= byte < 127 for byte in letters)
