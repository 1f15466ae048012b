"""Data sets of the Hub by name: ``hf:OWNER/NAME[/CONFIG][:SPLIT][@REVISION]``.

They come through the ``datasets`` library, which keeps them as Arrow files in its cache, under the
commit that they are of. What is there is read from there, without the network and without the
library. No code of a data set is run: the library has not done so since its version 4.
"""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from mlxjsd.errors import InputError, said_by

PREFIX = "hf:"
_NAME = r"[\w][\w.-]*"
_GRAMMAR = re.compile(
    rf"hf:(?P<name>{_NAME}(?:/{_NAME})?)(?:/(?P<config>{_NAME}))?"
    rf"(?::(?P<split>{_NAME}))?(?:@(?P<revision>[\w][\w./-]*))?",
    re.ASCII,
)
#: What the library puts behind a config of which only some files were asked for.
_PART = re.compile(r"-[0-9a-f]{16}$")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHARD = re.compile(r"-(?P<split>[\w.]+?)(?:-\d{5}-of-\d{5})?\.arrow")


@dataclass(frozen=True)
class HubData:
    """A data set of the Hub, as it is named."""

    name: str
    """Such as "NeelNanda/counterfact-tracing"."""
    config: str | None = None
    """None for the only one."""
    split: str | None = None
    """None for the only one."""
    revision: str | None = None
    """A branch, tag or commit; None for the one that is cached, or else the newest."""

    @classmethod
    def parse(cls, path: Path | str) -> "HubData":
        """Read a name.

        Raises:
            InputError: if it is none.
        """
        if (found := _GRAMMAR.fullmatch(str(path))) is None:
            raise InputError(
                f"{str(path)[:100]} names no data set of the Hub",
                hint="write it such as hf:NeelNanda/counterfact-tracing, or "
                "hf:OWNER/NAME/CONFIG:SPLIT@REVISION",
            )
        return cls(**found.groupdict())

    def __str__(self) -> str:
        """Return the name, with all that is known of it."""
        return "".join(
            mark + value
            for mark, value in (
                (PREFIX, self.name),
                ("/", self.config),
                (":", self.split),
                ("@", self.revision),
            )
            if value is not None
        )

    @property
    def sha256(self) -> str:
        """What a run knows it by: the commit says what it holds."""
        return hashlib.sha256(str(self).encode()).hexdigest()


def names_hub(path: Path) -> bool:
    """Say whether a path is the name of a data set of the Hub, and not that of a file."""
    return str(path).startswith(PREFIX) and not path.exists()


def fetched(wanted: HubData) -> tuple[HubData, list[Path]]:
    """Return a data set with its config, split and commit, and the Arrow files that hold it.

    It is downloaded if it is not in the cache.

    Raises:
        InputError: if it cannot be had, or the name leaves several to choose from.
    """
    if (found := _cached(wanted)) is not None:
        return found
    # A branch or a tag is known by its commit from here on.
    if (found := _cached(replace(wanted, revision=_download(wanted)))) is not None:
        return found
    raise InputError(
        f"{wanted} was downloaded, but is not in the cache {_cache()}",
        hint="save it with `save_to_disk`, and name that folder",
    )


def _cache() -> Path:
    """Return the folder that the library keeps data sets in, by its own rules."""
    given = os.environ.get("HF_DATASETS_CACHE")
    if given:
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", os.path.join(base, "huggingface"))  # noqa: PTH118
    return Path(home).expanduser() / "datasets"


def _cached(wanted: HubData) -> tuple[HubData, list[Path]] | None:
    """Return a data set as the cache has it: CONFIG/VERSION/COMMIT/NAME-SPLIT.arrow.

    Raises:
        InputError: if it has several configs or splits, and none is named.
    """
    folders = [
        folder
        for folder in _cache().glob("*/*/*/*/")
        if _same(folder.parts[-4], wanted.name)
        and wanted.config in (None, folder.parts[-3])
        and re.fullmatch(_NAME, folder.parts[-3])
        and not _PART.search(folder.parts[-3])
        and _COMMIT.fullmatch(folder.name)
        and (folder / "dataset_info.json").is_file()
    ]
    if wanted.revision is not None:
        # A branch may have moved since, so only a commit is sure to be what is there.
        folders = [folder for folder in folders if folder.name == wanted.revision]
    if not folders:
        return None
    configs = sorted({folder.parts[-3] for folder in folders})
    if len(configs) > 1:
        raise _several(wanted, "configs", configs, replace(wanted, config=configs[0]))
    folder = max(folders, key=lambda each: each.stat().st_mtime)
    found = replace(wanted, config=configs[0], revision=folder.name)
    splits: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*.arrow")):
        if shard := _SHARD.search(file.name):
            splits.setdefault(shard["split"], []).append(file)
    if wanted.split is None and len(splits) > 1:
        names = sorted(splits)
        raise _several(wanted, "splits", names, replace(wanted, split=names[0]))
    split = wanted.split or next(iter(splits), None)
    if split is None or split not in splits:
        return None
    return replace(found, split=split), splits[split]


def _same(folder: str, name: str) -> bool:
    """Say whether a folder of the cache is that of a data set: PopQA's is "pop_qa"."""

    def plain(text: str) -> str:
        return text.replace("/", "").replace("_", "").lower()

    return plain(folder) == plain(name) and folder.count("___") == name.count("/")


def _several(wanted: HubData, what: str, names: list[str], example: HubData) -> InputError:
    return InputError(
        f"{wanted} has the {what} {', '.join(names)[:200]}", hint=f"name one, such as {example}"
    )


def is_cached(path: Path) -> bool:
    """Say whether a data set of the Hub can be read without fetching it."""
    try:
        return _cached(HubData.parse(path)) is not None
    except InputError:
        return True  # what is wrong with the name is said without fetching it


def _download(wanted: HubData) -> str:
    """Have the library fetch a data set into its cache; return the commit that it is of."""
    try:
        import datasets
    except ImportError:
        raise InputError(
            f"{wanted} is a data set of the Hub, and not in the cache",
            hint="pip install 'mlxjsd[data]' to fetch it",
        ) from None
    try:
        found = datasets.load_dataset(
            wanted.name, wanted.config, split=wanted.split, revision=wanted.revision
        )
        parts = found.values() if isinstance(found, dict) else [found]
        files = [Path(file["filename"]) for part in parts for file in part.cache_files]
    except Exception as error:  # the library, the Hub and the network each raise their own
        raise InputError(
            f"{wanted} cannot be fetched: {said_by(error, 200)}",
            hint="check the name and the network; once fetched, it is read offline",
        ) from None
    return files[0].parent.name if files else ""
