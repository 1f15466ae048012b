"""The heatmap and its numbers on a terminal, as Rich renderables."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from mlxjsd.analysis.answers import CATEGORY_NAMES, label, why_no_threshold
from mlxjsd.analysis.groups import heatmaps_by, labelling_of
from mlxjsd.analysis.heatmap import Heatmap, floor_warning_of, heatmap_of
from mlxjsd.analysis.phases import reading
from mlxjsd.prompts.flags import flag_sentences
from mlxjsd.results import Run
from mlxjsd.rows import ROW_LABELS
from mlxjsd.text import clean

#: A light-to-dark blue like the figure's, as RGB from no divergence to the highest.
_STOPS = np.array([(247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107)])
#: What carries the value where there is no colour.
_SHADES = " ░▒▓█"


def blue(share: float) -> tuple[int, int, int]:
    """Return the colour for a share of the scale, 0 (light) to 1 (dark)."""
    at = min(max(share, 0.0), 1.0) * (len(_STOPS) - 1)
    low = min(int(at), len(_STOPS) - 2)
    mixed = _STOPS[low] + (at - low) * (_STOPS[low + 1] - _STOPS[low])
    red, green, blue = (round(c) for c in mixed)
    return red, green, blue


def heatmap_text(
    heatmap: Heatmap, width: int, colour: bool = True, top: float | None = None
) -> Text:
    """Return the heatmap as lines of ``width`` columns: rows, layer numbers, and the scale.

    ``top`` is the value in nats at the dark end; None for the highest cell.
    """
    layers = heatmap.mean.shape[1]
    cell = max(1, min(4, (width - 7) // layers))
    if top is None:
        top = _highest([heatmap])
    text = Text()
    for name, values in zip(ROW_LABELS.values(), heatmap.mean, strict=True):
        text.append(f"{name:<6} ")
        for value in values:
            if np.isnan(value):
                # What does not apply stays blank; what is still to come is dotted.
                text.append((" " if heatmap.count else "·") * cell)
            else:
                text.append_text(_cell(value / top if top else 0.0, cell, colour))
        text.append("\n")
    text.append("Layer  ")
    every = 2 if cell > 1 else 4
    for layer in range(0, layers, every):
        text.append(f"{layer:<{every * cell}}"[: every * cell])
    text.append("\nscale  0 ")
    for step in range(16):
        text.append_text(_cell(step / 15, 1, colour))
    text.append(f" {top:.2f} nats")
    return text


def _highest(heatmaps: Iterable[Heatmap]) -> float:
    return max((float(np.nanmax(h.mean)) for h in heatmaps if h.count), default=0.0)


def _cell(share: float, width: int, colour: bool) -> Text:
    if not colour:
        return Text(_SHADES[min(int(share * len(_SHADES)), len(_SHADES) - 1)] * width)
    return Text(" " * width, style=Style(bgcolor="#{:02x}{:02x}{:02x}".format(*blue(share))))


def number(nats: float) -> str:
    """Write a divergence, or that there is none."""
    return "n/a" if np.isnan(nats) else f"{nats:.3f} nats"


def peak_table(heatmap: Heatmap) -> Table:
    """Return each row's peak: value and layer."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("row")
    table.add_column("peak (nats)", justify="right")
    table.add_column("layer", justify="right")
    for peak in heatmap.peaks():
        table.add_row(ROW_LABELS[peak.row], f"{peak.value:.3f}", str(peak.layer))
    return table


def count_table(run: Run) -> Table | None:
    """Return how many prompts are of each category, like the paper's Table 1; None without any."""
    labels = label(run.records, **labelling_of(run))
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


def summary(run: Run, width: int, colour: bool = True, by: str | None = None) -> RenderableType:
    """Return what ``mlxjsd show`` prints of a run; with ``by``, a heatmap for each group."""
    heatmap = heatmap_of(run)
    settings = run.settings
    about = Text(
        f"{clean(run.model['name'])} ({run.model['family']}, {run.layers} layers), "
        f"{len(run.records)} of {run.total} prompts, {settings.corruption}, "
        f"window {settings.window}{settings.framing}\n",
        style="bold",
    )
    parts: list[RenderableType] = [about]
    panels = heatmaps_by(run, by) if by else {"": heatmap}
    top = _highest(panels.values())  # one scale, so that panels can be compared
    for name, part in panels.items():
        if name:
            parts.append(Text(f"{clean(name)}, n = {part.count}", style="bold"))
        parts += [heatmap_text(part, width, colour, top), Text()]
    if heatmap.count:
        if (counts := count_table(run)) is not None:
            parts += [counts, Text()]
        parts += [
            peak_table(heatmap),
            Text(),
            *(Text(sentence) for sentence in reading(heatmap.mean)),
            Text(),
            Text(
                f"mean reliance {number(heatmap.reliance)}, "
                f"noise floor {heatmap.floor:.1e} nats (largest null intervention)"
            ),
        ]
        if warning := floor_warning_of(run):
            parts.append(Text(warning, style="yellow"))
    else:
        parts.append(Text("no prompt has been measured yet"))
    parts += [Text(sentence) for sentence in flag_sentences([r.flags for r in run.records])]
    for said, prompts in (("were skipped", run.skipped), ("could not be measured", run.failed)):
        if prompts:
            reasons = Counter(prompt.reason for prompt in prompts)
            listed = "; ".join(f"{n} because {clean(why)}" for why, n in reasons.items())
            parts.append(Text(f"{len(prompts)} prompts {said}: {listed}"))
    return Group(*parts)
