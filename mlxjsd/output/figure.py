"""The figure: the only file that imports matplotlib, and never its global state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from mlxjsd.analysis.compare import Comparison
from mlxjsd.analysis.curves import KINDS, confidences, cosines, norm_ratios
from mlxjsd.analysis.heatmap import Heatmap, floor_warning_of, heatmap_of
from mlxjsd.errors import InputError
from mlxjsd.files import write_whole
from mlxjsd.results import Run
from mlxjsd.rows import ROW_LABELS
from mlxjsd.text import clean

ENDINGS = (".png", ".pdf", ".svg")


@dataclass(frozen=True)
class Style:
    """How the numbers become colours."""

    vmin: float = 0.0
    """nats at the light end."""
    vmax: float | None = None
    """nats at the dark end; None for the highest cell."""
    cmap: str = "Blues"
    """Any matplotlib colour map."""

    def __post_init__(self) -> None:
        if self.cmap not in colormaps:
            raise InputError(
                f"matplotlib has no colour map {self.cmap!r}", hint="try Blues or viridis"
            )
        if self.vmax is not None and self.vmax <= self.vmin:
            raise InputError(
                f"--vmax {self.vmax:g} must be above --vmin {self.vmin:g}", hint="give a higher one"
            )


def draw_heatmap(axes: Axes, heatmap: Heatmap, style: Style, vmax: float) -> QuadMesh:
    """Draw the three rows into ``axes``.

    Cells without a prompt stay empty; those of an edit that does not apply are hatched.
    """
    layers = heatmap.mean.shape[1]
    if heatmap.count and np.isnan(heatmap.mean).any():
        # The background shows through where there is no number.
        axes.patch.set(hatch="////", edgecolor="0.75", linewidth=0)
    mesh = axes.pcolormesh(
        np.arange(layers + 1) - 0.5,
        np.arange(4) - 0.5,
        np.ma.masked_invalid(heatmap.mean),
        cmap=style.cmap,
        vmin=style.vmin,
        vmax=vmax,
        # Cells are vectors in print; an edge in their own colour closes the seams between them.
        edgecolors="face",
        linewidth=0.4,
    )
    axes.set_ylim(2.5, -0.5)  # Subj. on top
    axes.set_yticks(range(3), list(ROW_LABELS.values()))
    axes.set_xticks(range(0, layers, 2 if layers <= 48 else 8))
    axes.tick_params(length=0)
    axes.set_xlabel("Layer")
    for spine in axes.spines.values():
        spine.set_linewidth(0.6)
    return mesh


def plot_heatmap(heatmap: Heatmap, title: str = "", style: Style | None = None) -> Figure:
    """Return the figure of one heatmap: Subj., Attn., Last. by layer, in nats."""
    style = style or Style()
    layers = heatmap.mean.shape[1]
    width = min(max(4.5, 1.6 + 0.26 * layers), 24)
    figure = Figure(figsize=(width, 1.85), layout="constrained")
    axes = figure.add_subplot()
    mesh = draw_heatmap(axes, heatmap, style, _top([heatmap], style))
    axes.set_aspect("auto")
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=9)
    bar.set_label("Avg JS Divergence")
    bar.outline.set_linewidth(0.6)
    if title:
        axes.set_title(title, fontsize=10)
    return figure


def plot_run(run: Run, style: Style | None = None) -> Figure:
    """Return the figure of a run, with its model, number of prompts and corruption as title."""
    return plot_heatmap(heatmap_of(run), title_of(run), style)


def plot_groups(
    groups: Mapping[str, Heatmap], title: str = "", style: Style | None = None
) -> Figure:
    """Return panels side by side on one colour scale, captioned (a), (b), (c) with each n.

    Args:
        groups: heatmaps of one depth by caption, such as "Factual associations".
        title: over all panels.
        style: shared by them.
    """
    style = style or Style()
    top = _top(list(groups.values()), style)
    columns = min(len(groups), 3)
    rows = -(-len(groups) // columns)
    layers = next(iter(groups.values())).mean.shape[1]
    width = min(max(3.4, 1.0 + 0.14 * layers), 12) * columns + 0.8
    figure = Figure(figsize=(width, 0.2 + 2.2 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    mesh = None
    for index, (caption, heatmap) in enumerate(groups.items()):
        axes = grid.flat[index]
        mesh = draw_heatmap(axes, heatmap, style, top)
        axes.set_xticks(range(0, layers, 4 if layers <= 48 else 16))
        letter = f"({chr(ord('a') + index)}) " if len(groups) <= 26 else ""
        caption = f"{letter}{_escape(caption)}, n = {heatmap.count}"
        axes.set_xlabel(f"Layer\n{caption}")
        if index % columns:
            axes.set_yticklabels([])
    for axes in grid.flat[len(groups) :]:
        axes.set_visible(False)
    assert mesh is not None
    bar = figure.colorbar(mesh, ax=grid, pad=0.01, aspect=9 * rows)
    bar.set_label("Avg JS Divergence")
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def plot_comparison(comparison: Comparison, style: Style | None = None) -> Figure:
    """Return both heatmaps and their difference, the latter on a diverging scale around 0."""
    style = style or Style()
    heatmaps = [_bare(panel.mean) for panel in (comparison.a, comparison.b)]
    top = _top(heatmaps, style)
    columns = comparison.a.mean.shape[1]
    figure = Figure(figsize=(min(max(4.5, 1.8 + 0.26 * columns), 24), 5.6), layout="constrained")
    upper, middle, lower = figure.subplots(3)
    mesh = None
    for axes, heatmap, panel in zip(
        (upper, middle), heatmaps, (comparison.a, comparison.b), strict=True
    ):
        mesh = draw_heatmap(axes, heatmap, style, top)
        axes.set_title(_escape(panel.name), fontsize=10)
        axes.set_xlabel("")
    assert mesh is not None
    bar = figure.colorbar(mesh, ax=[upper, middle], pad=0.01, aspect=18)
    bar.set_label("Avg JS Divergence")
    extent = max(float(np.nanmax(np.abs(comparison.difference))), 1e-3)
    diverging = Style(vmin=-extent, cmap="RdBu_r")
    mesh = draw_heatmap(lower, _bare(comparison.difference), diverging, extent)
    lower.set_title("difference", fontsize=10)
    if comparison.relative:
        lower.set_xlabel("Layer (the shallower model stretched over the depth)")
    figure.colorbar(mesh, ax=lower, pad=0.01, aspect=9).set_label("nats")
    return figure


_CATEGORY_COLOURS = {"FA": "#2171b5", "AH": "#d95f0e", "UH": "#737373", "wrong": "#d95f0e"}


def plot_curves(run: Run, kind: str) -> Figure:
    """Return curves by category: ``norms``, ``cosine`` or ``probability``.

    Raises:
        InputError: for another ``kind``, or a run that cannot show it.
    """
    if kind not in KINDS:
        raise InputError(
            f"--kind is heatmap, {', '.join(KINDS)}, not {kind!r}", hint="give one of them"
        )
    if kind == "probability":
        return _plot_confidence(run)
    lines = norm_ratios(run) if kind == "norms" else cosines(run)
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for name, values in lines.items():
        axes.plot(values, label=name, color=_CATEGORY_COLOURS[name], marker=".")
    axes.set_xlabel("Layer")
    if kind == "norms":
        axes.set_ylabel("Norm of subject states, ratio to FA")
    else:
        axes.set_ylabel("Mean pairwise cosine of last-token states")
    axes.legend(frameon=False)
    axes.set_title(title_of(run), fontsize=10)
    return figure


def _plot_confidence(run: Run) -> Figure:
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    found = confidences(run)
    widest = max(float(c.entropy.max()) for c in found.values())
    for name, confidence in found.items():
        look = {"density": True, "histtype": "step", "color": _CATEGORY_COLOURS[name]}
        left.hist(confidence.probability, bins=20, range=(0, 1), label=name, **look)
        right.hist(confidence.entropy, bins=20, range=(0, max(widest, 1e-3)), **look)
    left.set_xlabel("Probability of the predicted token")
    right.set_xlabel("Entropy (nats)")
    left.set_ylabel("Density of prompts")
    left.legend(frameon=False)
    figure.suptitle(title_of(run), fontsize=10)
    return figure


def _bare(mean: np.ndarray) -> Heatmap:
    nothing = np.full_like(mean, np.nan)
    return Heatmap(mean, nothing, 1, float("nan"), float("nan"))


def _escape(text: str) -> str:
    return clean(text).replace("$", r"\$")  # a dollar sign would open a formula


def title_of(run: Run) -> str:
    """Say what a picture shows: model, prompts, corruption."""
    settings = run.settings
    if settings.corruption == "noise":
        corruption = f"noise {settings.noise_level:g}$\\sigma$"
        if settings.noise_samples > 1:
            corruption += f" x {settings.noise_samples}"
    else:
        corruption = "swapped subjects"
    name = _escape(str(run.model["name"]))
    how = f"{corruption}, window {settings.window}{settings.framing}"
    title = f"{name}    n = {len(run.records)}    {how}"
    floor = max((record.floor for record in run.records), default=0.0)
    if floor_warning_of(run):
        title += f"\nnoise floor {floor:.1e} nats, over the limit of {run.floor_limit:.0e}"
    return title


def save_figure(figure: Figure, path: Path) -> None:
    """Write ``figure`` to ``path``, whose ending says how; text stays text in PDF and SVG.

    Raises:
        InputError: for another ending, or where it cannot be written.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            f"a figure ends in {', '.join(ENDINGS)}, not {path.name!r}",
            hint="name such a file with -o",
        )
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):
        write_whole(path, lambda partial: figure.savefig(partial, dpi=200))


def _top(heatmaps: Sequence[Heatmap], style: Style) -> float:
    """Return the dark end of one scale for all ``heatmaps``."""
    if style.vmax is not None:
        return style.vmax
    highest = max((float(np.nanmax(h.mean)) for h in heatmaps if h.count), default=1.0)
    return max(highest, style.vmin + 1e-3)
