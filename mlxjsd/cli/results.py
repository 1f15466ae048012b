"""The commands that read a run: show, plot, summary, compare, export, merge."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlxjsd.cli import completion, options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, read, show_run
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.output.writers import EXPORTS, FIGURES

if TYPE_CHECKING:
    from mlxjsd.analysis.changes import Change
    from mlxjsd.output.page import Page


@app.command(short_help="Print a run's heatmap, its peaks, and what they say.")
def show(
    folder: options.RunFolder,
    by: options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
    metric: options.Metric = JSD.key,
) -> None:
    """Print a run's heatmap, the peak of each row, the noise floor, and what they say."""
    show_run(folder, by, match, reliance_threshold, metric, aliases)


@app.command(
    short_help="Draw a run's heatmap as a figure, or its lines.",
    help=f"Draw a run's heatmap as {FIGURES}; with --by, a panel for each group.",
)
def plot(
    folder: options.RunFolder,
    output: options.OutputFile,
    by: options.By = None,
    kind: Annotated[
        str,
        typer.Option(
            help="heatmap, lines; or, by category: norms, cosine or probability.",
            autocompletion=completion.kinds,
        ),
    ] = "heatmap",
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
    metric: options.Metric = JSD.key,
    vmin: Annotated[
        float | None,
        typer.Option(help="The number at the low end.", show_default="0, or as far below it"),
    ] = None,
    vmax: Annotated[
        float | None,
        typer.Option(help="The number at the high end.", show_default="the highest cell"),
    ] = None,
    cmap: Annotated[
        str | None,
        typer.Option(help="A matplotlib colour map.", show_default="Blues, or one around 0"),
    ] = None,
    width: options.Width = None,
    font_size: options.FontSize = None,
    no_title: options.NoTitle = False,
    dpi: options.Dpi = 200,
) -> None:
    """Draw a run's heatmap, or one for each group."""
    from mlxjsd.output.curve_figure import LINES, plot_curves, plot_lines
    from mlxjsd.output.figure import Style, plot_groups, plot_run, save_figure, title_of
    from mlxjsd.output.page import Page

    style, page = Style(vmin, vmax, cmap), Page(width, font_size, not no_title, dpi)
    run = read(folder, match, reliance_threshold, aliases)
    if kind == LINES:
        figure = plot_lines(run, by, metric, style, page)
    elif kind != "heatmap":
        for option, given in (("--by", by is not None), ("--metric", metric != JSD.key)):
            if given:
                raise InputError(
                    f"{option} is for heatmaps and lines",
                    hint="leave it out: the other kinds are curves by category",
                )
        figure = plot_curves(run, kind, page)
    elif by is None:
        figure = plot_run(run, style, metric, page)
    else:
        groups = run.heatmap(by=by, metric=metric)
        figure = plot_groups(groups, title_of(run), style, page=page)
    save_figure(figure, output)
    print(output)


@app.command(short_help="Say as Markdown or LaTeX what a heatmap shows.")
def summary(
    folder: options.RunFolder,
    by: options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
    metric: options.Metric = JSD.key,
    latex: Annotated[
        bool, typer.Option("--latex", help="As LaTeX, with tables of booktabs.")
    ] = False,
) -> None:
    """Say as Markdown what a run's heatmap shows: phases, crossing, a sentence for each row."""
    from mlxjsd.output.markdown import report
    from mlxjsd.output.writing import LaTeX, Markdown

    write = LaTeX() if latex else Markdown()
    print(report(read(folder, match, reliance_threshold, aliases), by, metric, write))


@app.command(short_help="Compare runs, or a run with a published figure.")
def compare(
    runs: options.RunFolders,
    reference: Annotated[
        str | None,
        typer.Option(
            help="A published figure, such as llama-3-8b-fa, in place of another run.",
            autocompletion=completion.figures,
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Only the prompts of one category: FA, AH or UH.")
    ] = None,
    metric: options.Metric = JSD.key,
    aliases: options.AliasTable = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Draw them here, or write every change as .csv."),
    ] = None,
    width: options.Width = None,
    font_size: options.FontSize = None,
    dpi: options.Dpi = 200,
) -> None:
    """Compare runs with the first one, or a run with a published figure.

    Two are compared by rank, by distance and by phase as well. Changes of cells and of answers
    are counted prompt by prompt, such as between precisions of one model.
    """
    if (len(runs) < 2) == (reference is None):
        raise InputError(
            "compare takes a second run folder or --reference, one of the two",
            hint="give one of them",
        )
    page = None
    if output is not None:
        from mlxjsd.output.page import Page

        page = Page(width, font_size, dpi=dpi)
    if len(runs) > 1:
        compare_runs(runs, category, metric, output, aliases, page)
        return
    from mlxjsd.analysis import compare as comparing
    from mlxjsd.output.markdown import compared, panel_of

    one = panel_of(read(runs[0], aliases=aliases), category, metric)
    result = comparing.compare(one, comparing.published(str(reference)))
    if output is not None:
        from mlxjsd.output.figure import plot_comparison, save_figure

        save_figure(plot_comparison(result, page=page), output)
    print(compared(result))


def compare_runs(
    folders: Sequence[Path],
    category: str | None = None,
    metric: str = JSD.key,
    output: Path | None = None,
    aliases: str | None = None,
    page: "Page | None" = None,
) -> None:
    """Print what runs changed from the first of them; draw it, or write it as a table."""
    from mlxjsd.analysis.compare import compare as compare_panels
    from mlxjsd.files import write_whole
    from mlxjsd.output.changes import (
        changes_csv,
        changes_of,
        changes_text,
        named_runs,
        of_shared_prompts,
    )
    from mlxjsd.output.markdown import compared, of_category, panel_of

    read_runs = [read(folder, aliases=aliases) for folder in folders]
    runs = of_shared_prompts(named_runs(read_runs, [str(folder) for folder in folders]))
    panels = {name: panel_of(run, category, metric) for name, run in runs.items()}
    one_model = len({(run.grid.rows, run.grid.layers) for run in read_runs}) == 1
    parts: list[str] = []
    changed: list[Change] = []
    beside = compare_panels(*panels.values()) if len(runs) == 2 else None
    if beside is not None:
        parts.append(compared(beside))
    if one_model or len(runs) > 2:
        shared, changed = changes_of(runs, metric, category)
        parts.append(changes_text(runs, shared, changed))
    if output is not None and output.suffix.lower() == ".csv":
        write_whole(output, changes_csv(changed).encode())
    elif output is not None:
        from mlxjsd.output.figure import plot_comparison, plot_groups, save_figure

        if beside is not None:
            drawn = plot_comparison(beside, page=page)
        else:
            heatmaps = {
                name: of_category(run, category).heatmap(metric=metric)
                for name, run in runs.items()
            }
            drawn = plot_groups(heatmaps, columns=len(heatmaps), page=page)
        save_figure(drawn, output)
    print("\n\n".join(parts))


@app.command(
    short_help="Write a run's numbers to a file: tables, arrays, answers.",
    help=f"Write a run's numbers as {EXPORTS}.",
)
def export(
    folder: options.RunFolder,
    output: options.OutputFile,
    tidy: Annotated[
        bool, typer.Option("--tidy", help="Every prompt's cells in .csv, a line each.")
    ] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Of a damaged run, all that can be trusted (.json).")
    ] = False,
) -> None:
    """Write a run's numbers to a file."""
    from mlxjsd.output.export import export_run, export_salvaged

    if salvage:
        from mlxjsd.store.recovery.salvage import salvage_run

        saved = salvage_run(folder)
        export_salvaged(saved, output)
        lost = "how many are lost is not known" if saved.lost is None else f"{saved.lost} are lost"
        print(f"{len(saved.run.records)} prompts can be trusted, {lost}", file=sys.stderr)
    else:
        from mlxjsd.store.reader import read_run

        export_run(read_run(folder), output, tidy)
    print(output)


@app.command(short_help="Join what several machines have measured of one run.")
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
    text = f"{merged.added} prompts are new, {merged.done} of {merged.total} are there"
    talk.print(text, markup=False)
    if merged.machines > 1:
        talk.print("they were measured by different versions or devices", markup=False)
    if merged.finished:
        from mlxjsd.output.artifacts import write_products

        write_products(output)
    else:
        talk.print("`mlxjsd run` with the same options and this --output goes on", markup=False)
    print(output)
