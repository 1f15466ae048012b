"""What a shell completes: names of models, run folders, formats, and other names that there are.

Nothing is loaded for it but what lists them. Where nothing fits, a shell goes on with file names.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mlxjsd.text import clean

Complete = Callable[[str], list[str]]


def models(incomplete: str) -> list[str]:
    """Return the models with a name: those that can be fetched, and those in the Hub's cache."""
    from mlxjsd.model.hub import known_models

    return _fitting((model.name for model in known_models()), incomplete)


def runs(incomplete: str) -> list[str]:
    """Return run folders: those where runs go by themselves, and those where one is typing."""
    from mlxjsd.store.folders import RUNS

    typed = Path(incomplete)
    beside = typed if incomplete.endswith("/") else typed.parent
    found = dict.fromkeys([*_runs_in(RUNS), *_runs_in(beside)])
    return _fitting(found, incomplete)


def _runs_in(folder: Path) -> Iterator[str]:
    from mlxjsd.store.shards import shard_files

    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return
    for path in inside:
        try:
            is_run = bool(shard_files(path))
        except OSError:
            continue
        if is_run:
            yield str(path)


def figures(incomplete: str) -> list[str]:
    """Return the published figures."""
    from mlxjsd.analysis.published import published_names

    return _fitting(published_names(), incomplete)


def kinds(incomplete: str) -> list[str]:
    """Return the kinds of figure."""
    from mlxjsd.analysis.curves import KINDS

    return _fitting(["heatmap", "lines", "map", "roles", *KINDS], incomplete)


def effects(incomplete: str) -> list[str]:
    """Return the kinds of effect."""
    from mlxjsd.analysis.effects import KINDS

    return _fitting(KINDS, incomplete)


def of(names: Iterable[str]) -> Complete:
    """Return what completes one of ``names``."""
    return lambda incomplete: _fitting(names, incomplete)


def several(names: Iterable[str]) -> Complete:
    """Return what completes some of ``names``, with commas between them."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        there = before.split(",")
        return [f"{before}{comma}{name}" for name in _fitting(names, last) if name not in there]

    return complete


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    # A name that a terminal cannot be trusted with is not written on one.
    return [name for name in names if name.startswith(incomplete) and clean(name) == name]
