"""A run that is asked for, by the command line or the app: plain values, no MLX."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxjsd.settings import Labelling, Settings
from mlxjsd.store.folders import run_folder

if TYPE_CHECKING:
    from mlxjsd.model.loaded import LoadedModel
    from mlxjsd.prompts.prompt import PromptFile
    from mlxjsd.run.plan import Plan


@dataclass(frozen=True)
class Job:
    """A run that is asked for: the options of ``mlxjsd run``."""

    model: str | None = None
    """A folder or Hub repository; None for the bundled model."""
    data: Path | None = None
    """Prompts; None for the bundled ones."""
    output: Path | None = None
    """The run folder; None for one named after what is measured."""
    limit: int | None = None
    """Only the first N prompts."""
    sample: int | None = None
    """Only N prompts, drawn by the seed."""
    settings: Settings = field(default_factory=Settings)
    batch_size: int | None = None
    """Prompts for each pass; None for what the folder's run began with, or else what fits."""
    trust_remote_code: bool = False
    labelling: Labelling = field(default_factory=Labelling)
    format: str | None = None
    """Of the prompts, one of :data:`mlxjsd.prompts.formats.FORMATS`; None to recognise it."""
    fields: str | None = None
    """Which fields of the prompts hold what; see :mod:`mlxjsd.prompts.mapping`."""
    revision: str | None = None
    """Of the Hub repository; None for its default."""
    adapter_path: Path | None = None
    """Folder of a LoRA adapter; None for none."""
    memory: float | None = None
    """GB that the run may take; None for what the machine recommends."""
    bits: int | None = None
    """To which the model is quantized once it is loaded; None for what it has."""
    expected: str | None = None
    """Hash of the model's files, where a run folder names it; no others are loaded."""
    download: bool = True
    """Whether the model may be downloaded: False where a run folder names it, and nobody asked."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Job":
        """Return the job with ``values``; what is left out has its default.

        Args:
            values: by name: of a field of the job, of its settings or of its labelling.

        Raises:
            InputError: if a value makes no sense.
        """
        left = dict(values)

        def made(kind: type[Any]) -> Any:
            return kind(**{f.name: left.pop(f.name) for f in fields(kind) if f.name in left})

        return cls(settings=made(Settings), labelling=made(Labelling), **left)

    @property
    def folder(self) -> Path:
        """The run folder, the one that ``mlxjsd run`` would use."""
        return self.output or run_folder(
            self.model,
            self.data,
            self.settings,
            self.limit,
            self.revision,
            self.adapter_path,
            self.sample,
            self.bits,
            self.fields,
        )

    def plan(self, model: "LoadedModel", data: "PromptFile") -> "Plan":
        """Decide what to measure; a run that is there already keeps its batches.

        Raises:
            InputError: see :func:`mlxjsd.run.plan.plan_run`.
        """
        from mlxjsd.run.plan import plan_run
        from mlxjsd.store.reader import read_header
        from mlxjsd.store.shards import shard_files

        begun = read_header(self.folder) if shard_files(self.folder) else None
        chosen = self.batch_size is not None or self.memory is not None
        sizes = begun.get("batch_sizes") if begun and not chosen else None
        return plan_run(
            model,
            data,
            self.settings,
            self.limit,
            self.batch_size,
            self.labelling,
            self.memory,
            sizes,
            self.sample,
            once=begun is None or begun.get("repeats") == "once",
        )
