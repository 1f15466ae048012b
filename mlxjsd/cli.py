"""The command line: the only place that prints. stdout is data, stderr is talk."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mlxjsd.errors import InputError
from mlxjsd.runs import RUNS, run_folder
from mlxjsd.settings import CORRUPTIONS, Settings

if TYPE_CHECKING:
    from rich.console import Console

BAD_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="See, layer by layer, where a language model keeps and moves what it knows.",
)

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
OutputFile = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"mlxjsd {version('mlxjsd')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    pass


@app.command()
def run(
    model: Annotated[
        str | None,
        typer.Option(help="A model folder or Hub repository.", show_default="the bundled model"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Prompts, as JSON Lines.", show_default="the bundled prompts"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The run folder.", show_default=f"a folder in {RUNS}"),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Only the first so many prompts.", show_default="all")
    ] = None,
    corruption: Annotated[
        str, typer.Option(help=f"How the subject is spoiled: {' or '.join(CORRUPTIONS)}.")
    ] = Settings.corruption,
    noise_level: Annotated[
        float, typer.Option(help="Noise, in deviations of the subjects' embeddings.")
    ] = Settings.noise_level,
    noise_samples: Annotated[
        int, typer.Option(help="Draws of noise for each prompt.")
    ] = Settings.noise_samples,
    window: Annotated[
        int, typer.Option(help="Blocks of the attention knockout around a layer.")
    ] = Settings.window,
    seed: Annotated[int, typer.Option(help="Of the noise and of the swaps.")] = Settings.seed,
    batch_size: Annotated[
        int | None, typer.Option(help="Prompts for each pass.", show_default="chosen for you")
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run code that the model brings along.")
    ] = False,
) -> None:
    """Measure the heatmap; with no option, of the bundled model on the bundled prompts.

    The same command again goes on where it stopped.
    """
    settings = Settings(corruption, noise_level, noise_samples, window, seed)
    if output is not None and output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; name a folder for the run")

    from mlxjsd.assets import PROMPTS
    from mlxjsd.prompts import read_prompts

    prompts = read_prompts(PROMPTS if data is None else data)
    folder = output or run_folder(model, data, settings, limit)

    from mlxjsd.model import load_model

    talk = _console(stderr=True)
    with talk.status("loading the model"):
        loaded = load_model(model, trust_remote_code)

    from mlxjsd.experiment import plan_run, run_experiment
    from mlxjsd.progress import follow

    plan = plan_run(loaded, prompts, settings, limit, batch_size)
    events = run_experiment(plan, folder)
    try:
        follow(events, talk)
    except KeyboardInterrupt:
        events.close()
        talk.print(
            f"interrupted; what is measured is in {folder}, the same command goes on from there",
            markup=False,
        )
        raise typer.Exit(INTERRUPTED) from None
    _write_products(folder)
    _show(folder)
    talk.print("\nthe run, heatmap.png and heatmap.csv are in", end=" ")
    print(folder)


@app.command()
def show(folder: RunFolder) -> None:
    """Print a run's heatmap, the peak of each row and the noise floor."""
    _show(folder)


@app.command()
def plot(
    folder: RunFolder,
    output: OutputFile,
    vmin: Annotated[float, typer.Option(help="nats at the light end.")] = 0.0,
    vmax: Annotated[
        float | None, typer.Option(help="nats at the dark end.", show_default="the highest cell")
    ] = None,
    cmap: Annotated[str, typer.Option(help="A matplotlib colour map.")] = "Blues",
) -> None:
    """Draw a run's heatmap as .png, .pdf or .svg."""
    from mlxjsd.figure import Style, plot_run, save_figure
    from mlxjsd.store import read_run

    save_figure(plot_run(read_run(folder), Style(vmin, vmax, cmap)), output)
    print(output)


@app.command()
def export(folder: RunFolder, output: OutputFile) -> None:
    """Write a run's numbers as .csv (averages), .json (everything) or .npz (arrays)."""
    from mlxjsd.export import export_run
    from mlxjsd.store import read_run

    export_run(read_run(folder), output)
    print(output)


def _write_products(folder: Path) -> None:
    from mlxjsd.export import export_run
    from mlxjsd.figure import plot_run, save_figure
    from mlxjsd.store import read_run

    measured = read_run(folder)
    save_figure(plot_run(measured), folder / "heatmap.png")
    export_run(measured, folder / "heatmap.csv")


def _show(folder: Path) -> None:
    from mlxjsd.store import read_run
    from mlxjsd.terminal import summary

    console = _console()
    colour = console.color_system is not None and not console.no_color
    console.print(summary(read_run(folder), console.width, colour), markup=False)


def _console(stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _fail(message: str, code: int) -> NoReturn:
    print(f"mlxjsd: {message}", file=sys.stderr)
    sys.exit(code)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; exit code 0 done, 2 bad input, 130 interrupted."""
    try:
        app(arguments, prog_name="mlxjsd")
    except InputError as error:
        _fail(str(error), BAD_INPUT)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
