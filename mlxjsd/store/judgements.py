"""Judgements in a run folder: the first file holds those of the whole run."""

from pathlib import Path

from mlxjsd.analysis.judgements import Judgements
from mlxjsd.errors import InputError
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.store.shards import FILE, shard_files
from mlxjsd.store.writer import Store, check_free


def write_judgements(folder: Path, judgements: Judgements) -> None:
    """Let ``judgements`` be all that a run folder holds.

    Raises:
        InputError: if it is not a run folder, or another process writes to it; nothing is
            written then.
    """
    files = shard_files(folder)
    if not files:
        raise InputError(
            f"{folder} is not a run folder: it holds no {FILE}", hint="name one that does"
        )
    for path in files:
        check_free(folder, path.name)
    for path in files:
        kept = judgements if path == files[0] else Judgements()
        if read_run(path).judgements != kept:
            with Store(folder, read_header(path), path.name) as store:
                store.set_judgements(kept.to_json())
