"""Which files of a model's folder are its own, and a place from which only these are loaded.

What the loaders of other libraries look for in a folder is theirs to decide: MLX-LM takes a path
for a pattern, loads weights that no index names, and transformers looks for code. So they are
given a folder of links, one to each file that was looked at and hashed, and nothing else.
"""

import fnmatch
import glob
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlxjsd.errors import InputError

#: What a model consists of; a hash is of all of them that are there.
_KINDS = ("*.safetensors", "*.json", "*.model", "*.tiktoken", "*.jinja", "*.py", "*.txt")
#: Weights that MLX-LM loads.
LOADED_WEIGHTS = "model*.safetensors"
WEIGHTS, CODE = ".safetensors", ".py"

#: A model's files: where each really lies, by the name that it has in the folder.
Files = Mapping[str, Path]


def model_files(folder: Path) -> Files:
    """Return the files of a model, sorted by name.

    Raises:
        InputError: if one is no file that can be read to its end: a pipe, a device, a link that
            leads nowhere.
    """
    found = {path.name: path for kind in _KINDS for path in folder.glob(kind)}
    files = {}
    for name, path in sorted(found.items()):
        if path.is_dir():
            continue
        if not path.is_file():
            what = "a link that leads nowhere" if path.is_symlink() else "not a regular file"
            raise InputError(f"{path} is {what}", hint="download or copy the model again")
        files[name] = path.resolve()
    return files


def loaded_weights(files: Files) -> Files:
    """Return those weights that MLX-LM loads, whether an index names them or not."""
    return {name: p for name, p in files.items() if fnmatch.fnmatchcase(name, LOADED_WEIGHTS)}


@contextmanager
def staged(files: Files, name: str, code: bool) -> Iterator[Path]:
    """Make a folder of links to a model's files, for as long as they are loaded.

    Args:
        files: of the model.
        name: of the folder; transformers keeps code that it runs under it, so that it has to be
            another one for other files.
        code: link Python files as well; without it there is no code in the folder to be run.
    """
    with tempfile.TemporaryDirectory(prefix="mlxjsd-", dir=_without_patterns()) as scratch:
        folder = Path(scratch) / name
        folder.mkdir()
        for link, path in files.items():
            if code or not link.endswith(CODE):
                (folder / link).symlink_to(path)
        yield folder


def _without_patterns() -> str:
    """Return a place for temporary folders whose own path is not a pattern."""
    # What is made there is new, and of nobody else.
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108
        if glob.escape(place) == place and Path(place).is_dir():
            return place
    raise InputError(
        f"the temporary folder {tempfile.gettempdir()} has one of the characters *?[ in its path",
        hint="set TMPDIR to another one",
    )
