"""No bit of a run file switches its checksums off."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from forging import META, forge, rows
from old_runs import OLD, old_run

from mlxjsd.errors import InputError
from mlxjsd.output.export import to_json
from mlxjsd.store.reader import read_run
from mlxjsd.store.shards import FILE
from mlxjsd.store.writer import Store


@pytest.mark.parametrize("name", [*OLD, "now"])
def test_the_version_is_sealed(name: str, tmp_path: Path) -> None:
    path = forge(tmp_path) if name == "now" else old_run(name, tmp_path)
    content = path.read_bytes()
    said = to_json(read_run(tmp_path))
    for version in range(256):
        path.write_bytes(content[:60] + version.to_bytes(4, "big") + content[64:])
        try:
            found = to_json(read_run(tmp_path))
        except InputError:
            continue
        assert version == content[63], "it is taken for another version"
        assert found == said


def test_no_entry_of_the_header_and_no_skipped_prompt_goes_unnoticed(tmp_path: Path) -> None:
    folder = tmp_path
    forge(folder, {**META, "judgements": []})
    content = (folder / FILE).read_bytes()
    for change in (
        "DELETE FROM skipped",
        "DELETE FROM meta WHERE key = 'judgements'",
        "DELETE FROM meta WHERE key = 'sample'",
        "INSERT INTO meta SELECT 'more', value, checksum FROM meta WHERE key = 'sample'",
    ):
        (folder / FILE).write_bytes(content)
        with closing(sqlite3.connect(folder / FILE)) as connection, connection:
            assert connection.execute(change).rowcount
        with pytest.raises(InputError, match="damaged"):
            read_run(folder)
        with pytest.raises(InputError, match="damaged"):
            Store(folder, META)


@pytest.mark.slow
def test_every_bit_of_the_pages_heads(tmp_path: Path) -> None:
    path = forge(tmp_path, results=rows(6), meta={**META, "total": 6})
    content, said = path.read_bytes(), to_json(read_run(tmp_path))
    places = list(range(100))
    for page in range(len(content) // 4096):
        begins = page * 4096 + (100 if page == 0 else 0)
        places += range(begins, begins + 12)
    refused = 0
    for place in places:
        for bit in range(8):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                assert to_json(read_run(tmp_path)) == said, (place, bit)
            except InputError:
                refused += 1
    assert len(places) > 150
    assert refused > len(places), "most of these bits matter"
