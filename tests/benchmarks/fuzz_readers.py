"""Throw broken files at every reader, and count: no traceback, no hang, no wrong number.

    python tests/benchmarks/fuzz_readers.py [--seconds 60] [--seed 0]

Run files get flipped bits, lost and repeated stretches, and are cut off at every 4 kB; data
files of every format get the same. A reader may refuse with one sentence or read what was
there; a run file that is read must hold the numbers that were written. Exit code 1 otherwise.
"""

import argparse
import gzip
import json
import lzma
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import zstandard
from pyarrow import ipc, parquet

sys.path.insert(0, str(Path(__file__).parent.parent))

from damage import PAGE, check_damaged, write
from published import (
    CLOZE_ROW,
    COUNTERFACT,
    EASY_EDIT,
    ENTITY,
    KNOW_EDIT,
    KNOWN,
    MQUAKE,
    OWN,
    POPQA,
    RELATION,
    TRACING,
    TRIPLE,
    ZSRE,
    save,
    tabled,
)

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.prompts.read import read_prompts
from mlxjsd.store.writer import FILE

#: Seconds that one case may take before it counts as a hang.
MOST = 20.0


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Break bytes in one of the ways in which disks, copies and editors do."""
    broken = bytearray(content)
    kind = rng.randrange(6)
    at, end = sorted(rng.randrange(len(content) + 1) for _ in "ab")
    if kind == 0:
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del broken[at:]
    elif kind == 2:
        del broken[at : min(end, at + rng.choice((1, 64, PAGE)))]
    elif kind == 3:
        broken[at:at] = broken[at : min(end, at + rng.choice((1, 64, PAGE)))]
    elif kind == 4:
        stretch = slice(at, min(end, at + rng.choice((1, 64, PAGE))))
        broken[stretch] = bytes(len(broken[stretch]))
    else:
        stretch = slice(at, min(end, at + 64))
        broken[stretch] = rng.randbytes(len(broken[stretch]))
    return bytes(broken)


#: Two files that are read together: the other one, and what it holds.
ROWS, PATTERNS = "P17.jsonl", "metadata_relations.json"
BESIDE = {
    ROWS: (PATTERNS, f"{json.dumps(CLOZE_ROW)}\n" * 3),
    PATTERNS: (ROWS, json.dumps({"P17": {"templates": ["[X] is in [Y].", "[Y] has [X]."]}})),
}


def several(row: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """Return a record three times, each with an id of its own."""
    return [{**row, field: number} for number in range(3)]


def data_files(folder: Path) -> list[Path]:
    """Write a file of every format that is read."""
    rows = [{"prompt": f"The capital of {n} is", "subject": n} for n in ("France", "Ghana")]
    found = [PROMPTS]
    for name, content in {
        "known.json": several(KNOWN, "known_id"),
        "counterfact.json": several(COUNTERFACT, "case_id"),
        "easy.json": several(EASY_EDIT, "case_id"),
        "entity.json": [ENTITY] * 3,
        "own.json": [OWN, *rows],
        "relation.json": RELATION,
        "tracing.json": [TRACING] * 3,
        "zsre.json": [ZSRE] * 3,
        "knowedit.json": [KNOW_EDIT] * 3,
        "mquake.json": several(MQUAKE, "case_id"),
        "triples.json": [TRIPLE] * 3,
        "single.json": OWN,
        "several.json": "".join(json.dumps(row, indent=1) for row in rows * 5),
    }.items():
        found.append(save(folder / name, content))
    for name, row in {
        "own.csv": rows, "own.tsv": rows, "popqa.tsv": several(POPQA, "id"), "semicolons.ssv": rows,
    }.items():  # fmt: skip
        path = folder / name
        delimiter = {".tsv": "\t", ".ssv": ";"}.get(path.suffix, ",")
        said = f"sep={delimiter}\n" * (delimiter == ";")
        path.write_text(said + tabled(row, delimiter), encoding="utf-8")
        found.append(path)
    found += [save(folder, content, name) for name, (_, content) in BESIDE.items()]
    return found + packed_files(folder, found)


def packed_files(folder: Path, texts: list[Path]) -> list[Path]:
    """Write some of the files compressed, and a table of columns in each way that there is."""
    found = []
    for pack in (gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress):
        for text in texts[:4]:
            path = folder / f"{text.name}.{len(found)}"
            path.write_bytes(pack(text.read_bytes()))
            found.append(path)
    table = pyarrow.Table.from_pylist([{**OWN, "id": str(n)} for n in range(200)])
    with ipc.new_file(str(folder / "own.arrow"), table.schema) as file:
        file.write_table(table, 50)
    with ipc.new_stream(str(folder / "own.stream"), table.schema) as file:
        file.write_table(table, 50)
    parquet.write_table(table, folder / "own.parquet", row_group_size=50)
    return [*found, *(folder / f"own.{name}" for name in ("arrow", "stream", "parquet"))]


#: Ways to read a file beside the one that its content asks for.
FIELDS = ("prompt=src,answers=alt", "template=relation,answers=object")


def read_data(path: Path, content: bytes, rng: random.Random) -> str:
    """Read a broken data file; return what is said against it."""
    path.write_bytes(content)
    asked = path
    if path.name in BESIDE:
        other, _ = BESIDE[path.name]
        save(path.parent, BESIDE[other][1], other)
        asked = path.with_name(ROWS)
    try:
        fields = rng.choice(FIELDS) if rng.random() < 0.1 else None
        format = rng.choice(list(FORMATS)) if not fields and rng.random() < 0.1 else None
        found = read_prompts(asked, format, fields)
    except InputError as error:
        said = str(error)
        assert said, "a sentence"
        assert "\n" not in said, "one sentence"
        return said
    assert all(isinstance(p.text, str) and isinstance(p.subject, str) for p in found.prompts)
    return ""


def main() -> None:
    """Break, read, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng, counts, bad = random.Random(asked.seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = write(folder / "whole", 100)
        content = (folder / "whole" / FILE).read_bytes()
        files = [(path, path.read_bytes()) for path in data_files(folder)]
        (folder / "broken").mkdir()
        there = folder / "data"
        there.mkdir()

        def attempt(kind: str, case: Callable[[], str]) -> None:
            nonlocal bad
            began = time.monotonic()
            try:
                counts[f"{kind}, {'refused' if case() else 'read'}"] += 1
            except Exception:
                bad += 1
                if bad <= 3:
                    traceback.print_exc()
            if time.monotonic() - began > MOST:
                bad += 1
                print(f"{kind}: a case took {time.monotonic() - began:.0f} s")

        for size in range(0, len(content), PAGE):
            attempt(
                "run file", lambda size=size: check_damaged(folder / "broken", content[:size], run)
            )
        for path, whole in files:
            for size in range(0, len(whole), PAGE):
                attempt(
                    "data", lambda p=path, w=whole, s=size: read_data(there / p.name, w[:s], rng)
                )
        ends = time.monotonic() + asked.seconds
        while time.monotonic() < ends:
            broken = damaged(content, rng)
            attempt("run file", lambda b=broken: check_damaged(folder / "broken", b, run))
            for path, whole in files:
                broken = damaged(whole, rng)
                attempt("data", lambda p=path, b=broken: read_data(there / p.name, b, rng))
    for kind, count in sorted(counts.items()):
        print(f"{count:7,} {kind}")
    print(f"{sum(counts.values()) + bad:7,} cases, {bad} bad; seed {asked.seed}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
