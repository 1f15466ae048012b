"""The heatmap and its numbers on a terminal, as Rich renderables."""

from collections import Counter
from collections.abc import Callable

import numpy as np
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from mlxjsd.analysis.answers import (
    CATEGORY_NAMES,
    said_of_shifts,
    side_changes,
    why_no_threshold,
)
from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.analysis.phases import reading
from mlxjsd.metrics import JSD, described
from mlxjsd.output.colours import hex_of, level_of, map_for, ramp, shade, signed_shade
from mlxjsd.prompts.flags import flag_sentences
from mlxjsd.results import Run
from mlxjsd.rows import FLOOR, label
from mlxjsd.text import clean

#: Columns of the shortest label.
_LABEL = 6
#: Columns of the colour scale.
_SCALE = 16


def heatmap_text(
    heatmap: Heatmap,
    width: int,
    colour: bool = True,
    scale: tuple[float, float] | None = None,
) -> Text:
    """Return the heatmap as lines of ``width`` columns: rows, layer numbers, and the scale.

    ``scale`` holds the numbers at both ends of the colours; None for those of
    :func:`mlxjsd.analysis.heatmap.scale_of`.
    """
    low, high = scale or scale_of([heatmap])
    metric = described(heatmap.metric)
    cell_of = _colours(metric.signed) if colour else _shades(metric.signed)
    labels = [clean(label(key)) for key in heatmap.rows]
    gutter = max(_LABEL, *map(len, labels)) + 1
    cell = max(1, min(4, (width - gutter) // heatmap.layers))
    text = Text()
    measured = np.array(heatmap.measured_layers)
    # A layer that is not measured is drawn as the nearest one that is.
    nearest = [measured[np.abs(measured - layer).argmin()] for layer in range(heatmap.layers)]
    for name, values in zip(labels, heatmap.mean[:, nearest], strict=True):
        text.append(f"{name:<{gutter}}")
        for value in values:
            if np.isnan(value):
                # What does not apply stays blank; what is still to come is dotted.
                text.append((" " if heatmap.count else "·") * cell)
            else:
                text.append_text(cell_of((value - low) / (high - low), cell))
        text.append("\n")
    text.append(f"{'Layer':<{gutter}}")
    every = 2 if cell > 1 else 4
    for layer in range(0, heatmap.layers, every):
        text.append(f"{layer:<{every * cell}}"[: every * cell])
    text.append(f"\n{'scale':<{gutter}}{f'{low:.2f}' if low else '0'} ")
    for step in range(_SCALE):
        text.append_text(cell_of(step / (_SCALE - 1), 1))
    text.append(f" {high:.2f} {metric.unit}".rstrip())
    return text


_Cell = Callable[[float, int], Text]
"""Returns the cell for a share of the scale, so many columns wide."""


def _colours(signed: bool) -> _Cell:
    styles = [Style(bgcolor=hex_of(rgb)) for rgb in ramp(map_for(signed))]
    return lambda share, width: Text(" " * width, style=styles[level_of(share)])


def _shades(signed: bool) -> _Cell:
    if signed:
        return lambda share, width: Text(signed_shade(level_of(share), width))
    return lambda share, width: Text(shade(level_of(share)) * width)


def number(value: float, unit: str = JSD.unit) -> str:
    """Write a number with its unit, or that there is none."""
    return "n/a" if np.isnan(value) else f"{value:.3f} {unit}".rstrip()


def peak_table(heatmap: Heatmap) -> Table:
    """Return each row's peak: value and layer."""
    unit = described(heatmap.metric).unit
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("row")
    table.add_column(f"peak ({unit})" if unit else "peak", justify="right")
    table.add_column("layer", justify="right")
    for peak in heatmap.peaks():
        table.add_row(clean(label(peak.row)), f"{peak.value:.3f}", str(peak.layer))
    return table


def count_table(run: Run) -> Table | None:
    """Return how many prompts are of each category, like the paper's Table 1; None without any."""
    labels = run.labels()
    if not labels.present():
        return None
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("answers")
    table.add_column("prompts", justify="right")
    table.add_column("share", justify="right")
    known = sum(category is not None for category in labels.categories)
    for category in labels.present():
        count = labels.count(category)
        name = f"{category}  {CATEGORY_NAMES[category]}"
        table.add_row(name, str(count), f"{count / known:.0%}")
    if labels.threshold is None:
        table.caption = why_no_threshold(run.records)
    else:
        how = "given" if labels.given else "the mean of FA"
        table.caption = f"reliance threshold {labels.threshold:.3f} nats, {how}"
    table.caption_justify = "left"
    return table


def _about_labels(run: Run) -> list[str]:
    """Say what hangs on the threshold, who has judged, and what else answers are called."""
    shifts = said_of_shifts(side_changes(run.records, run.labels()))
    aliases = run.labelling.aliases
    named = f"accepted answers have the aliases of {clean(aliases.name)}" if aliases else ""
    return [said for said in (shifts, clean(run.judged), named) if said]


def summary(
    run: Run, width: int, colour: bool = True, by: str | None = None, metric: str = JSD.key
) -> RenderableType:
    """Return what ``mlxjsd show`` prints of a run; with ``by``, a heatmap for each group.

    Raises:
        InputError: for another ``by``, or if the run did not measure this metric.
    """
    heatmap = run.heatmap(metric=metric)
    settings = run.settings
    about = Text(
        f"{clean(run.model['name'])} ({run.model['family']}, {run.layers} layers), "
        f"{len(run.records)} of {run.total} prompts, {settings.corruption}, "
        f"{settings.described}\n",
        style="bold",
    )
    parts: list[RenderableType] = [about]
    if metric != JSD.key:
        parts.append(Text(f"{described(metric).label}, n = {heatmap.count}", style="bold"))
    panels = run.heatmap(by=by, metric=metric) if by else {"": heatmap}
    scale = scale_of(panels.values())  # one scale, so that panels can be compared
    for name, part in panels.items():
        if name:
            parts.append(Text(f"{clean(name)}, n = {part.count}", style="bold"))
        parts += [heatmap_text(part, width, colour, scale), Text()]
    if heatmap.count:
        if (counts := count_table(run)) is not None:
            parts += [counts, *map(Text, _about_labels(run)), Text()]
        parts += [peak_table(heatmap), Text()]
        if sentences := reading(heatmap):
            parts += [*map(Text, sentences), Text()]
        parts.append(Text(_whole_rows(run, metric)))
        if run.floor_warning:
            parts.append(Text(run.floor_warning, style="yellow"))
    else:
        parts.append(Text("no prompt has been measured yet"))
    parts += [Text(sentence) for sentence in flag_sentences([r.flags for r in run.records])]
    for said, prompts in (("were skipped", run.skipped), ("could not be measured", run.failed)):
        if prompts:
            reasons = Counter(prompt.reason for prompt in prompts)
            listed = "; ".join(f"{n} because {clean(why)}" for why, n in reasons.items())
            parts.append(Text(f"{len(prompts)} prompts {said}: {listed}"))
    return Group(*parts)


def _whole_rows(run: Run, metric: str) -> str:
    """Say what the rows that reach through the whole model come to, and the noise floor."""
    said = []
    for key in run.grid.whole:
        values = run.numbers(key, metric)
        known = values[np.isfinite(values)]
        mean = float(np.mean(known, dtype=np.float64)) if known.size else float("nan")
        written = number(mean, described(metric).unit)
        if key != FLOOR.key:
            said.append(f"mean {clean(label(key)).lower()} {written}")
        elif metric != JSD.key:
            said.append(f"without an edit {written}")
    said.append(f"noise floor {run.floor:.1e} {JSD.unit} (largest null intervention)")
    return ", ".join(said)
