"""The figure, drawn by matplotlib as it is by itself, and never with its global state."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.compare import Comparison, Panel
from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.metrics import JSD, described
from mlxjsd.output.colours import DIVERGING
from mlxjsd.output.page import Page, ticks
from mlxjsd.output.plain_matplotlib import (
    Axes,
    Figure,
    QuadMesh,
    ShownFigure,
    own_defaults,
)
from mlxjsd.output.style import Style
from mlxjsd.output.writers import FIGURES
from mlxjsd.results import Run
from mlxjsd.rows import label
from mlxjsd.text import clean


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
        linewidth=min(0.4, 10 * figure_of(axes).get_figwidth() / layers),
        **colours,
    )
    axes.set_ylim(rows - 0.5, -0.5)  # the first row on top
    axes.set_yticks(range(rows), [escape(label(key)) for key in heatmap.rows])
    axes.set_xticks(ticks(heatmap, 24))
    axes.tick_params(length=0)
    axes.set_xlabel("Layer")
    for spine in axes.spines.values():
        spine.set_linewidth(0.6)
    return mesh


def figure_of(axes: Axes) -> Figure:
    """Return the figure that axes are part of, also of a part of it."""
    found: Any = axes.figure
    while not isinstance(found, Figure):
        found = found.figure
    return found


def bar_label(metric: str, name: str = "") -> str:
    """Return what stands at the colour bar: a name, or what the cells are, and their unit."""
    found = described(metric)
    unit = f"\n({escape(found.unit)})" if found.unit else ""
    return f"{name or 'Avg ' + escape(found.label)}{unit}"


def _tall(rows: int) -> int:
    """Return how many rows high a panel is: the label of the colour bar takes some three."""
    return max(rows, 3)


def plot_heatmap(
    heatmap: Heatmap,
    title: str = "",
    style: Style | None = None,
    page: Page | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Return the figure of one heatmap: its rows by layer, in the unit of its metric.

    Args:
        heatmap: what is drawn.
        title: above it.
        style: its colours.
        page: its size.
        ax: axes of a figure of one's own to draw into, with the colour bar beside them. Their size
            and letters are left as that figure has them, and that figure is returned.
    """
    if ax is not None:
        _draw_one(ax, heatmap, title, style)
        return figure_of(ax)
    with own_defaults():
        page = page or Page()
        page.set_letters()
        rows, layers = heatmap.mean.shape
        width = page.wide(min(max(4.5, 1.6 + 0.26 * layers), 24))
        title = page.wrapped(title, width) if page.width and page.title else title * page.title
        # Without a title cells are taller, so that the label of the bar still fits beside it.
        height = page.high(_tall(rows), 1.2 * title.count("\n")) + 0.95 * page.scale
        figure = ShownFigure((width, height), page.dpi, layout="constrained")
        axes = figure.add_subplot()
        _draw_one(axes, heatmap, title, style)
        axes.set_xticks(page.ticks(heatmap, page.panel(), 24))
        return figure


def _draw_one(axes: Axes, heatmap: Heatmap, title: str, style: Style | None) -> None:
    tall = _tall(heatmap.mean.shape[0])
    mesh = draw_heatmap(axes, heatmap, (style or Style()).colours([heatmap]))
    axes.set_aspect("auto")
    bar = figure_of(axes).colorbar(mesh, ax=axes, pad=0.01, aspect=3 * tall)
    bar.set_label(bar_label(heatmap.metric))
    bar.outline.set_linewidth(0.6)
    if title:
        axes.set_title(title)


def plot_run(
    run: Run,
    style: Style | None = None,
    metric: str = JSD.key,
    page: Page | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Return the figure of a run, with its model, number of prompts and corruption as title.

    Args:
        run: finished or not.
        style: its colours.
        metric: key of one that was measured.
        page: its size, and whether it has a title.
        ax: axes to draw into; see :func:`plot_heatmap`.

    Raises:
        InputError: if the run did not measure this metric.
    """
    heatmap = run.heatmap(metric=metric)
    return plot_heatmap(heatmap, title_of(run, heatmap.count), style, page, ax)


@own_defaults()
def plot_groups(
    groups: Mapping[str, Heatmap],
    title: str = "",
    style: Style | None = None,
    columns: int = 3,
    page: Page | None = None,
) -> Figure:
    """Return panels side by side on one colour scale, captioned (a), (b), (c) with each n.

    Args:
        groups: heatmaps of one grid and metric by caption, such as "Factual associations".
        title: over all panels.
        style: shared by them.
        columns: the most panels beside each other.
        page: the size of the figure; in a narrow one, panels stand below each other.
    """
    page = page or Page()
    page.set_letters()
    first = next(iter(groups.values()))
    rows, layers = first.mean.shape
    colours = (style or Style()).colours([*groups.values()])
    columns = page.columns(min(len(groups), columns))
    lines = -(-len(groups) // columns)
    width = page.wide(min(max(3.4, 1.0 + 0.14 * layers), 12) * columns + 0.8)
    inches = page.panel(columns, width)
    captions = [
        page.wrapped(f"{letter}{escape(caption)}, n = {heatmap.count}", inches)
        for letter, (caption, heatmap) in zip(_letters(len(groups)), groups.items(), strict=True)
    ]
    title = page.wrapped(title, width) if page.width and page.title else title * page.title
    text = lines * (1.4 + max(caption.count("\n") + 1 for caption in captions))
    text += 2.6 + 1.2 * (title.count("\n") + 1) * bool(title)
    figure = ShownFigure(
        (width, page.high(_tall(rows) * lines, text)), page.dpi, layout="constrained"
    )
    panels = figure.subplots(lines, columns, squeeze=False)
    for index, (caption, heatmap) in enumerate(zip(captions, groups.values(), strict=True)):
        axes = panels.flat[index]
        mesh = draw_heatmap(axes, heatmap, colours)
        axes.set_xticks(page.ticks(heatmap, inches, 12))
        axes.set_title(caption, loc="left")
        axes.set_xlabel("")  # there is one for all
        if index + columns < len(groups):
            axes.set_xticklabels([])
        if index % columns:
            axes.set_yticklabels([])
    for axes in panels.flat[len(groups) :]:
        axes.set_visible(False)
    figure.supxlabel("Layer")
    bar = figure.colorbar(mesh, ax=panels, pad=0.01, aspect=3 * _tall(rows) * lines)
    bar.set_label(bar_label(first.metric))
    if title:
        figure.suptitle(title)
    return figure


def _letters(count: int) -> list[str]:
    """Return what goes in front of captions, as far as the alphabet goes."""
    return [f"({chr(ord('a') + n)}) " if count <= 26 else "" for n in range(count)]


@own_defaults()
def plot_comparison(
    comparison: Comparison, style: Style | None = None, page: Page | None = None
) -> Figure:
    """Return both heatmaps and their difference, the latter on a diverging scale around 0."""
    page = page or Page()
    page.set_letters()
    a, b = (_bare(panel, panel.mean) for panel in (comparison.a, comparison.b))
    difference = _bare(comparison.a, comparison.difference)
    colours = (style or Style()).colours([a, b])
    rows, columns = a.mean.shape
    width = page.wide(min(max(4.5, 1.8 + 0.26 * columns), 24))
    inches = page.panel(width=width)
    names = [page.wrapped(f"{letter}: {escape(panel.name)}", inches)
             for letter, panel in (("A", comparison.a), ("B", comparison.b))]  # fmt: skip
    text = 8.4 + 1.2 * sum(name.count("\n") + 1 for name in names)
    height = page.high(3 * _tall(rows), text)
    figure = ShownFigure((width, height), page.dpi, layout="constrained")
    upper, middle, lower = figure.subplots(3)
    for axes, heatmap, name in ((upper, a, names[0]), (middle, b, names[1])):
        mesh = draw_heatmap(axes, heatmap, colours)
        axes.set_title(name, loc="left")
    bar = figure.colorbar(mesh, ax=[upper, middle], pad=0.01, aspect=6 * _tall(rows))
    bar.set_label(bar_label(a.metric))
    _, farthest = scale_of([difference])
    around = Style(-farthest, farthest, DIVERGING).colours([difference])
    mesh = draw_heatmap(lower, difference, around)
    lower.set_title("A - B", loc="left")
    for axes in (upper, middle, lower):
        axes.set_xticks(page.ticks(a, inches, 24))
        axes.set_xlabel("")  # there is one for all
    for axes in (upper, middle):
        axes.set_xticklabels([])
    relative = "\n(the shallower model stretched over the depth)" if comparison.relative else ""
    figure.supxlabel(f"Layer{relative}")
    bar = figure.colorbar(mesh, ax=lower, pad=0.01, aspect=3 * _tall(rows))
    bar.set_label(bar_label(a.metric, "A - B"))
    return figure


def _bare(panel: Panel, mean: np.ndarray) -> Heatmap:
    return Heatmap(mean, np.full_like(mean, np.nan), 1, rows=panel.rows, metric=panel.metric)


def escape(text: str) -> str:
    """Return text that a figure shows as it is, on one line."""
    return clean(text).replace("$", r"\$")  # a dollar sign would open a formula


def title_of(run: Run, count: int | None = None) -> str:
    """Say what a picture shows: model, prompts, corruption.

    ``count`` is of the prompts that it shows; None for all that were measured.
    """
    settings = run.settings
    corruption = CORRUPTIONS[settings.corruption].title.format(level=settings.noise_level)
    if settings.samples > 1:
        corruption += f" x {settings.samples}"
    name = escape(str(run.model["name"]))
    how = f"{corruption}, window {settings.window}{settings.framing}"
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
