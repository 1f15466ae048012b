"""The commands that read a run: show, plot, summary, export, merge."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mlxjsd.cli import averages, completion, maps, options, result_options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, effect_of, read, show_run
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.output.writers import EXPORTS, FIGURES, is_report


@app.command(short_help="Print a run's heatmap, its peaks, and what they say.")
def show(
    folder: result_options.RunFolder,
    by: result_options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
    metric: result_options.Metric = JSD.key,
    effect: averages.Effect = None,
    least_total: averages.LeastTotal = None,
    kind: Annotated[
        str, typer.Option(help="heatmap; or of a run with maps: map, of one prompt, or roles.")
    ] = "heatmap",
    prompt: result_options.PromptOfRun = None,
    map: result_options.Maps = None,
) -> None:
    """Print a run's heatmap, the peak of each row, the noise floor, and what they say."""
    if kind not in ("heatmap", maps.MAP, maps.ROLES):
        raise InputError(
            f"--kind is heatmap, {maps.MAP} or {maps.ROLES}, not {kind!r}", hint="give one of them"
        )
    asked = effect_of(effect, least_total)
    wanted = maps.asked_of(kind, prompt, map, by, metric, asked)
    if wanted is None:
        show_run(folder, by, match, reliance_threshold, metric, aliases, asked)
    else:
        wanted.show(read(folder, match, reliance_threshold, aliases), console_for())


@app.command(
    short_help="Draw a run's heatmap as a figure, or its lines.",
    help=f"Draw a run's heatmap as {FIGURES}; with --by, a panel for each group. A .html file "
    "is a report.",
)
def plot(
    folder: result_options.RunFolder,
    output: result_options.OutputFile,
    by: result_options.By = None,
    kind: Annotated[
        str,
        typer.Option(
            help="heatmap, lines; of a run with maps: map, roles; by category: norms, cosine, "
            "probability.",
            autocompletion=completion.kinds,
        ),
    ] = "heatmap",
    prompt: result_options.PromptOfRun = None,
    map: result_options.Maps = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
    metric: result_options.Metric = JSD.key,
    effect: averages.Effect = None,
    least_total: averages.LeastTotal = None,
    significance: averages.Significance = False,
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
    width: result_options.Width = None,
    font_size: result_options.FontSize = None,
    no_title: result_options.NoTitle = False,
    dpi: result_options.Dpi = 200,
) -> None:
    """Draw a run's heatmap, or one for each group."""
    from mlxjsd.output.curve_figure import LINES, plot_curves, plot_lines
    from mlxjsd.output.figure import plot_groups, plot_run, save_figure, title_of
    from mlxjsd.output.marks import group_marks
    from mlxjsd.output.page import Page
    from mlxjsd.output.style import Style

    style, page = Style(vmin, vmax, cmap), Page(width, font_size, not no_title, dpi)
    asked = effect_of(effect, least_total)
    wanted = maps.asked_of(kind, prompt, map, by, metric, asked)
    run = read(folder, match, reliance_threshold, aliases)
    if is_report(output):
        from mlxjsd.output.report.write import write_report

        drawn = kind != "heatmap" or style != Style() or page != Page(dpi=dpi)
        if drawn or asked is not None or significance:
            raise InputError(
                "a .html file shows heatmaps as they were measured, in its own colours",
                hint="leave out --kind, --effect, --significance, and what is of a picture, or "
                "name another file",
            )
        write_report(run, output, by, metric)
        print(output)
        return
    if kind != "heatmap" and significance:
        raise InputError(
            "--significance is for heatmaps, whose cells it marks",
            hint="leave it out: the bands of --kind lines are 95 % intervals",
        )
    if wanted is not None:
        figure = wanted.figure(run, style, page)
    elif kind == LINES:
        figure = plot_lines(run, by, metric, style, page, asked)
    elif kind != "heatmap":
        for option, given in (
            ("--by", by is not None),
            ("--metric", metric != JSD.key),
            ("--effect", asked is not None),
        ):
            if given:
                raise InputError(
                    f"{option} is for heatmaps and lines",
                    hint="leave it out: the other kinds are curves by category",
                )
        figure = plot_curves(run, kind, page)
    elif by is None:
        figure = plot_run(run, style, metric, asked, significance, page)
    else:
        groups = run.heatmap(by=by, metric=metric, effect=asked)
        marks = group_marks(run, by, metric, asked) if significance else None
        figure = plot_groups(groups, title_of(run), style, marks=marks, page=page)
    save_figure(figure, output)
    print(output)


@app.command(short_help="Say as Markdown or LaTeX what a heatmap shows.")
def summary(
    folder: result_options.RunFolder,
    by: result_options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
    metric: result_options.Metric = JSD.key,
    effect: averages.Effect = None,
    least_total: averages.LeastTotal = None,
    latex: Annotated[
        bool, typer.Option("--latex", help="As LaTeX, with tables of booktabs.")
    ] = False,
) -> None:
    """Say as Markdown what a run's heatmap shows, row by row, and what of it is sure."""
    from mlxjsd.output.markdown import report
    from mlxjsd.output.writing import LaTeX, Markdown

    asked, write = effect_of(effect, least_total), LaTeX() if latex else Markdown()
    print(report(read(folder, match, reliance_threshold, aliases), by, metric, asked, write))


@app.command(
    short_help="Write a run's numbers to a file: tables, arrays, answers.",
    help=f"Write a run's numbers as {EXPORTS}.",
)
def export(
    folder: result_options.RunFolder,
    output: result_options.OutputFile,
    effect: averages.Effect = None,
    least_total: averages.LeastTotal = None,
    tidy: Annotated[
        bool, typer.Option("--tidy", help="Every prompt's cells in .csv, a line each.")
    ] = False,
    maps: Annotated[
        bool, typer.Option("--maps", help="Every prompt's maps in .csv or .parquet.")
    ] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Of a damaged run, all that can be trusted (.json).")
    ] = False,
) -> None:
    """Write a run's numbers to a file."""
    asked = effect_of(effect, least_total)
    if salvage and asked is not None:
        raise InputError(
            "what is saved of a damaged run are the numbers as they were measured",
            hint="leave --effect out",
        )
    if salvage and maps:
        raise InputError(
            "--salvage writes everything that is left, maps among it", hint="leave --maps out"
        )
    from mlxjsd.output.export import export_run, export_salvaged

    if salvage:
        from mlxjsd.store.recovery.salvage import salvage_run

        saved = salvage_run(folder)
        export_salvaged(saved, output)
        lost = "how many are lost is not known" if saved.lost is None else f"{saved.lost} are lost"
        print(f"{len(saved.run.records)} prompts can be trusted, {lost}", file=sys.stderr)
    else:
        from mlxjsd.store.reader import read_run

        export_run(read_run(folder), output, asked, tidy, maps)
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
