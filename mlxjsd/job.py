"""A run that is asked for, by the command line or the app: plain values, no MLX."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mlxjsd.labelling import Labelling
from mlxjsd.runs import run_folder
from mlxjsd.settings import Settings

if TYPE_CHECKING:
    from mlxjsd.model import LoadedModel
    from mlxjsd.planning import Plan
    from mlxjsd.prompts import PromptFile


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
    settings: Settings = field(default_factory=Settings)
    batch_size: int | None = None
    """Prompts for each pass; None for what the folder's run began with, or else what fits."""
    trust_remote_code: bool = False
    labelling: Labelling = field(default_factory=Labelling)
    format: str | None = None
    """Of the prompts, one of :data:`mlxjsd.formats.FORMATS`; None to recognise it."""
    revision: str | None = None
    """Of the Hub repository; None for its default."""
    adapter_path: Path | None = None
    """Folder of a LoRA adapter; None for none."""
    memory: float | None = None
    """GB that the run may take; None for what the machine recommends."""

    @property
    def folder(self) -> Path:
        """The run folder, the one that ``mlxjsd run`` would use."""
        return self.output or run_folder(
            self.model, self.data, self.settings, self.limit, self.revision, self.adapter_path
        )

    def plan(self, model: "LoadedModel", data: "PromptFile") -> "Plan":
        """Decide what to measure; a run that is there already keeps its batches.

        Raises:
            InputError: see :func:`mlxjsd.planning.plan_run`.
        """
        from mlxjsd.planning import plan_run
        from mlxjsd.shards import shard_files
        from mlxjsd.stored import read_header

        sizes = None
        chosen = self.batch_size is not None or self.memory is not None
        if not chosen and shard_files(self.folder):
            sizes = read_header(self.folder).get("batch_sizes")
        return plan_run(
            model,
            data,
            self.settings,
            self.limit,
            self.batch_size,
            self.labelling,
            self.memory,
            sizes,
        )
