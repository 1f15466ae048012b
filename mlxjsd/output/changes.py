"""What several runs of the same prompts changed, as Markdown, as a table, and as one picture."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlxjsd.analysis.answers import CATEGORY_NAMES
from mlxjsd.analysis.changes import Change, Measured, Move, changes, in_all
from mlxjsd.analysis.compare import both_labels
from mlxjsd.analysis.effects import Effect
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.output.disagreement import disagreement_text
from mlxjsd.output.export import text_cell
from mlxjsd.output.writing import markdown_table
from mlxjsd.results import Run
from mlxjsd.text import clean, plain

#: Prompts that are listed for each run; a table in a file has all of them.
LISTED = 10
_CATEGORIES = tuple(CATEGORY_NAMES)


def named_runs(runs: Sequence[Run], folders: Sequence[str]) -> dict[str, Run]:
    """Give runs the names that tell them apart: their precision or, failing that, their folder.

    Raises:
        InputError: if one of them has measured nothing.
    """
    for run, folder in zip(runs, folders, strict=True):
        if not run.records:
            raise InputError(
                f"{folder} has measured nothing yet", hint=f"go on with `mlxjsd resume {folder}`"
            )
    by_precision = _apart(
        [clean(str(run.model.get("quantization") or run.model.get("dtype"))) for run in runs]
    )
    names = by_precision if len(set(by_precision)) == len(runs) else [clean(f) for f in folders]
    return {name if names.count(name) == 1 else f"{name} ({n})": run
            for n, (name, run) in enumerate(zip(names, runs, strict=True), 1)}  # fmt: skip


def _apart(names: Sequence[str]) -> list[str]:
    """Leave out of names such as "4 bits, groups of 64" what all of them say."""
    parts = [name.split(", ") for name in names]
    alike = set.intersection(*map(set, parts))
    short = [", ".join(part for part in own if part not in alike) for own in parts]
    return short if all(short) else list(names)


def of_shared_prompts(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Return the runs with the prompts that all of them have measured, and no others.

    Raises:
        InputError: if there is no such prompt.
    """
    found = in_all({name: run.records for name, run in runs.items()})
    pairs = zip(runs.items(), found, strict=True)
    return {name: replace(run, records=records) for (name, run), records in pairs}


def changes_of(
    runs: Mapping[str, Run],
    metric: str = JSD.key,
    category: str | None = None,
    effect: Effect | None = None,
) -> tuple[int, list[Change]]:
    """Compare runs with the first of them; see :func:`mlxjsd.analysis.changes.changes`.

    Args:
        runs: at least two, by name.
        metric: one that all have measured.
        category: only the prompts that are of this one in the first run.
        effect: of which the changes are; None for the numbers as they were measured.

    Raises:
        InputError: if they cannot be compared.
    """
    measured = []
    for number, (name, run) in enumerate(runs.items()):
        records = run.records
        if category is not None and not number:
            records = run.groups("category").get(category, [])
        run.heatmap(metric=metric, effect=effect)  # or say that there is none
        asked = run.labelling
        threshold = run.labels().threshold if not number else asked.reliance_threshold
        measured.append(
            Measured(name, records, run.grid, asked.match, threshold, asked.aliases, run.judgements)
        )
    return changes(measured, metric, effect)


def changes_text(runs: Mapping[str, Run], shared: int, found: Sequence[Change]) -> str:
    """Return what changed as Markdown: cells by row, categories, and prompts that moved."""
    first = next(iter(runs))
    parts = [f"{shared} prompts are in all runs; changes are from {plain(first)}."]
    cells = [row for change in found for row in _cell_rows(change)]
    header = ("Run", "Row", "Mean change", "Largest change", "First layer that differs", "Layers")
    parts.append(markdown_table(header, cells))
    parts.append("A cell differs where its 95 % interval, over prompts, leaves 0 out.")
    occurring = {kind for change in found for pair in change.counts for kind in pair}
    present = [kind for kind in _CATEGORIES if kind in occurring]
    if present:
        ways = [(a, b) for a in present for b in present]
        named = (a if a == b else f"{a} to {b}" for a, b in ways)
        counts = [(c.name, *(str(c.counts[way]) for way in ways)) for c in found]
        parts.append(markdown_table(("Run", *named), counts))
    parts.append(disagreement_text(first, runs[first].grid, found))
    for change in found:
        if change.moves:
            parts.append(_moved(change))
    return "\n\n".join(parts)


def _cell_rows(change: Change) -> list[tuple[str, ...]]:
    rows = []
    for at, names in enumerate(change.pairing.rows):
        values, name = change.mean[at], both_labels(*names)
        if not np.isfinite(values).any():
            rows.append((plain(change.name), plain(name), *["n/a"] * 4))
            continue
        layer = int(np.nanargmax(np.abs(values)))
        low, high = change.interval[:, at, layer]
        between = "" if np.isnan(low) else f" [{low:+.3f}, {high:+.3f}]"
        first, differing = change.first_layer(at), int(change.differs[at].sum())
        rows.append(
            (
                plain(change.name),
                plain(name),
                f"{np.nanmean(values):+.4f}",
                f"{values[layer]:+.3f}{between} at layer {layer}",
                "none" if first is None else str(first),
                f"{differing} of {int(np.isfinite(values).sum())}",
            )
        )
    return rows


def _moved(change: Change) -> str:
    rows = [_move_row(move) for move in change.moves[:LISTED]]
    text = f"## {plain(change.name)}: {len(change.moves)} answers of another category\n\n"
    if len(change.moves) > LISTED:
        text += f"The first {LISTED}; `-o changes.csv` writes all of them.\n\n"
    return text + markdown_table(("Prompt", "Accepted", "Before", "Now"), rows)


def _move_row(move: Move) -> tuple[str, ...]:
    before, now = (
        f"{kind}: {plain(record.answer or record.prediction)}"
        for kind, record in zip(move.categories, (move.before, move.after), strict=True)
    )
    accepted = plain(", ".join(move.before.answers[:2]))
    return plain(move.before.text), accepted, before, now


def changes_csv(found: Sequence[Change]) -> str:
    """Return every cell's change with its interval and test, then every prompt that moved, as CSV.

    ``p`` and ``q`` are of the paired sign-flip test; ``intervals_part`` says that the 95 %
    intervals of both runs have no number in common; ``other_row`` is what a row is compared with.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ("run", "row", "layer", "change", "low", "high", "differs")
    writer.writerow((*columns, "n", "p", "q", "intervals_part", "other_row"))
    for change in found:
        tested, parted = change.sensitivity.tested, change.sensitivity.parted
        for at, (key, other) in enumerate(change.pairing.rows):
            for layer in np.flatnonzero(np.isfinite(change.mean[at])):
                place = at, layer
                numbers = (change.mean[place], *change.interval[:, at, layer])
                texts = [f"{number:.8g}" for number in numbers]
                sure = [f"{number:.8g}" for number in (tested.p[place], tested.q[place])]
                more = int(tested.counts[place]), *sure, int(parted[place]), _cell(other)
                differs = int(change.differs[place])
                writer.writerow((_cell(change.name), _cell(key), layer, *texts, differs, *more))
    writer.writerow(())
    writer.writerow(("run", "prompt", "before", "now", "answer before", "answer now"))
    for change in found:
        for move in change.moves:
            answers = (move.before.answer or "", move.after.answer or "")
            texts = [_cell(text) for text in (change.name, move.before.text)]
            writer.writerow((*texts, *move.categories, *map(_cell, answers)))
    return out.getvalue()


def _cell(text: str) -> str:
    return text_cell(clean(text))
