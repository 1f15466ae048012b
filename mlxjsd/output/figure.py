"""The figure, drawn by matplotlib as it is by itself, and never with its global state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.compare import Comparison, Panel
from mlxjsd.analysis.curves import KINDS, confidences, cosines, norm_ratios
from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, described
from mlxjsd.output.colours import DIVERGING, map_for
from mlxjsd.output.plain_matplotlib import (
    Axes,
    Figure,
    QuadMesh,
    colormaps,
    matplotlib,
    own_defaults,
)
from mlxjsd.output.writers import FIGURES
from mlxjsd.results import Run
from mlxjsd.rows import label
from mlxjsd.text import clean


@dataclass(frozen=True)
class Style:
    """How the numbers become colours."""

    vmin: float | None = None
    """The number at the low end; None for 0 or, of a signed metric, as far below 0 as the high
    end is above it."""
    vmax: float | None = None
    """The number at the high end; None for the highest cell or, of a signed metric, the one that
    is farthest from 0."""
    cmap: str | None = None
    """Any matplotlib colour map; None for Blues or, of a signed metric, a diverging one."""

    def __post_init__(self) -> None:
        for option, end in (("--vmin", self.vmin), ("--vmax", self.vmax)):
            if end is not None and not isfinite(end):
                raise InputError(f"{option} is a finite number, not {end}", hint="give one")
        if self.cmap is not None and self.cmap not in colormaps:
            raise InputError(
                f"matplotlib has no colour map {self.cmap!r}", hint="try Blues or viridis"
            )
        if self.vmax is not None and self.vmax <= (self.vmin or 0.0):
            raise InputError(
                f"--vmax {self.vmax:g} must be above --vmin {self.vmin or 0:g}",
                hint="give a higher one",
            )

    def colours(self, heatmaps: Sequence[Heatmap]) -> dict[str, Any]:
        """Return one scale for ``heatmaps`` of one metric, as arguments for matplotlib."""
        low, high = scale_of(heatmaps)
        signed = any(described(heatmap.metric).signed for heatmap in heatmaps)
        if signed:  # an end that is not given mirrors the other one
            high = self.vmax or max(-(self.vmin or 0.0), 0.0) or high
            low = -high
        low = low if self.vmin is None else self.vmin
        high = high if self.vmax is None else self.vmax
        cmap = self.cmap or map_for(signed)
        return {"cmap": cmap, "vmin": low, "vmax": max(high, low + 1e-3)}


def draw_heatmap(axes: Axes, heatmap: Heatmap, colours: Mapping[str, Any]) -> QuadMesh:
    """Draw the rows into ``axes``, in the ``colours`` that a :class:`Style` gives.

    Cells without a prompt stay empty; those of an edit that does not apply are hatched.
    """
    rows, layers = heatmap.mean.shape
    shown = heatmap.measured_layers
    values = heatmap.mean[:, shown]
    if heatmap.count and np.isnan(values).any():
        # The background shows through where there is no number.
        axes.patch.set(hatch="////", edgecolor="0.75", linewidth=0)
    mesh = axes.pcolormesh(
        # A layer that is not measured is shared by those at its sides.
        np.array([-0.5, *((a + b) / 2 for a, b in pairwise(shown)), layers - 0.5]),
        np.arange(rows + 1) - 0.5,
        np.ma.masked_invalid(values),
        # Cells are vectors in print; an edge in their own colour closes the seams between them.
        edgecolors="face",
        linewidth=0.4,
        **colours,
    )
    axes.set_ylim(rows - 0.5, -0.5)  # the first row on top
    axes.set_yticks(range(rows), [_escape(label(key)) for key in heatmap.rows])
    axes.set_xticks(_ticks(heatmap, 24))
    axes.tick_params(length=0)
    axes.set_xlabel("Layer")
    for spine in axes.spines.values():
        spine.set_linewidth(0.6)
    return mesh


def _ticks(heatmap: Heatmap, most: int) -> list[int]:
    """Return the layers that are numbered below a panel."""
    if heatmap.only is not None:
        return list(heatmap.only[:: -(-len(heatmap.only) // most)])
    every = next(n for n in (2, 4, 8, 16, 32, 64, 10**6) if heatmap.layers <= n * most)
    return list(range(0, heatmap.layers, every))


def _bar_label(metric: str) -> str:
    """Return what stands at the colour bar; as in the published figure, JSD is without its unit."""
    found = described(metric)
    unit = f"\n({_escape(found.unit)})" if found.unit and metric != JSD.key else ""
    return f"Avg {_escape(found.label)}{unit}"


def _tall(rows: int) -> int:
    """Return how many rows high a panel is: the label of the colour bar takes some three."""
    return max(rows, 3)


@own_defaults()
def plot_heatmap(heatmap: Heatmap, title: str = "", style: Style | None = None) -> Figure:
    """Return the figure of one heatmap: its rows by layer, in the unit of its metric."""
    rows, layers = heatmap.mean.shape
    width = min(max(4.5, 1.6 + 0.26 * layers), 24)
    figure = Figure(figsize=(width, (95 + 30 * _tall(rows)) / 100), layout="constrained")
    axes = figure.add_subplot()
    mesh = draw_heatmap(axes, heatmap, (style or Style()).colours([heatmap]))
    axes.set_aspect("auto")
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=3 * _tall(rows))
    bar.set_label(_bar_label(heatmap.metric))
    bar.outline.set_linewidth(0.6)
    if title:
        axes.set_title(title, fontsize=10)
    return figure


@own_defaults()
def plot_run(run: Run, style: Style | None = None, metric: str = JSD.key) -> Figure:
    """Return the figure of a run, with its model, number of prompts and corruption as title.

    Raises:
        InputError: if the run did not measure this metric.
    """
    heatmap = run.heatmap(metric=metric)
    return plot_heatmap(heatmap, title_of(run, heatmap.count), style)


@own_defaults()
def plot_groups(
    groups: Mapping[str, Heatmap],
    title: str = "",
    style: Style | None = None,
    columns: int = 3,
) -> Figure:
    """Return panels side by side on one colour scale, captioned (a), (b), (c) with each n.

    Args:
        groups: heatmaps of one grid and metric by caption, such as "Factual associations".
        title: over all panels.
        style: shared by them.
        columns: the most panels beside each other.
    """
    first = next(iter(groups.values()))
    rows, layers = first.mean.shape
    colours = (style or Style()).colours([*groups.values()])
    columns = min(len(groups), columns)
    lines = -(-len(groups) // columns)
    width = min(max(3.4, 1.0 + 0.14 * layers), 12) * columns + 0.8
    height = (20 + (130 + 30 * _tall(rows)) * lines) / 100
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False)
    for index, (caption, heatmap) in enumerate(groups.items()):
        axes = panels.flat[index]
        mesh = draw_heatmap(axes, heatmap, colours)
        axes.set_xticks(_ticks(heatmap, 12))
        letter = f"({chr(ord('a') + index)}) " if len(groups) <= 26 else ""
        caption = f"{letter}{_escape(caption)}, n = {heatmap.count}"
        axes.set_xlabel(f"Layer\n{caption}")
        if index % columns:
            axes.set_yticklabels([])
    for axes in panels.flat[len(groups) :]:
        axes.set_visible(False)
    bar = figure.colorbar(mesh, ax=panels, pad=0.01, aspect=3 * _tall(rows) * lines)
    bar.set_label(_bar_label(first.metric))
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


@own_defaults()
def plot_comparison(comparison: Comparison, style: Style | None = None) -> Figure:
    """Return both heatmaps and their difference, the latter on a diverging scale around 0."""
    a, b = (_bare(panel, panel.mean) for panel in (comparison.a, comparison.b))
    difference = _bare(comparison.a, comparison.difference)
    colours = (style or Style()).colours([a, b])
    rows, columns = a.mean.shape
    size = (min(max(4.5, 1.8 + 0.26 * columns), 24), (290 + 90 * _tall(rows)) / 100)
    figure = Figure(figsize=size, layout="constrained")
    upper, middle, lower = figure.subplots(3)
    for axes, heatmap, panel in ((upper, a, comparison.a), (middle, b, comparison.b)):
        mesh = draw_heatmap(axes, heatmap, colours)
        axes.set_title(_escape(panel.name), fontsize=10)
        axes.set_xlabel("")
    bar = figure.colorbar(mesh, ax=[upper, middle], pad=0.01, aspect=6 * _tall(rows))
    bar.set_label(_bar_label(a.metric))
    _, farthest = scale_of([difference])
    around = Style(-farthest, farthest, DIVERGING).colours([difference])
    mesh = draw_heatmap(lower, difference, around)
    lower.set_title("difference", fontsize=10)
    if comparison.relative:
        lower.set_xlabel("Layer (the shallower model stretched over the depth)")
    bar = figure.colorbar(mesh, ax=lower, pad=0.01, aspect=3 * _tall(rows))
    bar.set_label(_escape(described(a.metric).unit))
    return figure


_CATEGORY_COLOURS = {"FA": "#2171b5", "AH": "#d95f0e", "UH": "#737373", "wrong": "#d95f0e"}


@own_defaults()
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
    found = run.categories()
    lines = norm_ratios(found) if kind == "norms" else cosines(found, run.cosines, run.criteria)
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
    found = confidences(run.categories())
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


def _bare(panel: Panel, mean: np.ndarray) -> Heatmap:
    return Heatmap(mean, np.full_like(mean, np.nan), 1, rows=panel.rows, metric=panel.metric)


def _escape(text: str) -> str:
    return clean(text).replace("$", r"\$")  # a dollar sign would open a formula


def title_of(run: Run, count: int | None = None) -> str:
    """Say what a picture shows: model, prompts, corruption.

    ``count`` is of the prompts that it shows; None for all that were measured.
    """
    settings = run.settings
    corruption = CORRUPTIONS[settings.corruption].title.format(level=settings.noise_level)
    if settings.samples > 1:
        corruption += f" x {settings.samples}"
    name = _escape(str(run.model["name"]))
    how = f"{corruption}, {settings.described}"
    title = f"{name}    n = {len(run.records) if count is None else count}    {how}"
    if run.floor_warning:
        title += f"\nnoise floor {run.floor:.1e} nats, over the limit of {run.floor_limit:.0e}"
    return title


def save_figure(figure: Figure, path: Path | str) -> None:
    """Write ``figure`` to ``path``, whose ending says how; see :mod:`mlxjsd.output.writers`.

    Raises:
        InputError: for another ending, or where it cannot be written.
    """
    FIGURES.write(figure, path)


def to_image(figure: Figure, kind: str) -> bytes:
    """Return ``figure`` as png, pdf or svg; text stays text in PDF and SVG."""
    out = BytesIO()
    with own_defaults(), matplotlib.rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):
        figure.savefig(out, format=kind, dpi=200)
    return out.getvalue()
