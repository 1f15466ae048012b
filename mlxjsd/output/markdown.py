"""The reading of a run, as Markdown or LaTeX: counts, phases, and a sentence for each row."""

from collections.abc import Sequence
from dataclasses import replace

from mlxjsd.analysis.answers import (
    CATEGORY_NAMES,
    Labels,
    said_of_shifts,
    side_changes,
    why_no_threshold,
)
from mlxjsd.analysis.compare import Comparison, Panel, comparison_lines
from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.findings import (
    METHOD_OF_CONTROLS,
    METHOD_OF_GROUPS,
    control_sentences,
    group_sentences,
    peak_sentences,
)
from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.phases import reading, reading_table
from mlxjsd.analysis.role_findings import role_sentences
from mlxjsd.analysis.significance import against_controls, between_groups
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, Metric
from mlxjsd.output.marks import fewer_note, left_out_sentence
from mlxjsd.output.significance import has_controls
from mlxjsd.output.writing import Markdown, markdown_table
from mlxjsd.prompts.flags import flag_sentences
from mlxjsd.results import Record, Run
from mlxjsd.row_names import label
from mlxjsd.text import clean, plain

#: What the authors of the labels say of them themselves.
_CIRCULAR = (
    "These labels come from masking attention to the subject, so Attn. is partly circular: it "
    "shows in part what the labels were made by. Subj. and Last. are the independent evidence."
)


def report(
    run: Run,
    by: str | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
    write: Markdown | None = None,
) -> str:
    """Return the reading of ``run``, or of each of its groups; see :mod:`mlxjsd.analysis.phases`.

    Of another metric than JSD, and of effects, it is where each row is farthest from 0. What is
    sure stands below: the intervals of the peaks, rows against their controls, and groups against
    each other. ``write`` says as what it is written; None for Markdown.

    Raises:
        InputError: for a run that has measured nothing, not this metric or no such effect, or an
            unknown ``by``.
    """
    if not run.records:
        raise InputError(
            "nothing has been measured yet, so there is nothing to read",
            hint="go on with `mlxjsd resume`",
        )
    write = write or Markdown()
    name = clean(str(run.model["name"]))
    parts = [write.title(f"{name}, {len(run.records)} of {run.total} prompts", 1)]
    if counts := _counts(run, write):
        parts.append(counts)
    if flagged := flag_sentences([r.flags for r in run.records]):
        parts.append(write.sentences(" ".join(flagged)))
    if run.floor_warning:
        parts.append(write.sentences(run.floor_warning))
    if run.failed:
        said = f"{len(run.failed)} prompts could not be measured and are not among these."
        parts.append(write.sentences(said))
    if by is None:
        heatmap = run.heatmap(metric=metric, effect=effect)
        parts += [_reading(heatmap, write), *_sure(run, run.records, heatmap, write)]
        parts += _sites(run, run.records, heatmap, write)
        return "\n\n".join([*parts, *_methods(run, write)])
    groups = run.named_groups(by)
    for name, heatmap in run.heatmap(by=by, metric=metric, effect=effect).items():
        parts += [write.title(f"{name}, n = {heatmap.count}", 2), _reading(heatmap, write)]
        parts += _sure(run, groups[name], heatmap, write)
        parts += _sites(run, groups[name], heatmap, write)
    cells = {name: run.cells(metric, effect, records) for name, records in groups.items()}
    if tested := between_groups(cells, run.grid.rows):
        named = {name: write.foreign(name) for name in groups}
        sure = group_sentences(tested, run.grid.measured_layers, named)
        parts += [write.title("Between groups", 2), write.listed(sure)]
        parts.append(write.sentences(METHOD_OF_GROUPS))
    return "\n\n".join([*parts, *_methods(run, write)])


def _methods(run: Run, write: Markdown) -> list[str]:
    """Say how rows were tested against controls, if there are controls."""
    return [write.sentences(METHOD_OF_CONTROLS)] if has_controls(run) else []


def _sure(run: Run, records: Sequence[Record], heatmap: Heatmap, write: Markdown) -> list[str]:
    """Say where rows peak, and where they are beyond their controls."""
    cells = run.cells(heatmap.metric, heatmap.effect, records)
    said = peak_sentences(heatmap, cells)
    tested = against_controls(cells, run.grid.rows)
    if tested is not None:
        said += control_sentences(tested, heatmap)
    listed = [write.listed(said)] if said else []
    notes = fewer_note(heatmap), left_out_sentence(heatmap)
    return listed + [write.sentences(note) for note in notes if note]


def _sites(run: Run, records: Sequence[Record], heatmap: Heatmap, write: Markdown) -> list[str]:
    """Say which tokens the maps show, if there are maps."""
    said = role_sentences(records, run.grid, heatmap.metric, heatmap.effect)
    return [write.listed(said)] if said else []


def of_category(run: Run, category: str | None) -> Run:
    """Return a run with its prompts of one category alone; None for all of them.

    Raises:
        InputError: where there is no such prompt.
    """
    if category is None:
        return run
    records = run.groups("category").get(category, [])
    if not records:
        raise InputError(
            f"{run.model['name']} has no prompt of category {category}",
            hint="see `mlxjsd show --by category` for those that it has",
        )
    return replace(run, records=records)


def panel_of(
    run: Run,
    category: str | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
) -> Panel:
    """Return the heatmap of a run, or of one category of it, to be compared.

    Raises:
        InputError: where there is no such prompt, or if the run did not measure this metric, or
            does not hold this effect.
    """
    heatmap = of_category(run, category).heatmap(metric=metric, effect=effect)
    name = f"{clean(run.model['name'])}, n = {heatmap.count}"
    if heatmap.left_out:
        name += f", {heatmap.left_out} left out"
    named = f"{name}, {CATEGORY_NAMES.get(category, category)}" if category else name
    return Panel(named, heatmap.mean, rows=heatmap.rows, metric=metric, effect=effect)


def compared(comparison: Comparison) -> str:
    """Return a comparison as Markdown."""
    difference = f"Mean |difference|{_unit(comparison.a.described)}"
    header = ("Row", "Rank correlation", difference, "Layers", "High in A / B", "Agree")
    told = [f"A: {plain(comparison.a.name)}", f"B: {plain(comparison.b.name)}"]
    told += [f"   {panel.source}" for panel in (comparison.a, comparison.b) if panel.source]
    if any(panel.at_most is not None for panel in (comparison.a, comparison.b)):
        told.append("Cells at the lowest tick of a published scale are at most that; left out.")
    if comparison.relative:
        told.append("The depths differ: layers are compared by their share of the depth.")
    told += only_rows(("A", "B"), comparison.only)
    return "\n".join(told) + "\n\n" + markdown_table(header, comparison_lines(comparison))


def only_rows(names: tuple[str, str], only: tuple[tuple[str, ...], tuple[str, ...]]) -> list[str]:
    """Name the rows that one of two runs has alone; an empty list if there is none."""
    return [
        f"Rows that only {name} has: {', '.join(map(label, rows))}".rstrip(".") + "."
        for name, rows in zip(names, only, strict=True)
        if rows
    ]


def _unit(metric: Metric) -> str:
    """Return the unit of a metric as the end of a heading; "" for none."""
    return f" ({metric.unit})" if metric.unit else ""


def _reading(heatmap: Heatmap, write: Markdown) -> str:
    if not heatmap.raw_jsd:
        name = write.foreign(f"{heatmap.described.label}{_unit(heatmap.described)}")
        peaks = [(write.foreign(label(p.row)), f"{p.value:.3f}", str(p.layer))
                 for p in heatmap.peaks()]  # fmt: skip
        return write.table(("Row", f"Peak {name}", "Layer"), peaks, strong=True)
    header = (
        "Category",
        "Peak Divergence Phase",
        "Peak Value (Approx)",
        "Low Divergence Phase",
    )
    rows = [(write.foreign(row[0]), *row[1:]) for row in reading_table(heatmap)]
    table = write.table(header, rows, strong=True)
    return table + "\n\n" + write.sentences(" ".join(reading(heatmap)))


def _counts(run: Run, write: Markdown) -> str:
    labels = run.labels()
    if not labels.present():
        return ""
    rows = [
        (category, CATEGORY_NAMES[category], str(labels.count(category)))
        for category in labels.present()
    ]
    table = write.table(("", "Answers", "Prompts"), rows)
    about = write.sentences(" ".join(_about_labels(run, labels, write)))
    return "\n\n".join([table, about, write.sentences(_CIRCULAR)])


def _about_labels(run: Run, labels: Labels, write: Markdown) -> list[str]:
    """Return sentences about the threshold, and about who has judged."""
    judged = [write.foreign(run.judged)] if run.judged else []
    if run.labelling.aliases is not None:
        name = write.foreign(run.labelling.aliases.name)
        judged.append(f"Accepted answers have the aliases of {name}.")
    if labels.threshold is None:
        why = why_no_threshold(run.records)
        return [f"{why[0].upper()}{why[1:]}.", *judged]
    how = "as given" if labels.given else "the mean over the factual associations"
    shifts = said_of_shifts(side_changes(run.records, labels))
    return [
        f"Reliance threshold: {labels.threshold:.3f} nats, {how}.",
        f"{shifts[0].upper()}{shifts[1:]}.",
        *judged,
    ]
