"""Run files that are damaged on purpose, and what may be read of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from records import HEADER, LAYERS, plain, record, same

from mlxjsd.errors import InputError
from mlxjsd.results import Run, Skipped
from mlxjsd.settings import Settings
from mlxjsd.store.folders import list_runs
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.store.recovery.salvage import salvage_run
from mlxjsd.store.writer import FILE, Store

PAGE = 4096
Found = TypeVar("Found")


def write(folder: Path, prompts: int) -> Run:
    """Write a run of made-up records, a skipped prompt and one that failed."""
    with Store(folder, {**HEADER, "total": prompts + 1}) as store:
        store.set_skipped([Skipped("s", prompts + 1, "the subject is not in the text")])
        for at in range(0, prompts, 8):
            store.add([record(i) for i in range(at, min(at + 8, prompts))])
        store.add([], [Skipped("f", prompts, "NaN or infinity appears in block 3")])
        store.set_cosines({"groups": {"FA": [0.5] * LAYERS}})
    return read_run(folder)


def check_damaged(folder: Path, content: bytes, run: Run) -> str:
    """Put a damaged file into a folder; no number that is read from it may be wrong."""
    (folder / FILE).write_bytes(content)
    found, said = attempt(lambda: read_run(folder))
    if found:
        assert same(found, run)
    header, _ = attempt(lambda: read_header(folder))
    if header:
        assert Settings.from_json(header["settings"]) == run.settings
    list_runs(folder.parent)
    saved, _ = attempt(lambda: salvage_run(folder))
    if saved:
        known = {r.id: plain(r) for r in run.records}
        for kept in saved.run.records:
            assert plain(kept) == known[kept.id]
        assert saved.run.settings == run.settings
        if saved.lost is not None:
            tried = len(known) + len(run.failed)
            assert saved.lost + len(saved.run.records) + len(saved.run.failed) == tried
    return said


def attempt(read: Callable[[], Found]) -> tuple[Found | None, str]:
    """Read something; return it, or else the one sentence that is said against it."""
    try:
        return read(), ""
    except InputError as error:
        said = str(error)
    assert said
    assert "\n" not in said
    return None, said
