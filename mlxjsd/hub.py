"""Which models are in the local Hugging Face cache; no network, no MLX."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def cached_models(cache: Path | None = None) -> list[CachedModel]:
    """Return the language models in the cache, by name; none if there is no cache.

    Only repositories with weights in safetensors and a configuration are listed: others
    cannot be loaded.
    """
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        repositories = scan_cache_dir(cache).repos
    except (CacheNotFound, OSError, ValueError):
        return []
    found = []
    for repository in repositories:
        if repository.repo_type != _KIND:
            continue
        revisions = sorted(repository.revisions, key=lambda r: r.last_modified, reverse=True)
        for revision in revisions:
            folder = Path(revision.snapshot_path)
            config = _config(folder)
            if config is not None and any(folder.glob("*.safetensors")):
                found.append(
                    CachedModel(repository.repo_id, repository.size_on_disk, count_layers(config))
                )
                break
    return sorted(found, key=lambda model: model.name.casefold())


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
