"""The commands that read a run: show, plot, summary, compare, export, merge."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlxjsd.cli import averages, options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import console_for, effect_of, read, show_run
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.output.writers import EXPORTS, FIGURES, is_report

if TYPE_CHECKING:
    from mlxjsd.analysis.changes import Change
    from mlxjsd.analysis.effects import Effect


@app.command()
def show(
    folder: options.RunFolder,
    by: options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
    metric: options.Metric = JSD.key,
    effect: averages.Effect = None,
    least_total: averages.LeastTotal = None,
) -> None:
    """Print a run's heatmap, the peak of each row, the noise floor, and what they say."""
    asked = effect_of(effect, least_total)
    show_run(folder, by, match, reliance_threshold, metric, aliases, asked)


@app.command(
    help=f"Draw a run's heatmap as {FIGURES}; with --by, a panel for each group. A .html file "
    "is a report.",
)
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
    aliases: options.AliasTable = None,
    metric: options.Metric = JSD.key,
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
) -> None:
    """Draw a run's heatmap, or one for each group."""
    from mlxjsd.output.curves import plot_curves
    from mlxjsd.output.figure import (
        Style,
        plot_groups,
        plot_run,
        save_figure,
        title_of,
    )
    from mlxjsd.output.marks import group_marks

    style, asked = Style(vmin, vmax, cmap), effect_of(effect, least_total)
    run = read(folder, match, reliance_threshold, aliases)
    if is_report(output):
        from mlxjsd.output.report.write import write_report

        if kind != "heatmap" or style != Style() or asked is not None or significance:
            raise InputError(
                "a .html file shows heatmaps as they were measured, in its own colours",
                hint="leave out --kind, --effect, --significance, --vmin, --vmax and --cmap, or "
                "name another file",
            )
        write_report(run, output, by, metric)
        print(output)
        return
    if kind != "heatmap":
        for option, given in (
            ("--by", by is not None),
            ("--metric", metric != JSD.key),
            ("--effect", asked is not None),
            ("--significance", significance),
        ):
            if given:
                raise InputError(
                    f"{option} is for heatmaps",
                    hint="leave it out: the other kinds are curves by category",
                )
        figure = plot_curves(run, kind)
    elif by is None:
        figure = plot_run(run, style, metric, asked, significance)
    else:
        groups = run.heatmap(by=by, metric=metric, effect=asked)
        marks = group_marks(run, by, metric, asked) if significance else None
        figure = plot_groups(groups, title_of(run), style, marks=marks)
    save_figure(figure, output)
    print(output)


@app.command()
def summary(
    folder: options.RunFolder,
    by: options.By = None,
    match: options.ShownMatch = None,
    reliance_threshold: options.RelianceThreshold = None,
    aliases: options.AliasTable = None,
    metric: options.Metric = JSD.key,
    effect: averages.Effect = None,
    least_total: averages.LeastTotal = None,
) -> None:
    """Say as Markdown what a run's heatmap shows, row by row, and what of it is sure."""
    from mlxjsd.output.markdown import report

    asked = effect_of(effect, least_total)
    print(report(read(folder, match, reliance_threshold, aliases), by, metric, asked))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="A [B ...]", help="Run folders.")],
    reference: Annotated[
        str | None,
        typer.Option(help="A published figure, such as llama-3-8b-fa, in place of another run."),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Only the prompts of one category: FA, AH or UH.")
    ] = None,
    metric: options.Metric = JSD.key,
    effect: averages.Effect = None,
    least_total: averages.LeastTotal = None,
    significance: averages.Significance = False,
    aliases: options.AliasTable = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Draw them here, or write every change as .csv or .json."
        ),
    ] = None,
) -> None:
    """Compare runs with the first one, or a run with a published figure.

    Two are compared by rank, by distance and by phase as well. Changes of cells and of answers
    are counted and tested prompt by prompt, such as between precisions of one model, or between
    two corruptions, windows or directions.
    """
    asked = effect_of(effect, least_total)
    if (len(runs) < 2) == (reference is None):
        raise InputError(
            "compare takes a second run folder or --reference, one of the two",
            hint="give one of them",
        )
    if len(runs) > 1:
        compare_runs(runs, category, metric, output, aliases, asked, significance)
        return
    for option, given in (("--effect", asked is not None), ("--significance", significance)):
        if given:
            raise InputError(
                f"{option} needs prompts, and a published figure has averages alone",
                hint="leave it out, or compare two runs",
            )
    from mlxjsd.analysis import compare as comparing
    from mlxjsd.output.markdown import compared, panel_of

    one = panel_of(read(runs[0], aliases=aliases), category, metric)
    result = comparing.compare(one, comparing.published(str(reference)))
    if output is not None and is_report(output):
        from mlxjsd.output.report.write import sides_of, write_comparison

        write_comparison("Two heatmaps compared", sides_of(result), compared(result), output)
    elif output is not None:
        from mlxjsd.output.figure import plot_comparison, save_figure

        save_figure(plot_comparison(result), output)
    print(compared(result))


def compare_runs(
    folders: Sequence[Path],
    category: str | None = None,
    metric: str = JSD.key,
    output: Path | None = None,
    aliases: str | None = None,
    effect: "Effect | None" = None,
    significance: bool = False,
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
    from mlxjsd.output.disagreement import change_marks, disagreement_json
    from mlxjsd.output.markdown import compared, of_category, panel_of

    read_runs = [read(folder, aliases=aliases) for folder in folders]
    runs = of_shared_prompts(named_runs(read_runs, [str(folder) for folder in folders]))
    panels = {name: panel_of(run, category, metric, effect) for name, run in runs.items()}
    one_depth = len({run.grid.layers for run in read_runs}) == 1
    parts: list[str] = []
    changed: list[Change] = []
    shared = len(next(iter(runs.values())).records)
    beside = compare_panels(*panels.values()) if len(runs) == 2 else None
    if beside is not None:
        parts.append(compared(beside))
    if one_depth or len(runs) > 2:
        shared, changed = changes_of(runs, metric, category, effect)
        parts.append(changes_text(runs, shared, changed))
    ending = "" if output is None else output.suffix.lower()
    if output is not None and ending in (".csv", ".json"):
        if not changed:
            raise InputError(
                "the runs are of different depths, so there is no change of a cell to write",
                hint="draw them with -o difference.pdf, or compare runs of one model",
            )
        first = next(iter(runs))
        document = disagreement_json(first, shared, changed, metric, effect)
        written = changes_csv(changed) if ending == ".csv" else json.dumps(document) + "\n"
        write_whole(output, written.encode())
    elif output is not None and is_report(output):
        from mlxjsd.output.report.write import sides_of, sides_of_runs, write_comparison

        if effect is not None or significance:
            raise InputError(
                "a .html file shows heatmaps as they were measured",
                hint="leave out --effect and --significance, or name another file",
            )
        sides = sides_of_runs(runs, category, metric) if beside is None else sides_of(beside)
        title = f"{len(runs)} runs compared"
        write_comparison(title, sides, "\n\n".join(parts), output)
    elif output is not None:
        from mlxjsd.output.figure import plot_comparison, plot_groups, save_figure

        if beside is not None:
            marks = change_marks(changed[0]) if significance and changed else None
            drawn = plot_comparison(beside, marks=marks)
        else:
            heatmaps = {
                name: of_category(run, category).heatmap(metric=metric, effect=effect)
                for name, run in runs.items()
            }
            drawn = plot_groups(heatmaps, columns=len(heatmaps))
        save_figure(drawn, output)
    print("\n\n".join(parts))


@app.command(help=f"Write a run's numbers as {EXPORTS}.")
def export(
    folder: options.RunFolder,
    output: options.OutputFile,
    effect: averages.Effect = None,
    least_total: averages.LeastTotal = None,
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
    from mlxjsd.output.export import export_run, export_salvaged

    if salvage:
        from mlxjsd.store.recovery.salvage import salvage_run

        saved = salvage_run(folder)
        export_salvaged(saved, output)
        lost = "how many are lost is not known" if saved.lost is None else f"{saved.lost} are lost"
        print(f"{len(saved.run.records)} prompts can be trusted, {lost}", file=sys.stderr)
    else:
        from mlxjsd.store.reader import read_run

        export_run(read_run(folder), output, asked)
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
