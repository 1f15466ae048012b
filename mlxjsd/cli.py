"""The command line: the only place that prints. stdout is data, stderr is talk."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mlxjsd import options
from mlxjsd.errors import InputError, MeasurementError
from mlxjsd.framing import template_from
from mlxjsd.labelling import Labelling
from mlxjsd.plain import clean
from mlxjsd.runs import run_folder
from mlxjsd.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from mlxjsd.model import LoadedModel
    from mlxjsd.prompts import PromptFile
    from mlxjsd.records import Run

WRONG = 1
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
    model: options.Model = None,
    data: options.Data = None,
    format: options.Format = None,
    output: options.Folder = None,
    limit: options.Limit = None,
    corruption: options.Corruption = Settings.corruption,
    noise_level: options.NoiseLevel = Settings.noise_level,
    noise_samples: options.NoiseSamples = Settings.noise_samples,
    window: options.Window = Settings.window,
    seed: options.Seed = Settings.seed,
    prompt_template: options.PromptTemplate = None,
    chat: options.Chat = False,
    batch_size: options.BatchSize = None,
    label: options.Label = True,
    max_tokens: options.MaxTokens = 10,
    match: options.Match = Labelling.match,
    reliance_threshold: options.RelianceThreshold = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
) -> None:
    """Measure the heatmap; with no option, of the bundled model on the bundled prompts.

    The same command again goes on where it stopped.
    """
    template = template_from(prompt_template)
    settings = Settings(corruption, noise_level, noise_samples, window, seed, template, chat)
    labelling = Labelling(max_tokens if label else None, match, reliance_threshold)
    folder = output or run_folder(model, data, settings, limit, revision, adapter_path)

    from mlxjsd.store import check_folder

    check_folder(folder)  # now, not after a large model has been loaded
    prompts = _prompts(data, format)
    talk = _console(stderr=True)
    loaded = _load(talk, model, trust_remote_code, revision, adapter_path)

    from mlxjsd.experiment import plan_run, run_experiment
    from mlxjsd.products import write_products
    from mlxjsd.progress import follow

    plan = plan_run(loaded, prompts, settings, limit, batch_size, labelling)
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
    write_products(folder)
    _show(folder)
    talk.print("\nthe run, heatmap.png and heatmap.csv are in", end=" ")
    print(folder)


@app.command()
def check(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="A model folder or Hub repository.",
            show_default="the bundled model",
        ),
    ] = None,
    data: options.Data = None,
    trust_remote_code: options.TrustRemoteCode = False,
) -> None:
    """Say what a model was found to be, and let it prove its numbers on this machine.

    Exit code 1 if a proof fails.
    """
    prompts = _prompts(data)
    talk = _console(stderr=True)
    loaded = _load(talk, model, trust_remote_code)

    from mlxjsd.check import check_model, check_table

    for note in loaded.notes:
        talk.print(note, style="dim", markup=False)
    with talk.status("checking"):
        result = check_model(loaded, prompts)
    _console().print(check_table(result))
    if not result.passed:
        raise typer.Exit(WRONG)


@app.command()
def tui(
    context: typer.Context,
    folder: options.OptionalRunFolder = None,
    model: options.Model = None,
    data: options.Data = None,
    format: options.Format = None,
    output: options.Folder = None,
    limit: options.Limit = None,
    corruption: options.Corruption = Settings.corruption,
    noise_level: options.NoiseLevel = Settings.noise_level,
    noise_samples: options.NoiseSamples = Settings.noise_samples,
    window: options.Window = Settings.window,
    seed: options.Seed = Settings.seed,
    prompt_template: options.PromptTemplate = None,
    chat: options.Chat = False,
    batch_size: options.BatchSize = None,
    label: options.Label = True,
    max_tokens: options.MaxTokens = 10,
    match: options.Match = Labelling.match,
    reliance_threshold: options.RelianceThreshold = None,
    trust_remote_code: options.TrustRemoteCode = False,
    revision: options.Revision = None,
    adapter_path: options.AdapterPath = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show the app in a browser instead.")
    ] = False,
    host: Annotated[str, typer.Option(help="Where --serve listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where --serve listens.")] = 8000,
) -> None:
    """Watch a run on the terminal; with no option, choose everything there.

    With any option of ``run`` the run begins at once; a run folder is shown, and can be
    taken up if it is unfinished.
    """
    if serve:
        from mlxjsd.tui.serve import serve as serve_app

        serve_app(sys.argv[1:], host, port)
        return

    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    job = None
    if folder is not None:
        from mlxjsd.store import read_header

        if given != {"folder"}:
            raise InputError("a run folder has its own settings; give it without options")
        read_header(folder)  # says what is wrong before the screen is taken over
    elif given:
        from mlxjsd.tui.job import Job

        template = template_from(prompt_template)
        settings = Settings(corruption, noise_level, noise_samples, window, seed, template, chat)
        labelling = Labelling(max_tokens if label else None, match, reliance_threshold)
        job = Job(
            model,
            data,
            output,
            limit,
            settings,
            batch_size,
            trust_remote_code,
            labelling,
            format,
            revision,
            adapter_path,
        )

    from mlxjsd.tui.app import launch

    raise typer.Exit(launch(job, folder))


@app.command()
def prompts(
    data: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file of prompts, or a folder of relations.")
    ],
    model: options.Model = None,
    format: options.Format = None,
    prompt_template: options.PromptTemplate = None,
    chat: options.Chat = False,
    limit: options.Limit = None,
    revision: options.Revision = None,
) -> None:
    """Show which tokens of each prompt are its subject's, and what would be skipped.

    Only the model's tokenizer is loaded, never from the network.
    """
    from mlxjsd.framing import check_template
    from mlxjsd.preview import Tally, look_at, seen_text
    from mlxjsd.prompts import read_prompts

    template = template_from(prompt_template)
    if template is not None:
        check_template(template)
    found = read_prompts(data, format)

    from mlxjsd.model import load_encoder

    console, tally = _console(), Tally()
    encoder = load_encoder(model, revision)
    for seen in tally.passing(look_at(found, encoder, template, chat, limit)):
        # Lines are left whole: where one breaks, a token's space would be lost.
        console.print(seen_text(seen, _has_colour(console)), soft_wrap=True)
    console.print()
    for line in tally.lines():
        print(line)


@app.command()
def models() -> None:
    """List the models in the local Hub cache that can be measured: size, layers, family."""
    from mlxjsd.hub import cached_models, model_lines
    from mlxjsd.model import reads_family

    found = cached_models()
    usable = [model for model in found if model.family and reads_family(model.family)]
    for line in model_lines(usable):
        print(line)
    if not usable:
        print(
            "no model that can be measured is in the local Hub cache; `mlxjsd run --model` "
            "downloads the one that it is given, and without --model needs none",
            file=sys.stderr,
        )
    if others := sorted({str(m.family) for m in found if m not in usable}):
        told = f"{len(found) - len(usable)} others are of no family that MLX-LM reads"
        print(f"{told}: {clean(', '.join(others))}", file=sys.stderr)


@app.command()
def show(
    folder: options.RunFolder,
    by: options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
) -> None:
    """Print a run's heatmap, the peak of each row, the noise floor, and what they say."""
    _show(folder, by, match, reliance_threshold)


@app.command()
def plot(
    folder: options.RunFolder,
    output: options.OutputFile,
    by: options.By = None,
    kind: Annotated[
        str,
        typer.Option(help="heatmap; or, by category: norms, cosine or probability."),
    ] = "heatmap",
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    vmin: Annotated[float, typer.Option(help="nats at the light end.")] = 0.0,
    vmax: Annotated[
        float | None, typer.Option(help="nats at the dark end.", show_default="the highest cell")
    ] = None,
    cmap: Annotated[str, typer.Option(help="A matplotlib colour map.")] = "Blues",
) -> None:
    """Draw a run's heatmap as .png, .pdf or .svg; with --by, a panel for each group."""
    from mlxjsd.figure import Style, plot_curves, plot_groups, plot_run, save_figure, title_of

    style = Style(vmin, vmax, cmap)
    run = _read(folder, match, reliance_threshold)
    if kind != "heatmap":
        if by is not None:
            raise InputError("--by is for heatmaps; the other kinds are by category already")
        save_figure(plot_curves(run, kind), output)
    elif by is None:
        save_figure(plot_run(run, style), output)
    else:
        from mlxjsd.grouping import heatmaps_by

        save_figure(plot_groups(heatmaps_by(run, by), title_of(run), style), output)
    print(output)


@app.command()
def summary(
    folder: options.RunFolder,
    by: options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
) -> None:
    """Say as Markdown what a run's heatmap shows: phases, crossing, three sentences."""
    from mlxjsd.report import report

    print(report(_read(folder, match, reliance_threshold), by))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run folder.")],
    b: Annotated[
        Path | None, typer.Argument(metavar="[B]", help="Another one, unless --reference.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="A published figure, such as llama-3-8b-fa.")
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Only the prompts of one category: FA, AH or UH.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Draw both and their difference here.")
    ] = None,
) -> None:
    """Compare two runs, or a run and a published figure: by rank, by distance, by phase."""
    from mlxjsd import compare as comparing
    from mlxjsd.report import compared, panel_of

    if (b is None) == (reference is None):
        raise InputError("compare takes a second run folder or --reference, one of the two")
    one = panel_of(_read(a), category)
    other = comparing.published(reference) if reference else panel_of(_read(b or a), category)
    result = comparing.compare(one, other)
    if output is not None:
        from mlxjsd.figure import plot_comparison, save_figure

        save_figure(plot_comparison(result), output)
    print(compared(result))


@app.command()
def bench(
    model: options.Model = None,
    data: options.Data = None,
    prompts: Annotated[int, typer.Option(min=1, help="Measured in each round.")] = 16,
    rounds: Annotated[int, typer.Option(min=1, help="Medians are over so many.")] = 3,
    batch_size: options.BatchSize = None,
    trust_remote_code: options.TrustRemoteCode = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Time the one pass on this machine, against one pass for each cell and a plain one."""
    read = _prompts(data)
    talk = _console(stderr=True)
    loaded = _load(talk, model, trust_remote_code)

    from mlxjsd.bench import describe, run_bench
    from mlxjsd.experiment import plan_run

    with talk.status("taking the time"):
        found = run_bench(plan_run(loaded, read, batch_size=batch_size), prompts, rounds)
    if json:
        from json import dumps

        print(dumps(found.to_json(), indent=2))
    else:
        print(describe(found))


@app.command()
def export(folder: options.RunFolder, output: options.OutputFile) -> None:
    """Write a run's numbers as .csv (averages), .json (everything) or .npz (arrays)."""
    from mlxjsd.export import export_run
    from mlxjsd.store import read_run

    export_run(read_run(folder), output)
    print(output)


def _prompts(data: Path | None, format: str | None = None) -> "PromptFile":
    from mlxjsd.assets import PROMPTS
    from mlxjsd.prompts import read_prompts

    return read_prompts(PROMPTS if data is None else data, format)


def _load(
    talk: "Console",
    model: str | None,
    trust_remote_code: bool,
    revision: str | None = None,
    adapter_path: Path | None = None,
) -> "LoadedModel":
    from mlxjsd.model import load_model

    with talk.status("loading the model"):
        return load_model(model, trust_remote_code, revision, adapter_path)


def _read(folder: Path, match: str | None = None, reliance_threshold: float | None = None) -> "Run":
    """Read a run, with the labelling that was asked for now in place of the run's own."""
    from dataclasses import replace

    from mlxjsd.store import read_run

    run = read_run(folder)
    asked = {"match": match, "reliance_threshold": reliance_threshold}
    given = {name: value for name, value in asked.items() if value is not None}
    labelling = {**run.labelling, **given}
    Labelling(**labelling)  # refuses what makes no sense
    return replace(run, labelling=labelling)


def _show(
    folder: Path,
    by: str | None = None,
    match: str | None = None,
    reliance_threshold: float | None = None,
) -> None:
    from mlxjsd.terminal import summary

    console = _console()
    run = _read(folder, match, reliance_threshold)
    console.print(summary(run, console.width, _has_colour(console), by), markup=False)


def _console(stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _has_colour(console: "Console") -> bool:
    return console.color_system is not None and not console.no_color


def _fail(message: str, code: int) -> NoReturn:
    print(f"mlxjsd: {clean(message)}", file=sys.stderr)
    sys.exit(code)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; exit code 0 done, 1 wrong numbers, 2 bad input, 130 interrupted."""
    try:
        app(arguments, prog_name="mlxjsd")
    except InputError as error:
        _fail(str(error), BAD_INPUT)
    except MeasurementError as error:
        _fail(str(error), WRONG)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
