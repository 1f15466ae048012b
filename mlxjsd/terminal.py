"""The heatmap and its numbers on a terminal, as Rich renderables."""

import numpy as np
from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from mlxjsd.heatmap import Heatmap, heatmap_of
from mlxjsd.interventions import ROW_LABELS
from mlxjsd.records import Run

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


def heatmap_text(heatmap: Heatmap, width: int, colour: bool = True) -> Text:
    """Return the heatmap as lines of ``width`` columns: rows, layer numbers, and the scale."""
    layers = heatmap.mean.shape[1]
    cell = max(1, min(4, (width - 7) // layers))
    top = float(np.nanmax(heatmap.mean)) if heatmap.count else 0.0
    text = Text()
    for label, values in zip(ROW_LABELS.values(), heatmap.mean, strict=True):
        text.append(f"{label:<6} ")
        for value in values:
            if np.isnan(value):
                text.append("·" * cell)
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


def _cell(share: float, width: int, colour: bool) -> Text:
    if not colour:
        return Text(_SHADES[min(int(share * len(_SHADES)), len(_SHADES) - 1)] * width)
    return Text(" " * width, style=Style(bgcolor="#{:02x}{:02x}{:02x}".format(*blue(share))))


def peak_table(heatmap: Heatmap) -> Table:
    """Return each row's peak: value and layer."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("row")
    table.add_column("peak (nats)", justify="right")
    table.add_column("layer", justify="right")
    for peak in heatmap.peaks():
        table.add_row(ROW_LABELS[peak.row], f"{peak.value:.3f}", str(peak.layer))
    return table


def summary(run: Run, width: int, colour: bool = True) -> RenderableType:
    """Return what ``mlxjsd show`` prints of a run."""
    heatmap = heatmap_of(run)
    settings = run.settings
    about = Text(
        f"{run.model['name']} ({run.model['family']}, {run.layers} layers), "
        f"{len(run.records)} of {run.total} prompts, {settings.corruption}, "
        f"window {settings.window}\n",
        style="bold",
    )
    parts: list[RenderableType] = [about, heatmap_text(heatmap, width, colour), Text()]
    if heatmap.count:
        parts += [
            peak_table(heatmap),
            Text(
                f"mean reliance {heatmap.reliance:.3f} nats, "
                f"noise floor {heatmap.floor:.1e} nats (largest null intervention)"
            ),
        ]
    else:
        parts.append(Text("no prompt has been measured yet"))
    if run.skipped:
        reasons: dict[str, int] = {}
        for skipped in run.skipped:
            reasons[skipped.reason] = reasons.get(skipped.reason, 0) + 1
        listed = "; ".join(f"{count} because {reason}" for reason, count in reasons.items())
        parts.append(Text(f"{len(run.skipped)} prompts were skipped: {listed}"))
    return Group(*parts)
