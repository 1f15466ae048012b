"""Run files that older versions wrote; tests/store/data/README.md says how."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from mlxjsd.store.writer import FILE

DATA = Path(__file__).parent / "store" / "data"
#: Names of the files, and the version of each.
OLD = {"version-1": 1, "version-2": 2, "version-3": 3, "version-3-plain": 3, "version-4": 4}


def old_run(name: str, folder: Path) -> Path:
    """Make ``folder`` a run folder with one of the files and its prompts; return the file."""
    folder.mkdir(exist_ok=True)
    shutil.copy(DATA / "prompts.jsonl", folder)
    return Path(shutil.copy(DATA / f"{name}.sqlite", folder / FILE))


def version_of(path: Path) -> int:
    """The version that a run file says it has."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
