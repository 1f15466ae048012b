"""The figure, drawn by matplotlib as it is by itself, and never with its global state."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlxjsd.analysis.compare import Comparison, Panel
from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap, scale_of
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.metrics import JSD, described
from mlxjsd.output.below import Below
from mlxjsd.output.colours import DIVERGING
from mlxjsd.output.marks import Marks, control_marks, draw_marks, edges_of, notes_of
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
from mlxjsd.text import clean


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
        linewidth=min(0.4, 10 * figure_of(axes).get_figwidth() / heatmap.layers),
        **colours,
    )
    axes.set_ylim(rows - 0.5, -0.5)  # the first row on top
    axes.set_yticks(range(rows), [escape(name) for name in heatmap.labels])
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


def bar_label(heatmap: Heatmap, name: str = "") -> str:
    """Return what stands at the colour bar: a name, or what the cells are, and their unit."""
    found, measured = heatmap.described, described(heatmap.metric).label
    unit = f"\n({escape(found.unit)})" if found.unit else ""
    # The kind of an effect has a line of its own: the bar is three rows high.
    kind = "" if heatmap.effect is None else f"{found.label.removesuffix(measured).strip()}\n"
    return f"{name or f'Avg {kind}{escape(measured)}'}{unit}"


def _inches(page: Page, heatmap: Heatmap, panels: int = 1, width: float | None = None) -> float:
    """Return about how wide panels of such heatmaps are."""
    longest = max(map(len, heatmap.labels), default=0)
    return page.panel(panels, width, longest, bar_label(heatmap).count("\n") + 1)


def _tall(rows: int) -> int:
    """Return how many rows high a panel is: the label of the colour bar takes some three."""
    return max(rows, 3)


def plot_heatmap(
    heatmap: Heatmap,
    title: str = "",
    style: Style | None = None,
    marks: Marks | None = None,
    page: Page | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Return the figure of one heatmap: its rows by layer, in the unit of its metric.

    Args:
        heatmap: what is drawn.
        title: above it.
        style: its colours.
        marks: a dot in some cells; below it is said what it means.
        page: its size.
        ax: axes of a figure of one's own to draw into, with the colour bar beside them. Their size
            and letters are left as that figure has them, and that figure is returned.
    """
    note = notes_of(heatmap, marks)
    if ax is not None:
        _draw_one(ax, heatmap, title, style, marks)
        if note:  # that figure's rooms are not ours: it stands below the word for layers
            letters = float(ax.xaxis.label.get_fontsize())
            inches = ax.get_window_extent().width / figure_of(ax).dpi
            ax.set_xlabel(f"Layer\n{(page or Page()).wrapped(escape(note), inches, letters)}")
        return figure_of(ax)
    with own_defaults():
        page = page or Page()
        page.set_letters()
        rows, layers = heatmap.mean.shape
        width = page.wide(min(max(4.5, 1.6 + 0.26 * layers), 24))
        title = page.wrapped(title, width) if page.width and page.title else title * page.title
        below = Below(page, escape(note), width)
        # Without a title cells are taller, so that the label of the bar still fits beside it.
        text = 1.2 * title.count("\n") + below.lines
        height = page.high(_tall(rows), text) + 0.95 * page.scale
        figure = ShownFigure((width, height), page.dpi, layout="constrained")
        axes = figure.add_subplot()
        _draw_one(axes, heatmap, title, style, marks)
        axes.set_xticks(page.ticks(heatmap, _inches(page, heatmap), 24))
        below.write(figure)
        return figure


def _draw_one(
    axes: Axes, heatmap: Heatmap, title: str, style: Style | None, marks: Marks | None
) -> None:
    tall = _tall(heatmap.mean.shape[0])
    mesh = draw_heatmap(axes, heatmap, (style or Style()).colours([heatmap]))
    axes.set_aspect("auto")
    if marks is not None:
        draw_marks(axes, heatmap, marks)
    bar = figure_of(axes).colorbar(mesh, ax=axes, pad=0.01, aspect=3 * tall)
    bar.set_label(bar_label(heatmap))
    bar.outline.set_linewidth(0.6)
    if title:
        axes.set_title(title)


def plot_run(
    run: Run,
    style: Style | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
    significance: bool = False,
    page: Page | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Return the figure of a run, with its model, number of prompts and corruption as title.

    Args:
        run: finished or not.
        style: its colours.
        metric: key of one that was measured.
        effect: see :meth:`mlxjsd.results.Run.heatmap`.
        significance: whether cells are marked that differ from their control for sure.
        page: its size, and whether it has a title.
        ax: axes to draw into; see :func:`plot_heatmap`.

    Raises:
        InputError: if the run did not measure this metric, does not hold this effect or, for
            ``significance``, has no control rows.
    """
    heatmap = run.heatmap(metric=metric, effect=effect)
    marks = control_marks(run, metric, effect) if significance else None
    return plot_heatmap(heatmap, title_of(run, heatmap.count), style, marks, page, ax)


@own_defaults()
def plot_groups(
    groups: Mapping[str, Heatmap],
    title: str = "",
    style: Style | None = None,
    columns: int = 3,
    marks: Mapping[str, Marks] | None = None,
    page: Page | None = None,
) -> Figure:
    """Return panels side by side on one colour scale, captioned (a), (b), (c) with each n.

    Args:
        groups: heatmaps of one grid and metric by caption, such as "Factual associations".
        title: over all panels.
        style: shared by them.
        columns: the most panels beside each other.
        marks: of some panels, by caption; all say the same.
        page: the size of the figure; in a narrow one, panels stand below each other.
    """
    page = page or Page()
    page.set_letters()
    first = next(iter(groups.values()))
    rows, layers = first.mean.shape
    colours = (style or Style()).colours([*groups.values()])
    columns = page.columns(min(len(groups), columns))
    lines = -(-len(groups) // columns)
    left_out = sum(heatmap.left_out for heatmap in groups.values())
    explained = next(iter(marks.values())) if marks else None
    note = notes_of(replace(first, left_out=left_out), explained)
    width = page.wide(min(max(3.4, 1.0 + 0.14 * layers), 12) * columns + 0.8)
    inches = _inches(page, first, columns, width)
    captions = [
        page.wrapped(f"{letter}{escape(caption)}, n = {heatmap.count}", inches)
        for letter, (caption, heatmap) in zip(_letters(len(groups)), groups.items(), strict=True)
    ]
    title = page.wrapped(title, width) if page.width and page.title else title * page.title
    below = Below(page, escape(note), width)
    text = lines * (1.4 + max(caption.count("\n") + 1 for caption in captions)) + below.lines
    text += 2.6 + 1.2 * (title.count("\n") + 1) * bool(title)
    figure = ShownFigure(
        (width, page.high(_tall(rows) * lines, text)), page.dpi, layout="constrained"
    )
    panels = figure.subplots(lines, columns, squeeze=False)
    for index, (name, heatmap) in enumerate(groups.items()):
        axes = panels.flat[index]
        mesh = draw_heatmap(axes, heatmap, colours)
        if marks and name in marks:
            draw_marks(axes, heatmap, marks[name])
        axes.set_xticks(page.ticks(heatmap, inches, 12))
        axes.set_title(captions[index], loc="left")
        axes.set_xlabel("")  # there is one for all
        if index + columns < len(groups):
            axes.set_xticklabels([])
        if index % columns:
            axes.set_yticklabels([])
    for axes in panels.flat[len(groups) :]:
        axes.set_visible(False)
    below.write(figure, "Layer")
    bar = figure.colorbar(mesh, ax=panels, pad=0.01, aspect=3 * _tall(rows) * lines)
    bar.set_label(bar_label(first))
    if title:
        figure.suptitle(title)
    return figure


def _letters(count: int) -> list[str]:
    """Return what goes in front of captions, as far as the alphabet goes."""
    return [f"({chr(ord('a') + n)}) " if count <= 26 else "" for n in range(count)]


@own_defaults()
def plot_comparison(
    comparison: Comparison,
    style: Style | None = None,
    marks: Marks | None = None,
    page: Page | None = None,
) -> Figure:
    """Return both heatmaps and their difference, the latter on a diverging scale around 0.

    ``marks`` puts dots into some cells of the difference, and says below what they mean.
    """
    page = page or Page()
    page.set_letters()
    a, b = (_bare(panel, panel.mean) for panel in (comparison.a, comparison.b))
    difference = _bare(comparison.a, comparison.difference)
    colours = (style or Style()).colours([a, b])
    rows, columns = a.mean.shape
    width = page.wide(min(max(4.5, 1.8 + 0.26 * columns), 24))
    inches = _inches(page, a, width=width)
    names = [page.wrapped(f"{letter}: {escape(panel.name)}", inches)
             for letter, panel in (("A", comparison.a), ("B", comparison.b))]  # fmt: skip
    below = Below(page, escape(notes_of(difference, marks)), width)
    text = 8.4 + 1.2 * sum(name.count("\n") + 1 for name in names) + below.lines
    height = page.high(3 * _tall(rows), text)
    figure = ShownFigure((width, height), page.dpi, layout="constrained")
    upper, middle, lower = figure.subplots(3)
    for axes, heatmap, name in ((upper, a, names[0]), (middle, b, names[1])):
        mesh = draw_heatmap(axes, heatmap, colours)
        axes.set_title(name, loc="left")
    bar = figure.colorbar(mesh, ax=[upper, middle], pad=0.01, aspect=6 * _tall(rows))
    bar.set_label(bar_label(a))
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
    below.write(figure, f"Layer{relative}")
    bar = figure.colorbar(mesh, ax=lower, pad=0.01, aspect=3 * _tall(rows))
    bar.set_label(bar_label(a, "A - B"))
    if marks is not None:
        draw_marks(lower, difference, marks)
    return figure


def _bare(panel: Panel, mean: np.ndarray) -> Heatmap:
    nothing = np.full_like(mean, np.nan)
    return Heatmap(mean, nothing, 1, rows=panel.rows, metric=panel.metric, effect=panel.effect,
                   names=panel.names)  # fmt: skip


def escape(text: str) -> str:
    """Return text that a figure shows as it is, on one line."""
    return clean(text).replace("$", r"\$")  # a dollar sign would open a formula


def title_of(run: Run, count: int | None = None, windows: str | None = None) -> str:
    """Say what a picture shows: model, prompts, corruption, windows.

    ``count`` is of the prompts that it shows; None for all that were measured. ``windows`` are
    those that matter for it; None for those of the rows.
    """
    settings = run.settings
    corruption = CORRUPTIONS[settings.corruption].title.format(level=settings.noise_level)
    if settings.samples > 1:
        corruption += f" x {settings.samples}"
    name = escape(str(run.model["name"]))
    said = f", {settings.described}" if windows is None else windows + settings.framing
    how = corruption + said
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
