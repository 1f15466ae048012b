"""Throw broken files at every reader, and count: no traceback, no hang, no wrong number.

    python tests/benchmarks/fuzz_readers.py [--seconds 60] [--seed 0]

Run files get flipped bits, lost and repeated stretches, and are cut off at every 4 kB; data
files of every format get the same. A reader may refuse with one sentence or read what was
there; a run file that is read must hold the numbers that were written. Exit code 1 otherwise.
"""

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from damage import PAGE, check_damaged, write
from published import COUNTERFACT, EASY_EDIT, ENTITY, KNOWN, OWN, POPQA, RELATION, save, tabled

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
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


def data_files(folder: Path) -> list[Path]:
    """Write a file of every format that is read."""
    rows = [{"prompt": f"The capital of {n} is", "subject": n} for n in ("France", "Ghana")]
    found = [PROMPTS]
    for name, content in {
        "known.json": [KNOWN] * 3, "counterfact.json": [COUNTERFACT] * 3,
        "easy.json": [EASY_EDIT] * 3, "entity.json": [ENTITY] * 3, "own.json": [OWN, *rows],
        "relation.json": RELATION,
    }.items():  # fmt: skip
        found.append(save(folder / name, content))
    for name, row in {"own.csv": rows, "own.tsv": rows, "popqa.tsv": [POPQA] * 3}.items():
        path = folder / name
        path.write_text(tabled(row, "\t" if name.endswith("tsv") else ","), encoding="utf-8")
        found.append(path)
    return found


def read_data(path: Path, content: bytes) -> str:
    """Read a broken data file; return what is said against it."""
    path.write_bytes(content)
    try:
        found = read_prompts(path)
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
                attempt("data", lambda p=path, w=whole, s=size: read_data(folder / p.name, w[:s]))
        ends = time.monotonic() + asked.seconds
        while time.monotonic() < ends:
            broken = damaged(content, rng)
            attempt("run file", lambda b=broken: check_damaged(folder / "broken", b, run))
            for path, whole in files:
                broken = damaged(whole, rng)
                attempt("data", lambda p=path, b=broken: read_data(folder / ("x" + p.name), b))
    for kind, count in sorted(counts.items()):
        print(f"{count:7,} {kind}")
    print(f"{sum(counts.values()) + bad:7,} cases, {bad} bad; seed {asked.seed}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
