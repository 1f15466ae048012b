"""Which models are in the local Hugging Face cache; no network, no MLX."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxjsd.plain import clean, size_of

#: What the Hub gives to those who name no revision.
DEFAULT_REVISION = "main"
#: The kind of a repository in the cache that can be a model.
_KIND = "model"


@dataclass(frozen=True)
class CachedModel:
    """A model that can be loaded without the network."""

    name: str
    """Hub repository."""
    size: int
    """Bytes on disk."""
    layers: int | None
    """Blocks, where the configuration says how many."""
    family: str | None = None
    """MLX-LM's model type, where the configuration says so."""
    revision: str | None = None
    """What has to be asked for in order to load it offline; None for the default."""


def cached_models(cache: Path | None = None) -> list[CachedModel]:
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
                    CachedModel(
                        repository.repo_id,
                        repository.size_on_disk,
                        count_layers(config),
                        family if isinstance(family, str) else None,
                        _asked_as(revision.commit_hash, revision.refs),
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


def is_whole(folder: Path) -> bool:
    """Say whether all of a model's weights are there, by its index if it has one."""
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
        return all((folder / name).is_file() for name in set(index["weight_map"].values()))
    except FileNotFoundError:
        return any(path.is_file() for path in folder.glob("*.safetensors"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def model_lines(models: Sequence[CachedModel]) -> list[str]:
    """Return a line for each model: name, size, layers, family."""
    names = [clean(m.name + (f" --revision {m.revision}" if m.revision else "")) for m in models]
    width = max(map(len, names), default=0)
    return [
        f"{name:<{width}}  {size_of(model.size):>7}  {model.layers or '?':>3} layers  "
        f"{clean(model.family or '?')}"
        for name, model in zip(names, models, strict=True)
    ]


def _asked_as(commit: str, refs: Collection[str]) -> str | None:
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
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) else None
