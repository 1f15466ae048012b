"""One sentence as a page: its tokens, what comes next, its rows, its maps, and the reading."""

from collections.abc import Iterator, Sequence
from functools import partial

from rich.cells import cell_len

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.analysis.token_map import SUBJECT_MARK, token_name
from mlxjsd.asked import Asked, NextTokens
from mlxjsd.output.asked_text import RUN_NAMES, map_heatmaps, numbers_of
from mlxjsd.output.below import Below
from mlxjsd.output.figure import bar_label, draw_heatmap, escape, title_of
from mlxjsd.output.map_figure import draw_map
from mlxjsd.output.page import Page
from mlxjsd.output.plain_matplotlib import (
    Axes,
    Figure,
    ShownFigure,
    own_defaults,
    set_fonts_for,
)
from mlxjsd.output.style import Style

#: Inches of the page's width, unless told otherwise.
_WIDE = 9.0
#: Inches, for letters of 10 points: a line of tokens, a bar of a probability, a row of cells, and
#: what stands around a panel.
_TOKENS, _LIKELY, _CELLS, _AROUND = 0.3, 0.21, 0.27, 0.62
#: Inches that a panel is high at most.
_HIGHEST = 14.0
#: Of the monospaced letters of tokens: their width over their size, and their size in points.
_MONOSPACED, _LETTERS = 0.602, 9.0
_SUBJECT, _OTHER = "#2171b5", "0.93"


@own_defaults()
def plot_asked(
    asked: Asked, style: Style | None = None, page: Page | None = None, note: bool = True
) -> Figure:
    """Return the page of one sentence.

    Args:
        asked: the sentence.
        style: the colours of its cells.
        page: its size, and whether model and corruption stand above it.
        note: whether the numbers and the sentences stand below it.
    """
    page = page or Page()
    page.set_letters()
    likely = [token for each in asked.next_tokens for token in each.tokens]
    set_fonts_for("".join([*asked.record.tokens, *likely, asked.against or ""]))
    scale, width = page.scale, page.wide(_WIDE)
    lines = _lines(asked, (width - 0.3) / (_LETTERS * scale * _MONOSPACED / 72))
    panels = [*_panels(asked)]
    said = " ".join([f"{numbers_of(asked)}.", *asked.sentences()]) if note else ""
    below = Below(page, escape(said), width)
    title = _title(asked, page, width)
    heights = [
        _TOKENS * len(lines),
        _LIKELY * len(asked.next_tokens[0].tokens) + _AROUND,
        *(min(_CELLS * max(len(heatmap.rows), 2), _HIGHEST) + _AROUND for _, heatmap in panels),
    ]
    above = 1.4 * (title.count("\n") + 1) * bool(title)
    height = scale * sum(heights) + page.high(0, above + below.lines)
    figure = ShownFigure((width, height), page.dpi, layout="constrained")
    grid = figure.add_gridspec(len(heights), len(asked.next_tokens), height_ratios=heights)
    _draw_tokens(figure.add_subplot(grid[0, :]), lines, _LETTERS * scale)
    for at, each in enumerate(asked.next_tokens):
        predicted = asked.next_tokens[0].ids[0]
        _draw_likely(figure.add_subplot(grid[1, at]), each, predicted)
    drawn: dict[str, list[Axes]] = {}
    for at, (caption, heatmap) in enumerate(panels):
        axes = figure.add_subplot(grid[2 + at, :])
        alike = [other for _, other in panels if other.metric == heatmap.metric]
        draw = draw_heatmap if heatmap.names is None else partial(draw_map, page=page)
        mesh = draw(axes, heatmap, (style or Style()).colours(alike))
        axes.set_xticks(page.ticks(heatmap, width - 2, 24))
        axes.set_title(caption, loc="left")
        axes.set_xlabel("Layer" if at == len(panels) - 1 else "")
        drawn.setdefault(heatmap.metric, []).append(axes)
        if len(drawn[heatmap.metric]) == len(alike):  # one scale for all of them
            bar = figure.colorbar(mesh, ax=drawn[heatmap.metric], pad=0.01, aspect=24)
            bar.set_label(bar_label(heatmap, escape(heatmap.described.label)))
            bar.outline.set_linewidth(0.6)
    if title:
        figure.suptitle(title)
    below.write(figure)
    return figure


def _title(asked: Asked, page: Page, width: float) -> str:
    if not page.title:
        return ""
    title = title_of(asked.run, 1).replace("    n = 1", "")
    if asked.against is not None:
        title += f"\nagainst: {escape(asked.against)}"
    return page.wrapped(title, width) if page.width else title


def _panels(asked: Asked) -> Iterator[tuple[str, Heatmap]]:
    """Yield the rows and the maps of each metric, with their captions."""
    for metric in asked.run.grid.metrics:
        yield "", asked.heatmap(metric)
        for caption, heatmap in map_heatmaps(asked.record, metric):
            yield f"{escape(caption)}; {SUBJECT_MARK} the subject", heatmap


def _lines(asked: Asked, most: float) -> list[list[tuple[str, bool]]]:
    """Return the tokens in lines of at most so many letters, and which are the subject's."""
    start, end = asked.record.subject_span
    lines: list[list[tuple[str, bool]]] = [[]]
    used = 0
    for at, token in enumerate(asked.record.tokens):
        said = escape(token_name(token))
        wide = cell_len(said) + 1
        if used and used + wide > most:
            lines.append([])
            used = 0
        lines[-1].append((said, start <= at < end))
        used += wide
    return lines


def _draw_tokens(axes: Axes, lines: Sequence[Sequence[tuple[str, bool]]], letters: float) -> None:
    """Draw a box for each token, those of the subject dark."""
    axes.set_axis_off()
    letter = letters * _MONOSPACED
    for down, line in enumerate(lines):
        x = letter / 2
        for said, inside in line:
            axes.annotate(
                said, (0, 1 - (down + 0.5) / len(lines)), (x, 0),
                xycoords="axes fraction", textcoords="offset points", annotation_clip=False,
                family="monospace", size=letters, va="center", color="white" if inside else "black",
                bbox={"boxstyle": "round,pad=0.18", "lw": 0, "fc": _SUBJECT if inside else _OTHER},
            )  # fmt: skip
            x += letter * (cell_len(said.replace(r"\$", "$")) + 1)


def _draw_likely(axes: Axes, likely: NextTokens, predicted: int) -> None:
    """Draw the likeliest next tokens of one run, the clean run's likeliest one dark."""
    places = range(len(likely.tokens))
    colours = [_SUBJECT if one == predicted else "#9ecae1" for one in likely.ids]
    axes.barh(places, likely.probabilities, color=colours, height=0.75)
    axes.set_yticks(places, [escape(token_name(token)) for token in likely.tokens])
    axes.set_ylim(len(likely.tokens) - 0.5, -0.5)
    axes.set_xlim(0, 1.25)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for place, share in zip(places, likely.probabilities, strict=True):
        axes.text(share + 0.02, place, f"{share:.1%}", va="center", size=8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(f"Next token, {RUN_NAMES[likely.run]}", loc="left")
