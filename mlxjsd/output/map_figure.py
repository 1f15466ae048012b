"""Maps as figures: the tokens of one prompt by layer, or the roles of many prompts' tokens."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.roles import RoleMap
from mlxjsd.analysis.token_map import SUBJECT_MARK, measured_maps, token_map
from mlxjsd.errors import InputError
from mlxjsd.maps import label, part_of
from mlxjsd.metrics import JSD
from mlxjsd.output.below import Below
from mlxjsd.output.figure import escape, figure_of, title_of
from mlxjsd.output.marks import notes_of
from mlxjsd.output.page import Page
from mlxjsd.output.plain_matplotlib import (
    Axes,
    Figure,
    QuadMesh,
    ShownFigure,
    own_defaults,
    set_fonts_for,
)
from mlxjsd.output.style import Style
from mlxjsd.records import Record
from mlxjsd.results import Run

#: More tokens than these, and those in front of the subject are left out.
_MANY = 40
#: Inches that a panel is high at most, as long as its letters can be read.
_HIGHEST = 14.0
#: Inches that a panel is high at most, whatever becomes of its letters.
_LIMIT = 40.0
#: Points of the smallest letters that can be read in print.
_SMALLEST = 6.0
#: Inches of a row, for each point of its letters: with some room, and at least.
_ROOMY, _TIGHT = 1.5 / 72, 1.2 / 72
#: Letters of a prompt's text that stand above its map at most; of a longer one, the end.
_LONGEST = 240
#: Share of the width that lines above a figure take: prompts have wide letters and long words.
_WIDE = 0.82


@dataclass(frozen=True)
class _Rows:
    """How high the rows of a panel are."""

    count: int
    page: Page

    @property
    def inches(self) -> float:
        """Of the panel: three rows of a heatmap at least, for the label of the colour bar."""
        roomy = self.count * self.page.letters * _ROOMY
        tight = self.count * min(_SMALLEST, self.page.letters) * _TIGHT
        return max(min(roomy, max(_HIGHEST, tight), _LIMIT), self.page.high(3, 0))

    @property
    def letters(self) -> float:
        """Points of the names of the rows."""
        return max(min(self.page.letters, self.inches / self.count / _TIGHT), _SMALLEST)

    @property
    def step(self) -> int:
        """From one row that is named to the next, where there is no room for all."""
        return max(-(-int(self.letters * _TIGHT * self.count * 100) // int(self.inches * 100)), 1)


def plot_map(
    source: Run | Record,
    prompt: str | int | None = None,
    maps: Sequence[str] | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
    style: Style | None = None,
    page: Page | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Return the maps of one prompt: its tokens down, the subject's with an asterisk, by layer.

    This is figure 1 of Meng et al. 2022. Layers that were not measured are blank. Of a long prompt,
    the tokens in front of the subject are left out, and the figure says so.

    Args:
        source: a run, or one prompt of it.
        prompt: which one of a run: its id, or its number from 1; None for the first.
        maps: a panel for each of these, such as ``residual:denoising``; None for all.
        metric: key of one that was measured.
        effect: what the exchanges change, in place of the numbers as they were measured.
        style: the colours of all panels.
        page: its size, and whether the prompt stands above it.
        ax: axes of a figure of one's own to draw into, of a single map.

    Raises:
        InputError: for a run without maps, these maps, this metric or this effect, or without such
            a prompt.
    """
    record = source if isinstance(source, Record) else source.prompt(prompt)
    names = measured_maps(record.grid, maps)
    found = {name: token_map(record, name, metric, effect) for name in names}
    start, end = record.subject_span
    skipped = start if len(record.tokens) > _MANY else 0
    left_out = f"the {skipped} tokens in front of the subject are left out" if skipped else ""
    if skipped:
        found = {name: _without(heatmap, skipped) for name, heatmap in found.items()}
    if ax is not None:
        if len(found) != 1:
            raise InputError(
                f"axes hold one map, and there are {', '.join(found)}", hint="name one with maps="
            )
        ((name, heatmap),) = found.items()
        _one_into(ax, heatmap, label(name), style, range(start - skipped, end - skipped))
        return figure_of(ax)
    title = [] if isinstance(source, Record) else [title_of(source, 1).split("    n = ")[0]]
    panels = _Panels(
        {escape(label(name)): heatmap for name, heatmap in found.items()},
        title="\n".join([*title, *_about(record)]),
        note=f"{SUBJECT_MARK} the subject" + (f"; {left_out}" if left_out else ""),
        bold=range(start - skipped, end - skipped),
    )
    return _drawn(panels, style, page)


def plot_roles(
    run: Run,
    by: str | None = None,
    maps: Sequence[str] | None = None,
    metric: str = JSD.key,
    effect: Effect | None = None,
    style: Style | None = None,
    page: Page | None = None,
) -> Figure:
    """Return averages of maps by the role of a token: roles down, layers across.

    This is figure 2 of Meng et al. 2022. At the right of each row stand the tokens that it is the
    average of; see :class:`mlxjsd.analysis.roles.RoleMap`.

    Args:
        run: one with maps, finished or not.
        by: a panel for each group of prompts, see :meth:`mlxjsd.results.Run.groups`; None for all.
        maps: a panel for each of these, such as ``residual:denoising``; None for all.
        metric: key of one that was measured.
        effect: what the exchanges change, in place of the numbers as they were measured.
        style: the colours of all panels.
        page: its size, and whether it has a title.

    Raises:
        InputError: for a run without a prompt, maps, these maps, this metric or this effect.
    """
    names = measured_maps(run.grid, maps)
    run.prompt()  # or say that there is none yet
    panels: dict[str, RoleMap] = {}
    by_map = (
        {name: run.roles(name, by or "", metric, effect) for name in names}
        if by
        else {name: {"": run.roles(name, None, metric, effect)} for name in names}
    )
    groups = list(next(iter(by_map.values())))
    for group in groups:
        for name in names:
            found = by_map[name][group]
            called = ", ".join(
                filter(None, [group, label(name) if len(names) > 1 or not by else ""])
            )
            panels[f"{escape(called)}, n = {found.count}"] = found
    return _drawn(
        _Panels(
            panels,
            title=title_of(
                run,
                None if by else next(iter(panels.values())).count,
                f", part window {run.settings.part_window}" if any(map(part_of, names)) else "",
            ),
            note="at the right of a row, the tokens that it is the mean of",
            counts={
                caption: found.tokens.max(axis=1).tolist() for caption, found in panels.items()
            },
            columns=len(names) if by and len(names) > 1 else 2,
        ),
        style,
        page,
    )


def _about(record: Record) -> list[str]:
    """Return the prompt's text, and what follows it."""
    text = escape(record.text)
    if len(text) > _LONGEST:
        text = f"… {text[-_LONGEST:]}"
    follows = f"predicts “{escape(record.prediction.strip())}” with {record.probability:.0%}"
    if record.answers:
        follows += f", expected: {escape(record.answers[0])}"
    return [text, follows]


def _without(heatmap: Heatmap, rows: int) -> Heatmap:
    """Return a map without its first rows."""
    names = heatmap.labels[rows:]
    mean, error = heatmap.mean[rows:], heatmap.error[rows:]
    return replace(heatmap, rows=heatmap.rows[rows:], mean=mean, error=error, names=names)


def _one_into(
    axes: Axes, heatmap: Heatmap, caption: str, style: Style | None, subject: Collection[int]
) -> None:
    with own_defaults():
        mesh = draw_map(axes, heatmap, (style or Style()).colours([heatmap]), bold=subject)
        axes.set_xlabel("Layer")
        axes.set_title(escape(caption), loc="left")
        figure_of(axes).colorbar(mesh, ax=axes, pad=0.01).set_label(_bar_label(heatmap))


def draw_map(
    axes: Axes,
    heatmap: Heatmap,
    colours: Mapping[str, Any],
    page: Page | None = None,
    bold: Collection[int] = (),
) -> QuadMesh:
    """Draw the rows of a map into ``axes``, in the ``colours`` that a :class:`Style` gives.

    What was not measured stays blank, and a row without a token is hatched. The names of some rows
    are ``bold``.
    """
    rows = _Rows(len(heatmap.rows), page or Page())
    mesh = axes.pcolormesh(
        np.arange(heatmap.layers + 1) - 0.5,
        np.arange(rows.count + 1) - 0.5,
        np.ma.masked_invalid(heatmap.mean),
        edgecolors="face",  # closes the seams between cells in print
        linewidth=min(0.4, 10 * figure_of(axes).get_figwidth() / heatmap.layers),
        **colours,
    )
    for row in np.flatnonzero(np.isnan(heatmap.mean).all(axis=1)) if heatmap.count else ():
        axes.axhspan(row - 0.5, row + 0.5, hatch="////", facecolor="none", edgecolor="0.75", lw=0)
    axes.set_ylim(rows.count - 0.5, -0.5)  # the first row on top
    named = [at for at in range(rows.count) if at % rows.step == 0]
    names = [escape(heatmap.labels[at]) for at in named]
    for at, tick in zip(named, axes.set_yticks(named, names, fontsize=rows.letters), strict=True):
        tick.label1.set_fontweight("bold" if at in bold else "normal")
    axes.set_xlim(-0.5, heatmap.layers - 0.5)
    axes.set_xticks((page or Page()).ticks(heatmap, 4.0, 12))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_linewidth(0.6)
    return mesh


def _bar_label(heatmap: Heatmap) -> str:
    found = heatmap.described
    return escape(found.label) + (f"\n({escape(found.unit)})" if found.unit else "")


@dataclass(frozen=True)
class _Panels:
    """What a figure of maps shows."""

    maps: Mapping[str, Heatmap]
    """By caption; of one metric and the same rows."""
    title: str
    note: str
    counts: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """By caption, what stands at the right of each row."""
    bold: Collection[int] = ()
    """The rows whose names are."""
    columns: int = 2
    """The most panels beside each other."""


@own_defaults()
def _drawn(panels: _Panels, style: Style | None, page: Page | None) -> Figure:
    page = page or Page()
    page.set_letters()
    heatmaps = [*panels.maps.values()]
    first = heatmaps[0]
    boxes = set_fonts_for("".join([*first.labels, *panels.maps, panels.title]))
    said = [panels.note, "letters that no font here has are boxes" if boxes else ""]
    rows = _Rows(len(first.rows), page)
    longest = max(map(len, first.labels))
    columns = page.columns(min(len(heatmaps), panels.columns))
    lines = -(-len(heatmaps) // columns)
    each = min(max(3.4, 1.0 + 0.14 * first.layers), 12)
    width = page.wide(each * columns + 0.8 + longest * rows.letters * 0.5 / 72)
    inches = page.panel(columns, width, longest)
    title = page.wrapped(panels.title, _WIDE * width) if page.title else ""
    captions = _captions(panels.maps, page, inches)
    below = Below(page, "; ".join(filter(None, [*said, escape(notes_of(first))])), width)
    text = lines * (1.4 + max(caption.count("\n") + 1 for caption in captions)) + below.lines
    text += 2.6 + 1.25 * (title.count("\n") + 1) * bool(title)
    height = rows.inches * lines + page.high(0, text)
    figure = ShownFigure((width, height), page.dpi, layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False)
    colours = (style or Style()).colours(heatmaps)
    for index, (name, heatmap) in enumerate(panels.maps.items()):
        one = axes.flat[index]
        mesh = draw_map(one, heatmap, colours, page, panels.bold)
        one.set_title(captions[index], loc="left")
        one.set_xticks(_apart(page.ticks(heatmap, inches, 12), heatmap.layers, inches, page))
        if index % columns:
            one.set_yticklabels([])
        if index + columns < len(heatmaps):
            one.set_xticklabels([])
        if name in panels.counts:
            at_right = one.secondary_yaxis("right")
            at_right.set_yticks(range(rows.count), [f"{n:,}" for n in panels.counts[name]])
            at_right.tick_params(length=0, labelsize=min(rows.letters, 0.8 * page.letters))
            at_right.spines["right"].set_visible(False)
    for one in axes.flat[len(heatmaps) :]:
        one.set_visible(False)
    below.write(figure, "Layer")
    bar = figure.colorbar(
        mesh,
        ax=axes,
        pad=0.03 if panels.counts else 0.01,
        aspect=min(40 * rows.inches * lines / 5, 60),
    )
    bar.set_label(_bar_label(first))
    bar.outline.set_linewidth(0.6)
    if title:
        figure.suptitle(title)
    return figure


def _apart(layers: Sequence[int], of: int, inches: float, page: Page) -> list[int]:
    """Return those of some layers whose numbers stand apart from each other."""
    kept: list[int] = []
    for layer in layers:
        if not kept or (layer - kept[-1]) * inches / of >= page.letters * 2 / 72:
            kept.append(layer)
    return kept


def _captions(names: Mapping[str, Heatmap], page: Page, inches: float) -> list[str]:
    several = 1 < len(names) <= 26
    letters = [f"({chr(ord('a') + n)}) " if several else "" for n in range(len(names))]
    return [page.wrapped(f"{a}{name}", inches) for a, name in zip(letters, names, strict=True)]
