"""The figure, drawn by matplotlib as it is by itself, and never with its global state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.compare import Comparison, Panel
from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD, described
from mlxjsd.output.colours import DIVERGING, map_for
from mlxjsd.output.marks import Marks, control_marks, draw_marks, edges_of, notes_of
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
        signed = any(heatmap.described.signed for heatmap in heatmaps)
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
    rows = len(heatmap.rows)
    values = heatmap.mean[:, heatmap.measured_layers]
    if heatmap.count and np.isnan(values).any():
        # The background shows through where there is no number.
        axes.patch.set(hatch="////", edgecolor="0.75", linewidth=0)
    mesh = axes.pcolormesh(
        edges_of(heatmap),
        np.arange(rows + 1) - 0.5,
        np.ma.masked_invalid(values),
        # Cells are vectors in print; an edge in their own colour closes the seams between them.
        edgecolors="face",
        linewidth=0.4,
        **colours,
    )
    axes.set_ylim(rows - 0.5, -0.5)  # the first row on top
    axes.set_yticks(range(rows), [escaped(label(key)) for key in heatmap.rows])
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


def _bar_label(heatmap: Heatmap) -> str:
    """Return what stands at the colour bar; as in the published figure, JSD is without its unit."""
    found, measured = heatmap.described, described(heatmap.metric).label
    unit = f"\n({escaped(found.unit)})" if found.unit and not heatmap.raw_jsd else ""
    # The kind of an effect has a line of its own: the bar is three rows high.
    kind = "" if heatmap.effect is None else f"{found.label.removesuffix(measured).strip()}\n"
    return f"Avg {kind}{escaped(measured)}{unit}"


def _caption(figure: Figure, text: str) -> None:
    """Write a line below all panels, if there is something to say."""
    if text:
        figure.supxlabel(escaped(text), fontsize=7.5, color="0.3")


def _tall(rows: int) -> int:
    """Return how many rows high a panel is: the label of the colour bar takes some three."""
    return max(rows, 3)


@own_defaults()
def plot_heatmap(
    heatmap: Heatmap, title: str = "", style: Style | None = None, marks: Marks | None = None
) -> Figure:
    """Return the figure of one heatmap: its rows by layer, in the unit of its metric.

    ``marks`` puts a dot into some cells, and says below what it means.
    """
    rows, layers = heatmap.mean.shape
    width = min(max(4.5, 1.6 + 0.26 * layers), 24)
    note = notes_of(heatmap, marks)
    height = (95 + 20 * bool(note) + 30 * _tall(rows)) / 100
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    mesh = draw_heatmap(axes, heatmap, (style or Style()).colours([heatmap]))
    axes.set_aspect("auto")
    if marks is not None:
        draw_marks(axes, heatmap, marks)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, aspect=3 * _tall(rows))
    bar.set_label(_bar_label(heatmap))
    _caption(figure, note)
    bar.outline.set_linewidth(0.6)
    if title:
        axes.set_title(title, fontsize=10)
    return figure


@own_defaults()
def plot_run(
    run: Run,
    style: Style | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
    significance: bool = False,
) -> Figure:
    """Return the figure of a run, with its model, number of prompts and corruption as title.

    Args:
        run: of which all prompts are averaged.
        style: None for the usual colours.
        metric: one that was measured.
        effect: see :meth:`mlxjsd.results.Run.heatmap`.
        significance: whether cells are marked that differ from their control for sure.

    Raises:
        InputError: if the run did not measure this metric, does not hold this effect or, for
            ``significance``, has no control rows.
    """
    heatmap = run.heatmap(metric=metric, effect=effect)
    marks = control_marks(run, metric, effect) if significance else None
    return plot_heatmap(heatmap, title_of(run, heatmap.count), style, marks)


@own_defaults()
def plot_groups(
    groups: Mapping[str, Heatmap],
    title: str = "",
    style: Style | None = None,
    columns: int = 3,
    marks: Mapping[str, Marks] | None = None,
) -> Figure:
    """Return panels side by side on one colour scale, captioned (a), (b), (c) with each n.

    Args:
        groups: heatmaps of one grid and metric by caption, such as "Factual associations".
        title: over all panels.
        style: shared by them.
        columns: the most panels beside each other.
        marks: of some panels, by caption; all say the same.
    """
    first = next(iter(groups.values()))
    rows, layers = first.mean.shape
    colours = (style or Style()).colours([*groups.values()])
    columns = min(len(groups), columns)
    lines = -(-len(groups) // columns)
    width = min(max(3.4, 1.0 + 0.14 * layers), 12) * columns + 0.8
    left_out = sum(heatmap.left_out for heatmap in groups.values())
    explained = next(iter(marks.values())) if marks else None
    note = notes_of(replace(first, left_out=left_out), explained)
    height = (20 + 20 * bool(note) + (130 + 30 * _tall(rows)) * lines) / 100
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False)
    for index, (caption, heatmap) in enumerate(groups.items()):
        axes = panels.flat[index]
        mesh = draw_heatmap(axes, heatmap, colours)
        if marks and caption in marks:
            draw_marks(axes, heatmap, marks[caption])
        axes.set_xticks(_ticks(heatmap, 12))
        letter = f"({chr(ord('a') + index)}) " if len(groups) <= 26 else ""
        caption = f"{letter}{escaped(caption)}, n = {heatmap.count}"
        axes.set_xlabel(f"Layer\n{caption}")
        if index % columns:
            axes.set_yticklabels([])
    for axes in panels.flat[len(groups) :]:
        axes.set_visible(False)
    bar = figure.colorbar(mesh, ax=panels, pad=0.01, aspect=3 * _tall(rows) * lines)
    bar.set_label(_bar_label(first))
    _caption(figure, note)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


@own_defaults()
def plot_comparison(
    comparison: Comparison, style: Style | None = None, marks: Marks | None = None
) -> Figure:
    """Return both heatmaps and their difference, the latter on a diverging scale around 0.

    ``marks`` puts dots into some cells of the difference, and says below what they mean.
    """
    a, b = (_bare(panel, panel.mean) for panel in (comparison.a, comparison.b))
    difference = _bare(comparison.a, comparison.difference)
    colours = (style or Style()).colours([a, b])
    rows, columns = a.mean.shape
    size = (min(max(4.5, 1.8 + 0.26 * columns), 24), (290 + 90 * _tall(rows)) / 100)
    figure = Figure(figsize=size, layout="constrained")
    upper, middle, lower = figure.subplots(3)
    for axes, heatmap, panel in ((upper, a, comparison.a), (middle, b, comparison.b)):
        mesh = draw_heatmap(axes, heatmap, colours)
        axes.set_title(escaped(panel.name), fontsize=10)
        axes.set_xlabel("")
    bar = figure.colorbar(mesh, ax=[upper, middle], pad=0.01, aspect=6 * _tall(rows))
    bar.set_label(_bar_label(a))
    _, farthest = scale_of([difference])
    around = Style(-farthest, farthest, DIVERGING).colours([difference])
    mesh = draw_heatmap(lower, difference, around)
    lower.set_title("difference", fontsize=10)
    if comparison.relative:
        lower.set_xlabel("Layer (the shallower model stretched over the depth)")
    bar = figure.colorbar(mesh, ax=lower, pad=0.01, aspect=3 * _tall(rows))
    bar.set_label(escaped(a.described.unit))
    if marks is not None:
        draw_marks(lower, difference, marks)
        _caption(figure, notes_of(difference, marks))
    return figure


def _bare(panel: Panel, mean: np.ndarray) -> Heatmap:
    nothing = np.full_like(mean, np.nan)
    return Heatmap(mean, nothing, 1, rows=panel.rows, metric=panel.metric, effect=panel.effect)


def escaped(text: str) -> str:
    """Return text of any origin as matplotlib writes it, letter by letter."""
    return clean(text).replace("$", r"\$")  # a dollar sign would open a formula


def title_of(run: Run, count: int | None = None) -> str:
    """Say what a picture shows: model, prompts, corruption.

    ``count`` is of the prompts that it shows; None for all that were measured.
    """
    settings = run.settings
    corruption = CORRUPTIONS[settings.corruption].title.format(level=settings.noise_level)
    if settings.samples > 1:
        corruption += f" x {settings.samples}"
    name = escaped(str(run.model["name"]))
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
