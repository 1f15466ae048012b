"""Which models are in the local Hugging Face cache; no network, no MLX."""

import io
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.errors import InputError
from mlxjsd.model.packaged import PACKAGED, Progress, packaged_folder

#: The revision that the Hub takes where none is named.
DEFAULT_REVISION = "main"
#: The kind of a repository in the cache that can be a model.
_KIND = "model"


@dataclass(frozen=True)
class KnownModel:
    """A model that can be named and loaded."""

    name: str
    """Hub repository, or one of :data:`mlxjsd.model.packaged.PACKAGED`."""
    size: int
    """Bytes on disk, or to be fetched."""
    layers: int | None
    """Blocks, where the configuration says how many."""
    family: str | None = None
    """MLX-LM's model type, where the configuration says so."""
    revision: str | None = None
    """The revision to name in order to load it offline; None for the default."""
    here: bool = True
    """Whether it can be loaded without the network."""
    licence: str | None = None
    """Where it is known."""


def known_models(cache: Path | None = None) -> list[KnownModel]:
    """Return the models that have a name of their own here, then those in the Hub's cache."""
    named = [
        KnownModel(m.name, m.wheel_bytes, m.layers, m.family, here=m.here, licence=m.licence)
        for m in PACKAGED.values()
    ]
    return named + cached_models(cache)


def cached_models(cache: Path | None = None) -> list[KnownModel]:
    """Return the language models in the cache, by name; none if there is no cache.

    Only repositories with all weights in safetensors and a configuration are listed: others
    cannot be loaded.
    """
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        repositories = scan_cache_dir(cache or constants.HF_HUB_CACHE).repos
    except (CacheNotFound, OSError, ValueError):
        return []
    found = []
    for repository in repositories:
        if repository.repo_type != _KIND:
            continue
        revisions = sorted(
            repository.revisions,
            key=lambda r: (DEFAULT_REVISION in r.refs, r.last_modified),
            reverse=True,
        )
        for revision in revisions:
            folder = Path(revision.snapshot_path)
            config = _config(folder)
            if config is not None and is_whole(folder):
                family = config.get("model_type")
                found.append(
                    KnownModel(
                        repository.repo_id,
                        repository.size_on_disk,
                        count_layers(config),
                        family if isinstance(family, str) else None,
                        _revision_to_name(revision.commit_hash, revision.refs),
                    )
                )
                break
    return sorted(found, key=lambda model: model.name.casefold())


def cached_folder(name: str, revision: str | None = None) -> Path | None:
    """Return where a repository lies in the cache, as a whole or in part, or None."""
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(name, "config.json", revision=revision)
    except (OSError, ValueError):
        return None
    return Path(found).parent if isinstance(found, str) else None


def broken_models(cache: Path | None = None) -> list[str]:
    """Return the repositories in the cache that cannot be listed, by name.

    One link that leads nowhere is enough: the Hub's client passes the whole repository over.
    """
    from huggingface_hub import constants

    listed = {model.name for model in cached_models(cache)}
    found = []
    for path in sorted(Path(cache or constants.HF_HUB_CACHE).glob("models--*")):
        name = path.name.removeprefix("models--").replace("--", "/")
        if name not in listed and any(_leads_nowhere(p) for p in path.glob("snapshots/*/*")):
            found.append(name)
    return found


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def is_whole(folder: Path) -> bool:
    """Say whether all of a model's weights are there, by its index if it has one."""
    place = folder / "model.safetensors.index.json"
    try:
        if not (place.is_file() or place.is_symlink()):
            return any(path.is_file() for path in folder.glob("*.safetensors"))
        index = json.loads(place.read_text(encoding="utf-8"))
        return all((folder / name).is_file() for name in set(index["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _revision_to_name(commit: str, refs: Collection[str]) -> str | None:
    return None if DEFAULT_REVISION in refs else next(iter(sorted(refs)), commit)


def count_layers(config: dict[str, Any]) -> int | None:
    """Return how many blocks a model's configuration names, or None."""
    for part in (config, config.get("text_config")):
        if not isinstance(part, dict):
            continue
        for key in ("num_hidden_layers", "n_layers", "n_layer", "num_layers"):
            if isinstance(part.get(key), int):
                return int(part[key])
    return None


def _config(folder: Path) -> dict[str, Any] | None:
    place = folder / "config.json"
    if not place.is_file():  # a pipe would be waited for
        return None
    try:
        config = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) else None


#: What is taken from a Hub repository, as MLX-LM takes it.
HUB_FILES = [
    *("*.json", "model*.safetensors", "*.py", "tokenizer.model", "*.tiktoken", "tiktoken.model"),
    *("*.txt", "*.jsonl", "*.jinja"),
]


def find_model(
    name: str,
    local_only: bool = False,
    revision: str | None = None,
    progress: Progress | None = None,
    download: bool = True,
) -> Path:
    """Return the folder of a model: as it stands, from the Hub's cache, or from the Hub.

    Args:
        name: a folder, one of :data:`mlxjsd.model.packaged.PACKAGED`, or a Hub repository.
        local_only: never ask the network; the weights need not be there then.
        revision: of the Hub repository; None for its default.
        progress: told how far a download is; None for the Hub client's own bars.
        download: whether it may come from the Hub if it is not here. A packaged model may in any
            case: this package names it, and what it holds.

    Raises:
        InputError: if it is nowhere to be found; the message says what to do.
    """
    folder = Path(name).expanduser()
    if folder.exists():
        if not (folder / "config.json").is_file():
            raise InputError(
                f"{name} is not a model: it holds no config.json", hint="name one that does"
            )
        if revision is not None:
            raise InputError(
                f"--revision is of a Hub repository, and {name} is a folder", hint="leave it out"
            )
        return folder
    if (packaged := PACKAGED.get(name)) is not None:
        if revision is not None:
            raise InputError(f"{name} has no revisions", hint="leave --revision out")
        if local_only and not packaged.here:
            raise _not_here(name)
        return packaged_folder(packaged, progress)
    if not _is_repository(name):
        raise InputError(
            f"there is no model folder {name}",
            hint="give the path of one, a Hub repository as owner/name, or "
            f"{' or '.join(PACKAGED)}",
        )

    cached = cached_folder(name, revision)
    if cached is not None and (local_only or is_whole(cached)):
        return cached  # the network is asked only for what is not here
    said = name if revision is None else f"{name} at revision {revision}"
    if local_only:
        raise _not_here(said)
    if not download:
        raise may_not_download(said)
    return _download(name, revision, said, progress)


def to_download(name: str | None, revision: str | None = None) -> str | None:
    """Return what would be downloaded from the Hub in order to load a model; None for nothing."""
    if name is None or name in PACKAGED or Path(name).expanduser().exists():
        return None
    if not _is_repository(name):
        return None
    cached = cached_folder(name, revision)
    if cached is not None and is_whole(cached):
        return None
    return name if revision is None else f"{name} at revision {revision}"


def download_size(name: str, revision: str | None = None, seconds: float = 5.0) -> int | None:
    """Ask the Hub how many bytes of a repository would be downloaded.

    Args:
        name: of the repository.
        revision: None for its default.
        seconds: after which there is no answer.

    Returns:
        None if the Hub does not say.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.utils import filter_repo_objects

    if constants.HF_HUB_OFFLINE or not _is_repository(name):
        return None
    try:
        asked = HfApi().model_info(name, revision=revision, files_metadata=True, timeout=seconds)
        sizes = {file.rfilename: file.size or 0 for file in asked.siblings or ()}
    except Exception:  # the Hub's client raises its own, httpx's and OSError
        return None
    return sum(sizes[kept] for kept in filter_repo_objects(sizes, allow_patterns=HUB_FILES)) or None


def may_not_download(said: str) -> InputError:
    """Return what is said of a model that only a run folder names, and nobody asked for."""
    return InputError(
        f"the run names the model {said}, which is not on this machine, and nothing is downloaded "
        "for a run without being asked",
        hint="give --download if you trust it, or fetch it yourself",
    )


def _is_repository(name: str) -> bool:
    return bool(re.fullmatch(r"[\w.-]+/[\w.-]+", name)) and not name.startswith(".")


def _not_here(said: str) -> InputError:
    return InputError(
        f"{said} is not in the local cache",
        hint="download it by `mlxjsd run --model`, or see `mlxjsd models`",
    )


def _bars(name: str, progress: Progress) -> type[Any]:
    """Return a class of progress bars that draws nothing, and tells of the first one in bytes."""
    from tqdm import tqdm

    told: list[Any] = []

    class Bar(tqdm):
        monitor_interval = 0  # no thread of its own

        def __init__(self, *arguments: Any, **options: Any) -> None:
            for drawn in ("disable", "file", "name"):
                options.pop(drawn, None)
            super().__init__(*arguments, **{**options, "file": io.StringIO()})

        def display(self, *_: Any, **__: Any) -> bool:
            if self.unit == "B":
                if not told:
                    told.append(self)
                if told[0] is self:
                    progress(f"fetching {name}", int(self.n), int(self.total or 0))
            return True

    return Bar


def _download(name: str, revision: str | None, said: str, progress: Progress | None) -> Path:
    from huggingface_hub import constants, snapshot_download

    try:
        if constants.HF_HUB_OFFLINE:
            kind = "HF_HUB_OFFLINE is set"
        else:
            bars = None if progress is None else _bars(name, progress)
            found = Path(
                snapshot_download(
                    name, revision=revision, allow_patterns=HUB_FILES, tqdm_class=bars
                )
            )
            if (found / "config.json").is_file():
                return found
            kind = "no config.json"
    except Exception as error:  # the Hub's client raises its own, httpx's and OSError
        kind = type(error).__name__
    if kind == "no config.json":
        raise InputError(
            f"{said} is not a model: it holds no config.json", hint="name one that does"
        )
    if kind == "RevisionNotFoundError":
        raise InputError(f"the Hub has no {said}", hint="check the revision")
    if kind in ("RepositoryNotFoundError", "GatedRepoError"):
        raise InputError(
            f"the Hub has no model {name} that you may read",
            hint="check the name, or log in with `hf auth login`",
        )
    raise InputError(
        f"{said} is neither a folder nor in the local cache, and the Hub cannot be reached "
        f"({kind})",
        hint="connect once to download it, or give the path of a model folder",
    )
