"""The commands that read a run: show, plot, summary, compare, export, merge."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mlxjsd.cli import options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, read, show_run
from mlxjsd.errors import InputError


@app.command()
def show(
    folder: options.RunFolder,
    by: options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
) -> None:
    """Print a run's heatmap, the peak of each row, the noise floor, and what they say."""
    show_run(folder, by, match, reliance_threshold)


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
    from mlxjsd.output.figure import (
        Style,
        plot_curves,
        plot_groups,
        plot_run,
        save_figure,
        title_of,
    )

    style = Style(vmin, vmax, cmap)
    run = read(folder, match, reliance_threshold)
    if kind != "heatmap":
        if by is not None:
            raise InputError(
                "--by is for heatmaps", hint="leave it out: the other kinds are by category already"
            )
        save_figure(plot_curves(run, kind), output)
    elif by is None:
        save_figure(plot_run(run, style), output)
    else:
        from mlxjsd.analysis.groups import heatmaps_by

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
    from mlxjsd.output.markdown import report

    print(report(read(folder, match, reliance_threshold), by))


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
    from mlxjsd.analysis import compare as comparing
    from mlxjsd.output.markdown import compared, panel_of

    if (b is None) == (reference is None):
        raise InputError(
            "compare takes a second run folder or --reference, one of the two",
            hint="give one of them",
        )
    one = panel_of(read(a), category)
    other = comparing.published(reference) if reference else panel_of(read(b or a), category)
    result = comparing.compare(one, other)
    if output is not None:
        from mlxjsd.output.figure import plot_comparison, save_figure

        save_figure(plot_comparison(result), output)
    print(compared(result))


@app.command()
def export(
    folder: options.RunFolder,
    output: options.OutputFile,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Of a damaged run, all that can be trusted (.json).")
    ] = False,
) -> None:
    """Write a run's numbers as .csv (averages), .json (everything) or .npz (arrays)."""
    from mlxjsd.output.export import export_run, export_salvaged

    if salvage:
        from mlxjsd.store.recovery.salvage import salvage_run

        saved = salvage_run(folder)
        export_salvaged(saved, output)
        lost = "how many are lost is not known" if saved.lost is None else f"{saved.lost} are lost"
        print(f"{len(saved.run.records)} prompts can be trusted, {lost}", file=sys.stderr)
    else:
        from mlxjsd.store.reader import read_run

        export_run(read_run(folder), output)
    print(output)


@app.command()
def merge(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, or files of them.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A new run folder, or one of them.")
    ],
) -> None:
    """Join what several machines have measured of one run; again changes nothing."""
    from mlxjsd.store.merge import merge_runs

    merged = merge_runs(runs, output)
    talk = console_for(stderr=True)
    told = f"{merged.added} prompts are new, {merged.done} of {merged.total} are there"
    talk.print(told, markup=False)
    if merged.machines > 1:
        talk.print("they were measured by different versions or devices", markup=False)
    if merged.finished:
        from mlxjsd.output.artifacts import write_products

        write_products(output)
    else:
        talk.print("`mlxjsd run` with the same options and this --output goes on", markup=False)
    print(output)
