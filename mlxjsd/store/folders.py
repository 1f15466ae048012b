"""Where runs are kept, and which ones are there."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.prompts.hub_data import names_hub
from mlxjsd.ranges import written_layers
from mlxjsd.settings import Settings

#: Where runs go that are given no folder.
RUNS = Path("mlxjsd-runs")


def run_folder(
    model: str | None,
    data: Path | None,
    settings: Settings,
    limit: int | None,
    revision: str | None = None,
    adapter_path: Path | None = None,
    sample: int | None = None,
    bits: int | None = None,
    fields: str | None = None,
) -> Path:
    """Name a run's folder after what it measures, so that asking again finds it again."""
    name = "bundled" if model is None else Path(model).name
    parts = [name, *([_data_part(data)] if data else [])]
    if fields is not None:
        parts.append(f"fields-{_short(fields)}")
    if bits is not None:
        parts.append(f"bits-{bits}")
    if revision is not None:
        parts.append(f"revision-{revision.replace('/', '-')}")
    if adapter_path is not None:
        parts.append(f"adapter-{adapter_path.absolute().name}")
    parts += [_part(field, value) for field, value in settings.changed().items()]
    if limit is not None:
        parts.append(f"limit-{limit}")
    if sample is not None:
        parts.append(f"sample-{sample}")
    return RUNS / "_".join(parts)


def _part(field: str, value: Any) -> str:
    if value is True:
        return field
    if field == "prompt_template":  # words that are no name for a folder
        return f"template-{_short(value)}"
    if field == "layers":
        return f"layers-{written_layers(value).replace(':', 'by')}"
    if isinstance(value, list):
        value = "-".join(value)
    return f"{field.replace('_', '-')}-{value}"


def _data_part(data: Path) -> str:
    """Return the name of a file or, of a data set of the Hub, all that names it."""
    named = str(data)
    if names_hub(data):
        return re.sub(r"[^\w.-]+", "-", named)
    return data.absolute().stem


def _short(value: str) -> str:
    """Return a name for words that are none for a folder."""
    return hashlib.sha256(value.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class KnownRun:
    """A run folder, at a glance."""

    folder: Path
    header: dict[str, Any]
    """See :func:`mlxjsd.store.reader.read_header`."""
    done: int
    """Prompts that are measured or have failed."""
    total: int
    changed: float
    """When it was last written to, in seconds since the epoch."""

    @property
    def finished(self) -> bool:
        """Whether every prompt has been tried."""
        return self.done >= self.total


@dataclass(frozen=True)
class Listing:
    """What is in the folder of runs."""

    runs: list[KnownRun]
    """The one that was last written to first."""
    unreadable: list[Path]
    """Folders with a run file that cannot be read."""

    @property
    def warning(self) -> str:
        """What is to be said of those that cannot be read; nothing if there is none."""
        if not self.unreadable:
            return ""
        names = ", ".join(path.name for path in self.unreadable[:3])
        more = ", ..." if len(self.unreadable) > 3 else ""
        noun = "folder" if len(self.unreadable) == 1 else "folders"
        return f"{len(self.unreadable)} {noun} cannot be read: {names}{more}"


def look(root: Path = RUNS) -> Listing:
    """Return the runs in ``root``, and which folders cannot be read: no folder is a reason to
    fail."""
    # NumPy is not needed to name a folder.
    from mlxjsd.store.reader import glance
    from mlxjsd.store.shards import shard_files

    found, unreadable = [], []
    for folder in _folders(root):
        try:
            if not (files := shard_files(folder)):
                continue  # not a run of ours
            header, done = glance(folder)
            changed = max(path.stat().st_mtime for path in files)
            datetime.fromtimestamp(changed)  # or it cannot be shown
        except FileNotFoundError:
            continue  # gone again
        except (InputError, OSError, ValueError, OverflowError):
            unreadable.append(folder)
        else:
            found.append(KnownRun(folder, header, done, header["total"], changed))
    return Listing(sorted(found, key=lambda run: run.changed, reverse=True), sorted(unreadable))


def list_runs(root: Path = RUNS) -> list[KnownRun]:
    """Return the runs in ``root`` that can be read, the one that was last written to first."""
    return look(root).runs


def _folders(root: Path) -> list[Path]:
    try:
        return [path for path in root.iterdir() if path.is_dir()]
    except OSError:
        return []
