"""What a run folder needs in order to be taken up again."""

import stat
from pathlib import Path

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
from mlxjsd.prompts.formats import FORMATS
from mlxjsd.prompts.formats.files import is_saved
from mlxjsd.prompts.read import data_hash
from mlxjsd.run.job import Job
from mlxjsd.settings import Labelling, Settings
from mlxjsd.store.reader import read_header

#: The name under which a run knows the bundled model.
_BUNDLED = "bundled"


def job_of(folder: Path, trust_remote_code: bool = False) -> Job:
    """Return the job that goes on with the run in ``folder``.

    Whoever made the folder chose the model that it names, which need not be the one who goes on.
    So its code is not run, nothing is downloaded, and no other files are loaded in its place.

    Args:
        folder: of the run.
        trust_remote_code: never taken from the folder.

    Raises:
        InputError: if it is not a run folder, or its prompts are gone.
    """
    header = read_header(folder)
    data = header["data"]
    places = (PROMPTS, Path(header["data_path"]), folder / Path(data["file"]).name)
    format, fields = data.get("format"), data.get("fields")
    found = next((path for path in places if _hash(path, format) == data["sha256"]), None)
    if found is None:
        raise InputError(
            f"the prompts of {folder} are not at {header['data_path']}, or have changed",
            hint="put the same file there or into the folder, or give them with `mlxjsd run "
            "--data`",
        )
    model = header["model"]
    name, adapter = model["name"], model.get("adapter")
    return Job(
        model=None if name == _BUNDLED else name,
        data=None if found == PROMPTS else found,
        format=None if found == PROMPTS or fields is not None else format,
        fields=fields,
        output=folder,
        limit=header["limit"],
        sample=header.get("sample"),
        settings=Settings.from_json(header["settings"]),
        trust_remote_code=trust_remote_code,
        labelling=Labelling.from_json(header["labelling"]),
        revision=model.get("revision"),
        adapter_path=None if adapter is None else Path(adapter),
        bits=model.get("bits"),
        expected=model.get("sha256"),
        download=False,
    )


def job_or_none(folder: Path) -> Job | None:
    """Return the job that goes on with the run in ``folder``; None if its prompts are gone.

    Raises:
        InputError: if it is not a run folder.
    """
    read_header(folder)
    try:
        return job_of(folder)
    except InputError:
        return None


def _hash(path: Path, format: str | None) -> str | None:
    """Return the hash of a file or folder of prompts; None if there is none.

    The folder of a run may come from anybody, and name a device that never ends, or the whole
    disk: only what prompts of this format can be in is read.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        mode = stat.S_IFREG  # it may be the name of the tables of facts
    if not stat.S_ISREG(mode):
        folders = is_saved(path) or (format in FORMATS and FORMATS[format].folders)
        if not (stat.S_ISDIR(mode) and folders):
            return None
    try:
        return data_hash(path, format)
    except InputError:
        return None
