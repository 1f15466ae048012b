"""Curves over the layers: each row with its interval, and what goes with the categories."""

from dataclasses import dataclass, replace

import numpy as np

from mlxjsd.analysis.curves import KINDS, confidences, cosines, norm_ratios
from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import Heatmap, aggregate, bootstrap_interval
from mlxjsd.errors import InputError
from mlxjsd.metrics import JSD
from mlxjsd.output.below import Below
from mlxjsd.output.figure import bar_label, escape, title_of
from mlxjsd.output.marks import notes_of
from mlxjsd.output.page import Page
from mlxjsd.output.plain_matplotlib import Axes, Figure, ShownFigure, own_defaults
from mlxjsd.output.style import Style
from mlxjsd.results import Run
from mlxjsd.row_names import label

#: Each row's line with its interval.
LINES = "lines"
#: Colours that most eyes can tell apart (Okabe & Ito 2008), and strokes that need no colour.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_STROKES = ("-", "--", "-.", ":")
#: More groups than these cannot be told apart.
MOST_GROUPS = 10


@dataclass(frozen=True)
class _Line:
    """A row of a heatmap, as it is drawn."""

    name: str
    heatmap: Heatmap
    ends: np.ndarray
    """(2, rows, L) of the interval."""
    row: int

    def draw(self, axes: Axes, look: int) -> None:
        """Draw the mean and the band, over the layers that are measured."""
        shown = list(self.heatmap.measured_layers)
        colour = _COLOURS[look % len(_COLOURS)]
        stroke = _STROKES[look % len(_STROKES)]
        mean, (low, high) = self.heatmap.mean[self.row, shown], self.ends[:, self.row, shown]
        axes.fill_between(shown, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(shown, mean, label=self.name, color=colour, linestyle=stroke, linewidth=1.2)


@own_defaults()
def plot_lines(
    run: Run,
    by: str | None = None,
    metric: str = JSD.key,
    style: Style | None = None,
    page: Page | None = None,
    effect: Effect | None = None,
) -> Figure:
    """Return each row's mean over the layers as a line, in a band of its 95 % interval.

    The interval is a bootstrap over prompts; see
    :func:`mlxjsd.analysis.heatmap.bootstrap_interval`.

    Args:
        run: finished or not.
        by: a panel for each row, and in it a line for each group, see
            :meth:`mlxjsd.results.Run.groups`; None for all rows in one panel.
        metric: key of one that was measured.
        style: its ends are those of the vertical axis.
        page: the size of the figure.
        effect: what the lines show in place of the numbers as they were measured; see
            :meth:`mlxjsd.results.Run.heatmap`.

    Raises:
        InputError: for a run without this metric, this effect or a prompt, or too many groups.
    """
    page, style = page or Page(), style or Style()
    page.set_letters()
    panels = _panels(run, by, metric, effect)
    drawn_first = next(iter(panels.values()))
    entries = [line.name for line in drawn_first]
    columns = page.columns(min(len(panels), 3))
    width = page.wide(6.4 if columns == 1 else 4.0 * columns)
    title = f"{title_of(run)}\nbands: 95 % interval over prompts" if page.title else ""
    title = page.wrapped(title, width)
    across = page.entries(max(map(len, entries)), width)
    text = 3.0 + 1.4 * -(-len(entries) // across) + 1.2 * (title.count("\n") + 1) * bool(title)
    lines = -(-len(panels) // columns)
    each = 6 if len(panels) == 1 or columns > 1 else 4
    heatmap = drawn_first[0].heatmap
    left_out = sum({id(line.heatmap): line.heatmap.left_out for line in drawn_first}.values())
    below = Below(page, escape(notes_of(replace(heatmap, left_out=left_out))), width)
    height = page.high(each * lines, text + 1.4 * lines * bool(by) + below.lines)
    figure = ShownFigure((width, height), page.dpi, layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for one, (caption, drawn) in zip(axes.flat, panels.items(), strict=False):
        for look, line in enumerate(drawn):
            line.draw(one, look)
        one.set_title(caption, loc="left")
        one.spines[["top", "right"]].set_visible(False)
    for one in axes.flat[len(panels) :]:
        one.set_visible(False)
    for one in axes.flat[max(len(panels) - columns, 0) : len(panels)]:
        one.tick_params(labelbottom=True)
    first = axes.flat[0]
    first.set_xlim(0, max(heatmap.layers - 1, 1))
    first.set_xticks(page.ticks(heatmap, page.panel(columns, width), 24 // columns))
    from_zero = heatmap.described.low == 0
    first.set_ylim(0 if style.vmin is None and from_zero else style.vmin, style.vmax)
    below.write(figure, "Layer")
    figure.supylabel(bar_label(heatmap))
    handles, names = first.get_legend_handles_labels()
    legend = figure.legend(
        handles, names, loc="outside upper center", ncols=min(across, len(names)), frameon=False
    )
    if title:  # in one block with the legend, which leaves itself room above the panels
        legend.set_title(title)
    return figure


def _panels(run: Run, by: str | None, metric: str, effect: Effect | None) -> dict[str, list[_Line]]:
    """Return the lines of each panel, by its caption."""
    heatmap = run.heatmap(metric=metric, effect=effect)
    if not run.records:
        raise InputError(
            "the run holds no prompt yet, so there is nothing to draw",
            hint="go on with `mlxjsd resume`",
        )
    rows = [escape(label(key)) for key in heatmap.rows]
    if by is None:
        ends = bootstrap_interval(run.cells(metric, effect))
        return {"": [_Line(row, heatmap, ends, at) for at, row in enumerate(rows)]}
    groups = run.groups(by)
    if len(groups) > MOST_GROUPS:
        raise InputError(
            f"{len(groups)} lines in one panel cannot be told apart",
            hint="leave --kind out: heatmaps have a panel for each group",
        )
    found = []
    for name, records in groups.items():
        own = aggregate(records, run.grid, metric, effect)
        ends = bootstrap_interval(run.cells(metric, effect, records))
        found.append((f"{escape(name)}, n = {own.count}", own, ends))
    return {row: [_Line(*each, at) for each in found] for at, row in enumerate(rows)}


_CATEGORY_COLOURS = {"FA": "#2171b5", "AH": "#d95f0e", "UH": "#737373", "wrong": "#d95f0e"}


@own_defaults()
def plot_curves(run: Run, kind: str, page: Page | None = None) -> Figure:
    """Return curves by category: ``norms``, ``cosine`` or ``probability``.

    Raises:
        InputError: for another ``kind``, or a run that cannot show it.
    """
    page = page or Page()
    page.set_letters()
    if kind not in KINDS:
        raise InputError(
            f"--kind is heatmap, {LINES}, map, roles, {', '.join(KINDS)}, not {kind!r}",
            hint="give one of them",
        )
    if kind == "probability":
        return _plot_confidence(run, page)
    found = run.categories()
    lines = norm_ratios(found) if kind == "norms" else cosines(found, run.cosines, run.criteria)
    figure = ShownFigure(_size(page, 6.4, 8), page.dpi, layout="constrained")
    axes = figure.add_subplot()
    for name, values in lines.items():
        axes.plot(values, label=name, color=_CATEGORY_COLOURS[name], marker=".")
    axes.set_xlabel("Layer")
    if kind == "norms":
        axes.set_ylabel("Norm of subject states,\nratio to FA")
    else:
        axes.set_ylabel("Mean pairwise cosine\nof last-token states")
    axes.legend(frameon=False)
    _finish(figure, run, page)
    return figure


def _plot_confidence(run: Run, page: Page) -> Figure:
    columns = page.columns(2)
    figure = ShownFigure(_size(page, 8.4, 7 * (3 - columns)), page.dpi, layout="constrained")
    left, right = figure.subplots(3 - columns, columns)
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
    _finish(figure, run, page)
    return figure


def _size(page: Page, width: float, rows: float) -> tuple[float, float]:
    return page.wide(width), page.high(rows, 5 if page.title else 3)


def _finish(figure: Figure, run: Run, page: Page) -> None:
    if page.title:
        figure.suptitle(page.wrapped(title_of(run), figure.get_figwidth()))
