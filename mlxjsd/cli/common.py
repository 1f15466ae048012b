"""What several commands do: read prompts and runs, load a model, print."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD

if TYPE_CHECKING:
    from rich.console import Console

    from mlxjsd.analysis.effects import Effect
    from mlxjsd.model.loaded import LoadedModel
    from mlxjsd.model.tensor_group import TensorParallelGroup
    from mlxjsd.prompts.prompt import PromptFile
    from mlxjsd.results import Run


def prompts_of(
    data: Path | None, format: str | None = None, fields: str | None = None
) -> "PromptFile":
    """Read the prompts of a file, or the bundled ones."""
    from mlxjsd.assets import PROMPTS
    from mlxjsd.prompts.read import read_prompts

    return read_prompts(PROMPTS if data is None else data, format, fields)


def load(
    talk: "Console",
    model: str | None,
    trust_remote_code: bool,
    revision: str | None = None,
    adapter_path: Path | None = None,
    group: "TensorParallelGroup | None" = None,
    bits: int | None = None,
    **options: Any,
) -> "LoadedModel":
    """Load a model, and say so while it is being loaded; see :func:`mlxjsd.load_model`."""
    from mlxjsd.cli.progress import loading
    from mlxjsd.model.load import load_model

    with loading(talk) as progress:
        return load_model(
            model, trust_remote_code, revision, adapter_path, group, progress, bits, **options
        )


def read(
    folder: Path,
    match: str | None = None,
    reliance_threshold: float | None = None,
    aliases: str | None = None,
) -> "Run":
    """Read a run, with the labelling that was asked for now in place of the run's own."""
    from dataclasses import replace

    from mlxjsd.store.reader import read_run

    run = read_run(folder)
    asked = {"match": match, "reliance_threshold": reliance_threshold}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if aliases is not None:
        from mlxjsd.analysis.aliases import read_aliases

        given["aliases"] = read_aliases(aliases)
    return replace(run, labelling=replace(run.labelling, **given))


def effect_of(kind: str | None, least_total: float | None) -> "Effect | None":
    """Return the effect that is asked for; None for the numbers as they were measured.

    Raises:
        InputError: if there is none of this kind, or a value makes no sense.
    """
    from mlxjsd.analysis.effects import Effect

    if kind is None:
        if least_total is None:
            return None
        raise InputError(
            "--least-total is for normalised effects",
            hint="leave it out, or add --effect normalised",
        )
    return Effect(kind, least_total)


def show_run(
    folder: Path,
    by: str | None = None,
    match: str | None = None,
    reliance_threshold: float | None = None,
    metric: str = JSD.key,
    aliases: str | None = None,
    effect: "Effect | None" = None,
) -> None:
    """Print the heatmap of a run and what it says."""
    from mlxjsd.output.terminal import summary

    console = console_for()
    run = read(folder, match, reliance_threshold, aliases)
    shown = summary(run, console.width, colours_of(console), by, metric, effect)
    console.print(shown, markup=False)


def console_for(stderr: bool = False, quiet: bool = False) -> "Console":
    """Return what data or, on standard error, talk is printed on; nothing at all if ``quiet``."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, quiet=quiet)


def colours_of(console: "Console") -> int:
    """Return how many colours there are for the numbers of a heatmap; 0 where there are few."""
    from mlxjsd.output.xterm import TRUECOLOUR

    known = {"truecolor": TRUECOLOUR, "256": 256}
    return 0 if console.no_color else known.get(console.color_system or "", 0)


def has_colour(console: "Console") -> bool:
    """Say whether colours can be seen."""
    return console.color_system is not None and not console.no_color
