"""What a run folder needs in order to be taken up again."""

import hashlib
from pathlib import Path

from mlxjsd.assets import PROMPTS
from mlxjsd.labelling import Labelling
from mlxjsd.settings import Settings
from mlxjsd.store import read_header
from mlxjsd.tui.job import Job

#: The name under which a run knows the bundled model.
_BUNDLED = "bundled"


def job_of(folder: Path) -> Job | None:
    """Return the job that goes on with the run in ``folder``; None if its prompts are gone.

    Whether a model may run code of its own is never taken from the folder.

    Raises:
        InputError: if it is not a run folder.
    """
    header = read_header(folder)
    wanted = header["data"]["sha256"]
    places = (PROMPTS, Path(header["data_path"]), folder / header["data"]["file"])
    found = next((path for path in places if _sha256(path) == wanted), None)
    if found is None:
        return None
    name = header["model"]["name"]
    return Job(
        model=None if name == _BUNDLED else name,
        data=None if found == PROMPTS else found,
        output=folder,
        limit=header["limit"],
        settings=Settings.from_json(header["settings"]),
        labelling=Labelling(**header["labelling"]),
    )


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
