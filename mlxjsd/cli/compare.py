"""The command that compares runs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlxjsd.cli import averages, completion, options, result_options
from mlxjsd.cli.app import app
from mlxjsd.cli.common import effect_of, read
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.output.writers import is_report

if TYPE_CHECKING:
    from mlxjsd.analysis.changes import Change
    from mlxjsd.analysis.effects import Effect
    from mlxjsd.output.page import Page


@app.command(short_help="Compare runs, or a run with a published figure.")
def compare(
    runs: result_options.RunFolders,
    reference: Annotated[
        str | None,
        typer.Option(
            help="A published figure in place of another run: llama-3-8b-fa; or of a run with maps "
            "rome-gpt2-xl, rome-gpt-j, eiffel-gpt2-xl, ioi-gpt2-small.",
            autocompletion=completion.figures,
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Only the prompts of one category: FA, AH or UH.")
    ] = None,
    prompt: result_options.PromptOfRun = None,
    metric: result_options.Metric = JSD.key,
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
    width: result_options.Width = None,
    font_size: result_options.FontSize = None,
    dpi: result_options.Dpi = 200,
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
    if reference is None and prompt is not None:
        raise InputError(
            "--prompt is for a comparison with published maps", hint="add --reference rome-gpt2-xl"
        )
    page = None
    if output is not None:
        from mlxjsd.output.page import Page

        page = Page(width, font_size, dpi=dpi)
    if len(runs) > 1:
        compare_runs(runs, category, metric, output, aliases, asked, significance, page)
        return
    for option, given in (("--effect", asked is not None), ("--significance", significance)):
        if given:
            raise InputError(
                f"{option} needs prompts, and a published figure has averages alone",
                hint="leave it out, or compare two runs",
            )
    compare_published(runs[0], str(reference), category, prompt, metric, output, aliases, page)


def compare_published(
    folder: Path,
    name: str,
    category: str | None,
    prompt: str | None,
    metric: str,
    output: Path | None,
    aliases: str | None,
    page: "Page | None",
) -> None:
    """Print how a run agrees with published numbers; draw it."""
    from mlxjsd.analysis import compare as comparing
    from mlxjsd.analysis.published import published_map
    from mlxjsd.output.markdown import compared, panel_of
    from mlxjsd.output.reference import compare_map, compared_maps

    maps = published_map(name)
    if maps is not None:
        if metric not in (JSD.key, maps.metric):
            raise InputError(
                f"{name} shows the metric {maps.metric}, not {metric}", hint="leave --metric out"
            )
        if output is not None and is_report(output):
            raise InputError(
                "a .html file shows the rows of heatmaps, not maps",
                hint="name a .png, .pdf or .svg",
            )
        result = compare_map(read(folder, aliases=aliases), maps, category, prompt)
        said = compared_maps(result, maps)
    else:
        if prompt is not None:
            raise InputError(
                f"--prompt is for published maps, and {name} is a heatmap", hint="leave it out"
            )
        one = panel_of(read(folder, aliases=aliases), category, metric)
        result = comparing.compare(one, comparing.published(name))
        said = compared(result)
    if output is not None and is_report(output):
        from mlxjsd.output.report.write import sides_of, write_comparison

        write_comparison("Two heatmaps compared", sides_of(result), said, output)
    elif output is not None:
        from mlxjsd.output.figure import plot_comparison, save_figure

        save_figure(plot_comparison(result, page=page), output)
    print(said)


def compare_runs(
    folders: Sequence[Path],
    category: str | None = None,
    metric: str = JSD.key,
    output: Path | None = None,
    aliases: str | None = None,
    effect: "Effect | None" = None,
    significance: bool = False,
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
            drawn = plot_comparison(beside, marks=marks, page=page)
        else:
            heatmaps = {
                name: of_category(run, category).heatmap(metric=metric, effect=effect)
                for name, run in runs.items()
            }
            drawn = plot_groups(heatmaps, columns=len(heatmaps), page=page)
        save_figure(drawn, output)
    print("\n\n".join(parts))
