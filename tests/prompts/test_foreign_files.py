"""Files that are never read: each is named for what it is."""

import bz2
import gzip
import io
import pickle
import sqlite3
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import call
from published import save

from mlxjsd.errors import InputError
from mlxjsd.prompts.read import read_prompts


def written(tmp_path: Path, content: bytes, name: str = "data") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def a_zip(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(name, "<x/>")
    return out.getvalue()


def a_tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.jsonl"))
    return out.getvalue()


def an_array() -> bytes:
    out = io.BytesIO()
    np.save(out, np.arange(3))
    return out.getvalue()


class Opened:
    """A pickle that writes a file when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path("LOADED").write_text, ("x",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (a_zip("prompts.jsonl"), "a zip archive; take the file out with `unzip "),
        (a_zip("[Content_Types].xml"), "an .xlsx workbook (or another Office file); save the "),
        (a_zip("xl/workbook.xml"), "an .xlsx workbook"),
        *(
            (pickle.dumps(Opened(), n), "a Python pickle, which is never loaded")
            for n in (2, 3, 4, 5)
        ),
        (a_tar(), "a tar archive"),
        (gzip.compress(a_tar()), "holds is a tar archive"),
        (gzip.compress(pickle.dumps(Opened())), "holds is a Python pickle, which is never loaded"),
        (gzip.compress(gzip.compress(b"{}")), "holds a file that is no text but gzip"),
        (an_array(), "a NumPy array"),
        (bz2.compress(b"{}"), "compressed with bzip2; write `bunzip2 "),
        (b"%PDF-1.7\n1 0 obj", "a PDF"),
        (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.xls); save the sheet as CSV"),
        (b"GGUF\x03\0\0\0", "a model's weights (GGUF); give it as --model"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\x00\x01\x02\x03", "is no text: it begins with the bytes 00 01 02 03"),
        (b'{"prompt": "a\0b"}', "is no text: it begins with"),
    ],
    # Archives hold the time at which they were made, and a test's name is always the same.
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_what_is_not_text_is_named_for_what_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, content, "data.jsonl")
    for command in (("prompts", path), ("run", "--data", path)):
        assert call(*command) == 2
        said = capsys.readouterr().err
        assert message in said
        assert "not JSON" not in said
    assert list(tmp_path.iterdir()) == [path]


def test_a_database_is_named_with_what_makes_a_table_of_it(tmp_path: Path) -> None:
    path = tmp_path / "data.db"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE name (a)")
    base.close()
    with pytest.raises(InputError, match=r"an SQLite database; .*`sqlite3 -csv -header .*data\.db"):
        read_prompts(path)


def test_letters_that_are_a_magic_number_are_letters(tmp_path: Path) -> None:
    for name in ("ORC", "GGUF", "Obj", "BZh"):
        path = save(tmp_path, f"{name},prompt,subject\n1,a b,b\n")
        assert read_prompts(path).format == "csv"
