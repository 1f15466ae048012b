"""The heatmap and its numbers on a terminal, as Rich renderables."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from rich.cells import cell_len
from rich.color import Color
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
from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.analysis.phases import reading
from mlxjsd.metrics import JSD, Metric, described
from mlxjsd.output.colours import (
    LEVELS,
    hex_of,
    level_of,
    map_for,
    numbers,
    ramp,
    shade,
    signed_shade,
)
from mlxjsd.output.columns import Columns, axis, places, ticks
from mlxjsd.output.marks import fewer_note, left_out_sentence
from mlxjsd.output.xterm import TRUECOLOUR
from mlxjsd.prompts.flags import flag_sentences
from mlxjsd.results import Run
from mlxjsd.row_names import label
from mlxjsd.rows import FLOOR
from mlxjsd.text import clean, tiny

#: Columns of the shortest label.
_LABEL = 6
#: Columns of the colour scale, and of the widest cell.
_SCALE, _WIDEST = 40, 4
#: Colours of the terminal that a map takes.
_ENOUGH = 256


def heatmap_text(
    heatmap: Heatmap,
    width: int,
    colours: int = TRUECOLOUR,
    scale: tuple[float, float] | None = None,
) -> Text:
    """Return the heatmap as lines of ``width`` columns: rows, layer numbers, and the scale.

    Where there are more layers than columns, two share one. Where that is not enough, or there
    are no colours, the rows go on below.

    Args:
        heatmap: what is drawn.
        width: columns, at least those of a label and one more.
        colours: how many the terminal has; below 256 there are shades instead.
        scale: the numbers at both ends of the colours; None for those of
            :func:`mlxjsd.analysis.heatmap.scale_of`.
    """
    low, high = scale or scale_of([heatmap])
    metric = heatmap.described
    cell_of = _cells(metric.signed, colours)
    labels = [clean(name) for name in heatmap.labels]
    gutter = min(max(_LABEL, *map(cell_len, labels)) + 1, max(width // 3, _LABEL + 1))
    room = max(width - gutter, 1)
    measured = np.array(heatmap.measured_layers)
    # A layer that is not measured is drawn as the nearest one that is.
    nearest = [measured[np.abs(measured - layer).argmin()] for layer in range(heatmap.layers)]
    shares = (heatmap.mean[:, nearest] - low) / (high - low)
    # What does not apply stays blank; what is still to come is dotted.
    nothing = " " if heatmap.count else "·"
    text = Text()
    for columns in _panels(heatmap.layers, room, colours >= _ENOUGH):
        text.append("\n" if text else "")  # between the first layers and those that go on
        for name, values in zip(labels, shares, strict=True):
            text.append_text(_fitted(name, gutter))
            text.append_text(_drawn(columns, values.tolist(), cell_of, nothing))
            text.append("\n")
        line = [" "] * columns.width
        for mark in axis(columns):
            line[mark.start : mark.start + len(mark.text)] = mark.text
        text.append(f"{'Layer':<{gutter}}{''.join(line)}\n")
    if heatmap.count:
        text.append_text(_scale(low, high, metric, cell_of, gutter, room))
    text.right_crop(1)
    return text


def _panels(layers: int, room: int, halves: bool) -> list[Columns]:
    """Return where the layers stand, in as many equal parts as they take."""
    most = room * (2 if halves else 1)
    parts = -(-layers // most)
    if parts == 1:
        return [Columns(layers, min(room, _WIDEST * layers), halves)]
    fitting = -(-layers // parts)
    edges = [*range(0, layers, fitting), layers]
    return [
        # Cells are as wide in each: the last part may be shorter.
        Columns(end, -(-room * (end - start) // fitting), halves, least=start)
        for start, end in pairwise(edges)
    ]


def _drawn(columns: Columns, shares: list[float], cell_of: "_Cell", nothing: str) -> Text:
    """Return one row of cells."""
    text = Text()
    if columns.parts == 2:
        shared = iter([shares[layer] for layer in columns.parts_of])
        for left, right in zip(shared, shared, strict=True):
            text.append_text(cell_of(left, right, 1))
        return text
    for layer in columns.shown:
        start, end = columns.span(layer)
        absent = np.isnan(shares[layer])
        text.append_text(
            Text(nothing * (end - start)) if absent else cell_of(shares[layer], None, end - start)
        )
    return text


def _scale(
    low: float, high: float, metric: Metric, cell_of: "_Cell", gutter: int, room: int
) -> Text:
    """Return the colours, the number at their high end, and round numbers under them."""
    top = f" {high:.2f} {clean(metric.unit)}".rstrip()
    width = min(max(room - len(top), 4), _SCALE)
    text = _fitted("scale", gutter)
    for step in range(width):
        text.append_text(cell_of(step / (width - 1), None, 1))
    marked = ticks(low, high, max(width // 8, 2), metric.signed)
    line = [" "] * (width + 8)
    for (_, said), at in zip(marked, places(marked, low, high, width - 1), strict=True):
        line[at : at + len(said)] = said
    below = "".join(line)[:room].rstrip()
    return text.append(f"{top}\n{' ' * gutter}{below}\n")


def _fitted(name: str, width: int) -> Text:
    """Return a label cut or padded to so many columns, the last of them a space."""
    text = Text(name, no_wrap=True, end="")
    text.truncate(width - 1, overflow="ellipsis", pad=True)
    return text.append(" ")


_Cell = Callable[[float, float | None, int], Text]
"""Returns the cell for a share of the scale, so many columns wide; of two shares, both halves."""


def _cells(signed: bool, colours: int) -> _Cell:
    if colours < _ENOUGH:
        return _shades(signed)
    found = [_colour(level, map_for(signed), colours) for level in range(LEVELS)]

    def cell(share: float, right: float | None, width: int) -> Text:
        if right is None:
            return Text(" " * width, Style(bgcolor=found[level_of(share)]))
        front, behind = (None if np.isnan(s) else found[level_of(s)] for s in (share, right))
        if front is None:
            return Text(" " if behind is None else "▐", Style(color=behind))
        return Text("▌", Style(color=front, bgcolor=behind))

    return cell


def _colour(level: int, colour_map: str, colours: int) -> Color:
    if colours < TRUECOLOUR:
        # By its number: a colour would be rounded to another one.
        return Color.from_ansi(numbers(colour_map)[level])
    return Color.parse(hex_of(ramp(colour_map)[level]))


def _shades(signed: bool) -> _Cell:
    if signed:
        return lambda share, _, width: Text(signed_shade(level_of(share), width))
    return lambda share, _, width: Text(shade(level_of(share)) * width)


def number(value: float, unit: str = JSD.unit) -> str:
    """Write a number with its unit, or that there is none."""
    return "n/a" if np.isnan(value) else f"{value:.3f} {unit}".rstrip()


def peak_table(heatmap: Heatmap) -> Table:
    """Return each row's peak: value and layer."""
    unit = heatmap.described.unit
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
    run: Run,
    width: int,
    colours: int = TRUECOLOUR,
    by: str | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
) -> RenderableType:
    """Return what ``mlxjsd show`` prints of a run; with ``by``, a heatmap for each group.

    ``colours`` is how many the terminal has.

    Raises:
        InputError: for another ``by``, or if the run did not measure this metric, or does not
            hold this effect.
    """
    heatmap = run.heatmap(metric=metric, effect=effect)
    settings = run.settings
    about = Text(
        f"{clean(run.model['name'])} ({run.model['family']}, {run.layers} layers), "
        f"{len(run.records)} of {run.total} prompts, {settings.corruption}, "
        f"{settings.described}\n",
        style="bold",
    )
    parts: list[RenderableType] = [about]
    if not heatmap.raw_jsd:
        parts.append(Text(f"{heatmap.described.label}, n = {heatmap.count}", style="bold"))
    panels = run.heatmap(by=by, metric=metric, effect=effect) if by else {"": heatmap}
    scale = scale_of(panels.values())  # one scale, so that panels can be compared
    for name, part in panels.items():
        if name:
            parts.append(Text(f"{clean(name)}, n = {part.count}", style="bold"))
        parts += [heatmap_text(part, width, colours, scale), Text()]
    if heatmap.count:
        if (counts := count_table(run)) is not None:
            parts += [counts, *map(Text, _about_labels(run)), Text()]
        parts += [peak_table(heatmap), Text()]
        if sentences := reading(heatmap):
            parts += [*map(Text, sentences), Text()]
        notes = (fewer_note(heatmap), left_out_sentence(heatmap))
        parts += [Text(clean(note)) for note in notes if note]
        parts.append(Text(_whole_rows(run, metric)))
        if run.grid.maps:
            named = ", ".join(map(clean, run.grid.maps))
            parts.append(Text(f"maps of {named}: see --kind roles and --kind map"))
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
    said.append(f"noise floor {tiny(run.floor)} {JSD.unit} (largest null intervention)")
    return ", ".join(said)
