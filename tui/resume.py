"""What a run folder needs in order to be taken up again."""

from pathlib import Path

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
from mlxjsd.formats.text import content_hash
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
    found = next((path for path in places if _hash(path) == wanted), None)
    if found is None:
        return None
    model = header["model"]
    name, adapter = model["name"], model.get("adapter")
    return Job(
        model=None if name == _BUNDLED else name,
        data=None if found == PROMPTS else found,
        format=None if found == PROMPTS else header["data"].get("format"),
        output=folder,
        limit=header["limit"],
        settings=Settings.from_json(header["settings"]),
        labelling=Labelling(**header["labelling"]),
        revision=model.get("revision"),
        adapter_path=None if adapter is None else Path(adapter),
    )


def _hash(path: Path) -> str | None:
    try:
        return content_hash(path)
    except InputError:
        return None
