"""A run's maps beside published ones: by role or, where the tokens are those, token by token."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlxjsd.analysis.compare import Comparison, Panel
from mlxjsd.analysis.compare import compare as compare_panels
from mlxjsd.analysis.heatmap import known_means
from mlxjsd.analysis.published import PublishedMap
from mlxjsd.analysis.roles import average_roles
from mlxjsd.analysis.token_map import token_map
from mlxjsd.errors import InputError
from mlxjsd.maps import label
from mlxjsd.output.markdown import of_category
from mlxjsd.output.writing import markdown_table
from mlxjsd.records import Record
from mlxjsd.results import Run
from mlxjsd.roles import ROLES
from mlxjsd.text import clean, plain


def compare_map(
    run: Run,
    reference: PublishedMap,
    category: str | None = None,
    prompt: str | int | None = None,
) -> Comparison:
    """Compare a run's maps with published ones, in the published metric and effect.

    Where every prompt has as many tokens of the subject and behind it as the published one, they
    are compared token by token; else by role, with the roles counted as they were there.

    Args:
        run: one that measured the same map and metric.
        reference: what it is compared with.
        category: only the prompts of this one, FA, AH or UH.
        prompt: only this one: its id, or its number from 1.

    Raises:
        InputError: if the run did not measure what was published, or has no such prompt.
    """
    if reference.metric not in run.grid.metrics:
        raise InputError(
            f"{reference.name} shows the metric {reference.metric}, which the run did not measure",
            hint=f"measure it with --metrics {reference.metric}",
        )
    if reference.map not in run.grid.maps:
        raise InputError(
            f"{reference.name} shows the map {reference.map}, which the run did not measure",
            hint="measure it with --map residual --direction denoising",
        )
    if prompt is not None and category is not None:
        raise InputError("--prompt and --category are two choices", hint="leave one of them out")
    chosen = of_category(run, category) if prompt is None else None
    records = [run.prompt(prompt)] if chosen is None else chosen.records
    if not records:
        raise InputError("the run holds no prompt yet", hint="go on with `mlxjsd resume`")
    known: dict[str, Any] = {"metric": reference.metric, "effect": reference.effect}
    name = f"{clean(str(run.model['name']))}, {label(reference.map)}"
    if _same_tokens(records, reference):
        rows = tuple(map(str, range(len(reference.tokens))))
        names = tuple(text.strip() for text in reference.tokens)
        maps = [token_map(record, reference.map, **known) for record in records]
        cells = np.stack([found.mean[-len(rows) :] for found in maps])
        mean, counted = known_means(cells), sum(found.left_out == 0 for found in maps)
        one = Panel(f"{name}, n = {counted}", mean[0], rows=rows, names=names, **known)
        values = reference.values
    else:
        found = average_roles(records, run.grid, reference.map, once=reference.once, **known)
        rows, names, values = found.rows, found.labels, reference.by_role()
        one = Panel(f"{name}, n = {found.count}", found.mean, rows=rows, names=names, **known)
    if not np.isfinite(one.mean).any():
        raise InputError(
            f"no prompt has a number of what {reference.name} shows, such as for a total effect "
            "that is too small to be divided by",
            hint=f"see `mlxjsd show --kind roles --metric {reference.metric}`",
        )
    other = Panel(reference.title, values, reference.source, rows, names=names, **known)
    return compare_panels(one, other)


def _same_tokens(records: Sequence[Record], reference: PublishedMap) -> bool:
    """Say whether all prompts have as many tokens as the published one, from the subject on."""
    after = len(reference.tokens) - reference.subject
    spans = {
        (end - start, len(record.tokens) - end)
        for record in records
        for start, end in [record.subject_span]
    }
    return bool(reference.tokens) and spans == {(reference.subject, after)}


def compared_maps(comparison: Comparison, reference: PublishedMap) -> str:
    """Return a comparison with a published map as Markdown: peaks side by side, and where most is
    apart."""
    a, b = comparison.a, comparison.b
    shown = a.described
    told = [f"A: {plain(a.name)}", f"B: {plain(b.name)}", f"   {b.source}"]
    told += [f"   {plain(said)}" for said in reference.differs]
    if comparison.relative:
        deeper = max(a.mean.shape[1], b.mean.shape[1])
        told.append(
            "The depths differ: layers are compared by their share of the depth, and numbered as "
            f"those of the deeper model, which has {deeper}."
        )
    unit = f" ({shown.unit})" if shown.unit else ""
    by = "Role" if set(a.rows) <= set(ROLES) else "Token"
    header = (by, "Rank correlation", f"Mean |difference|{unit}", "Most apart", "Peak of A",
              "Peak of B")  # fmt: skip
    lines = []
    rows = zip(comparison.rows, a.labels, a.mean, b.mean, comparison.difference, strict=True)
    for row, name, x, y, apart in rows:
        difference = "n/a" if np.isnan(row.difference) else f"{row.difference:.3f}"
        correlation = "n/a" if np.isnan(row.correlation) else f"{row.correlation:.2f}"
        lines.append(
            (plain(name), correlation, difference, _farthest(apart), _farthest(x), _farthest(y))
        )
    table = markdown_table(header, lines)
    return "\n".join(told) + f"\n\nEach number is the {shown.label}.\n\n{table}"


def _farthest(values: np.ndarray) -> str:
    """Return the number that is farthest from 0, and at which layer."""
    if not np.isfinite(values).any():
        return "n/a"
    layer = int(np.nanargmax(np.abs(values)))
    return f"{values[layer]:+.3f} at {layer}"
