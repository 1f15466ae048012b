"""The reading of a run as Markdown: counts, a table of phases, and three sentences."""

from collections.abc import Sequence

from mlxjsd.analysis.answers import CATEGORY_NAMES, label, why_no_threshold
from mlxjsd.analysis.compare import Comparison, Panel, comparison_lines
from mlxjsd.analysis.groups import group, heatmaps_by, labelling_of
from mlxjsd.analysis.heatmap import Heatmap, aggregate, floor_warning_of, heatmap_of
from mlxjsd.analysis.phases import reading, reading_table
from mlxjsd.errors import InputError
from mlxjsd.prompts.flags import flag_sentences
from mlxjsd.results import Run
from mlxjsd.text import clean


def report(run: Run, by: str | None = None) -> str:
    """Return the reading of ``run``, or of each of its groups; see :mod:`mlxjsd.analysis.phases`.

    Raises:
        InputError: for a run that has measured nothing, or an unknown ``by``.
    """
    if not run.records:
        raise InputError(
            "nothing has been measured yet, so there is nothing to read",
            hint="go on with `mlxjsd resume`",
        )
    parts = [f"# {clean(run.model['name'])}, {len(run.records)} of {run.total} prompts"]
    if counts := _counts(run):
        parts.append(counts)
    if flagged := flag_sentences([r.flags for r in run.records]):
        parts.append(" ".join(flagged))
    if warning := floor_warning_of(run):
        parts.append(warning)
    if run.failed:
        parts.append(f"{len(run.failed)} prompts could not be measured and are not among these.")
    if by is None:
        parts.append(_reading(heatmap_of(run)))
    else:
        for name, heatmap in heatmaps_by(run, by).items():
            parts += [f"## {clean(name)}, n = {heatmap.count}", _reading(heatmap)]
    return "\n\n".join(parts)


def panel_of(run: Run, category: str | None = None) -> Panel:
    """Return the heatmap of a run, or of one category of it, to be compared.

    Raises:
        InputError: where there is no such prompt.
    """
    records = run.records
    if category is not None:
        records = group(run.records, "category", **labelling_of(run)).get(category, [])
    if not records:
        raise InputError(
            f"{run.model['name']} has no prompt of category {category}",
            hint="see `mlxjsd show --by category` for those that it has",
        )
    name = f"{clean(run.model['name'])}, n = {len(records)}"
    named = f"{name}, {CATEGORY_NAMES.get(category, category)}" if category else name
    return Panel(named, aggregate(records, run.layers).mean)


def compared(comparison: Comparison) -> str:
    """Return a comparison as Markdown."""
    header = ("Row", "Rank correlation", "Mean |difference| (nats)", "High in A / B", "Agree")
    told = [f"A: {comparison.a.name}", f"B: {comparison.b.name}"]
    told += [f"   {panel.source}" for panel in (comparison.a, comparison.b) if panel.source]
    if comparison.relative:
        told.append("The depths differ: layers are compared by their share of the depth.")
    return "\n".join(told) + "\n\n" + markdown_table(header, comparison_lines(comparison))


def markdown_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [header, (":---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _reading(heatmap: Heatmap) -> str:
    header = (
        "Category",
        "Peak Divergence Phase",
        "Peak Value (Approx)",
        "Low Divergence Phase",
    )
    rows = [(f"**{row[0]}**", *row[1:]) for row in reading_table(heatmap.mean)]
    return markdown_table(header, rows) + "\n\n" + " ".join(reading(heatmap.mean))


def _counts(run: Run) -> str:
    labels = label(run.records, **labelling_of(run))
    if not labels.present():
        return ""
    rows = [
        (category, CATEGORY_NAMES[category], str(labels.count(category)))
        for category in labels.present()
    ]
    table = markdown_table(("", "Answers", "Prompts"), rows)
    if labels.threshold is None:
        why = why_no_threshold(run.records)
        return f"{table}\n\n{why[0].upper()}{why[1:]}."
    how = "as given" if labels.given else "the mean over the factual associations"
    return f"{table}\n\nReliance threshold: {labels.threshold:.3f} nats, {how}."
