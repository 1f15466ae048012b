"""Joining what several machines have measured of one run, where they share no disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.results import Run
from mlxjsd.store.checksums import SEAL
from mlxjsd.store.lock import owner_of
from mlxjsd.store.reader import differences, read_header, read_run
from mlxjsd.store.shards import joined, shard_files
from mlxjsd.store.writer import Store, check_folder

#: Entries of a file's header that are its own, and not its run's.
_OF_A_FILE = ("created", "cosines", "world", SEAL, "judgements")


@dataclass(frozen=True)
class Merged:
    """What a merge has done."""

    folder: Path
    added: int
    """Prompts that were not there before."""
    done: int
    """Prompts that are there now, measured or failed."""
    total: int
    machines: int
    """Different sets of versions and devices that measured them."""

    @property
    def finished(self) -> bool:
        """Whether every prompt of the run is there."""
        return self.done >= self.total


def merge_runs(sources: Sequence[Path], output: Path) -> Merged:
    """Join run folders, or single files of them, into the run folder ``output``.

    All of it is checked before anything is written, and written in one step. What ``output``
    holds already is left alone, so merging again changes nothing.

    Args:
        sources: at least one; ``output`` may be among them.
        output: a new folder, or one of the same run.

    Raises:
        InputError: if they are not of one run (settings, model, data), hold different results
            for a prompt, or ``output`` is being written.
    """
    check_folder(output)
    known = [output] if shard_files(output) else []
    paths = [*known, *(s for s in sources if not (known and s.resolve() == output.resolve()))]
    headers = [read_header(path) for path in paths]
    for path, header in zip(paths[1:], headers[1:], strict=True):
        said = differences(headers[0], header) or _totals(headers[0], header)
        if said:
            raise InputError(
                f"{path} is not of the same run as {paths[0]} ({said})",
                hint="join only shares of one run",
            )
    runs = [read_run(path) for path in paths]
    run = joined(runs, [str(path) for path in paths])

    header = {k: v for k, v in headers[0].items() if k not in _OF_A_FILE}
    _refuse_writers(output)
    with Store(output, {**header, "versions": dict(run.versions)}) as store:
        added = _add(store, run)
    machines = len({tuple(sorted(one.versions.items())) for one in runs})
    return Merged(output, added, len(run.records) + len(run.failed), run.total, machines)


def _totals(one: dict[str, Any], other: dict[str, Any]) -> str:
    same = one["total"] == other["total"]
    return "" if same else f"total {one['total']}, now {other['total']}"


def _refuse_writers(folder: Path) -> None:
    for path in shard_files(folder):
        if owner := owner_of(path):
            raise InputError(
                f"{path} is being written by {owner}", hint="merge into it when that has ended"
            )


def _add(store: Store, run: Run) -> int:
    there = read_run(store.folder)
    measured = {record.id for record in there.records}
    tried = measured | {failed.id for failed in there.failed}
    records = [record for record in run.records if record.id not in measured]
    failed = [one for one in run.failed if one.id not in tried]
    if records or failed:
        store.add(records, failed)
        store.set_versions(run.versions)
    store.set_skipped(run.skipped)
    if run.cosines:
        store.set_cosines(run.cosines)
    if run.judgements:
        store.set_judgements(run.judgements.to_json())
    return len(records)
