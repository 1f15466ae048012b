"""Figures for a paper: their size, their letters, and that all of it is inside."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from matplotlib.figure import Figure
from matplotlib.text import Text
from records import record, run_of

from mlxjsd.analysis.compare import compare
from mlxjsd.analysis.effects import Effect
from mlxjsd.errors import InputError
from mlxjsd.output.curve_figure import plot_curves, plot_lines
from mlxjsd.output.figure import (
    plot_comparison,
    plot_groups,
    plot_heatmap,
    plot_run,
    save_figure,
    title_of,
)
from mlxjsd.output.markdown import panel_of
from mlxjsd.output.marks import Marks, group_marks
from mlxjsd.output.page import Page
from mlxjsd.output.plain_matplotlib import matplotlib
from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.rows import sets

COLUMN = Page(3.3, 8, title=False)
MODEL = {"name": "Meta-Llama-3-8B-Instruct-4bit", "family": "llama", "sha256": "aa"}


def made(layers: int, count: int = 9, **changes: object) -> Run:
    """A run with prompts of all three categories."""
    records = [record(n, layers, answer="Paris" if n % 2 else "London") for n in range(count)]
    return run_of(count, layers, records=records, model=MODEL, **changes)


SHARES = Effect("normalised")
ROWS = ("subj", "attn", "last", "attn-control", "subj:denoising")


def shares(layers: int, count: int = 16, rows: tuple[str, ...] = ROWS) -> Run:
    """A run with a control, of which two prompts have no total effect to speak of."""
    grid = Grid(layers, ("jsd", "logit_diff"), rows)
    rng, records = np.random.default_rng(0), []
    for n in range(count):
        cells = rng.normal(2, 0.3, (2, len(rows), layers)).astype(np.float32)
        cells[:, 1, 2:5] += 1  # beyond the control
        cells[:, 2] += n % 2  # differs between groups
        total = 4 if n < 2 else -2
        whole = np.array([[0, 0.3, 0.4], [4, 1, total]], np.float32)
        answer = "Paris" if n % 2 else "London"
        records.append(record(n, layers, grid, cells=cells, whole=whole, answer=answer))
    return replace(run_of(0, model=MODEL), grid=grid, records=records, total=count)


def draw_shares(kind: str, layers: int, page: Page) -> Figure:
    """One of the figures that have a note below them."""
    run, of = shares(layers), {"metric": "logit_diff", "effect": SHARES}
    if kind == "run":
        return plot_run(run, **of, significance=True, page=page)
    if kind == "groups":
        marks = group_marks(run, "category", **of)
        groups = run.heatmap(by="category", **of)
        return plot_groups(groups, title_of(run), marks=marks, page=page)
    if kind == "comparison":
        one, other = shares(layers, rows=ROWS[:3]), shares(layers, 12, ROWS[:3])
        both = compare(panel_of(one, **of), panel_of(other, **of))
        return plot_comparison(both, marks=Marks(both.difference > 0, "differs " * 12), page=page)
    return plot_lines(run, "category" if kind == "lines by category" else None, page=page, **of)


DRAW = {
    "run": lambda run, page: plot_run(run, page=page),
    "three panels": lambda run, page: (
        plot_groups(run.heatmap(by="category"), title, page=page)
        if (title := title_of(run))
        else None
    ),
    "comparison": lambda run, page: plot_comparison(
        compare(panel_of(run), panel_of(made(32, 7))), page=page
    ),
    "lines": lambda run, page: plot_lines(run, page=page),
    "lines by category": lambda run, page: plot_lines(run, "category", page=page),
    "many lines": lambda run, page: plot_lines(
        shares(len(run.grid.measured_layers), rows=sets()["all"]), page=page
    ),
    "norms": lambda run, page: plot_curves(run, "norms", page),
    "probability": lambda run, page: plot_curves(run, "probability", page),
}


def texts(figure: Figure) -> list[Text]:
    """What can be read in a figure, once it is laid out."""
    figure.draw_without_rendering()
    found = (text for text in figure.findobj(Text) if text.get_text().strip())
    return [text for text in found if text.get_visible() and _drawn(text, figure)]


def _drawn(text: Text, figure: Figure) -> bool:
    """Whether it is drawn: axes that are not shown hide their texts, and ticks their outside."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if text in (tick.label1, tick.label2) and not low <= tick.get_loc() <= high:
                    return False
    return text.axes is None or bool(text.axes.get_visible())


@pytest.mark.parametrize(("layers", "title"), [(32, True), (126, False)])
@pytest.mark.parametrize("kind", DRAW)
def test_in_a_column_all_can_be_read(kind: str, layers: int, title: bool) -> None:
    figure = DRAW[kind](made(layers), Page(3.3, 8, title))
    assert figure.get_figwidth() == 3.3
    found = texts(figure)
    assert len(found) > 6
    assert {text.get_fontsize() for text in found} == {8.0}
    assert_apart(figure, found)


@pytest.mark.parametrize("page", [Page(3.3, 8, title=False), Page(3.3, 7), Page()])
@pytest.mark.parametrize("kind", ["run", "groups", "comparison", "lines", "lines by category"])
def test_what_marks_and_effects_mean_stands_below_and_can_be_read(kind: str, page: Page) -> None:
    figure = draw_shares(kind, 32, page)
    found = texts(figure)
    (note,) = [text for text in found if text.get_gid() == "note"]
    said = note.get_text().replace("\n", " ")
    wanted = {"run": "from its control", "groups": "from (a)", "comparison": "differs differs"}
    assert wanted.get(kind, "left out, whose total effect is under 0.5 logits") in said
    assert note.get_fontsize() >= 6
    assert {text.get_fontsize() for text in found if text is not note} == {page.letters}
    assert_apart(figure, found)
    assert note.get_window_extent().y1 < min(
        text.get_window_extent().y0 for text in found if text is not note
    )
    layers = [text for text in found if text.get_text() == "Layer"]
    assert len(layers) == 1


def assert_apart(figure: Figure, found: list[Text]) -> None:
    """See that all texts are inside of the figure, and none of them upon another or the bar."""
    width, height = figure.bbox.size
    placed = []
    for text in found:
        box = text.get_window_extent()
        said = f"{text.get_text()!r} is inside"
        assert box.x0 > -1, said
        assert box.y0 > -1, said
        assert box.x1 < width + 1, said
        assert box.y1 < height + 1, said
        placed.append((text.get_text(), box.padded(-1)))
    for at, (one, box) in enumerate(placed):
        for other, its in placed[at + 1 :]:
            assert not box.overlaps(its), f"{one!r} is beside {other!r}"
    for legend in figure.legends:
        signs = [line.get_window_extent() for line in legend.get_lines()]
        assert all(box.x0 >= 0 and box.x1 <= width for box in signs), "its lines are inside"
    bars = [axes.get_window_extent() for axes in figure.axes if axes.get_label() == "<colorbar>"]
    for bar in bars:
        for one, box in placed:
            assert not box.overlaps(bar), f"{one!r} is beside the bar"


@pytest.mark.parametrize("kind", ["run", "three panels", "comparison", "lines"])
def test_by_itself_a_figure_has_letters_of_ten_points_that_are_all_inside(kind: str) -> None:
    figure = DRAW[kind](made(80), Page())
    found = texts(figure)
    assert {text.get_fontsize() for text in found} == {10.0}
    width, height = figure.bbox.size
    for text in found:
        box = text.get_window_extent()
        assert -1 < box.y0 < box.y1 < height + 1, text.get_text()
        assert -1 < box.x0 < box.x1 < width + 1, text.get_text()


def test_letters_fit_the_column_unless_told_otherwise() -> None:
    assert [Page().letters, Page(3.3).letters, Page(7).letters, Page(3.3, 6).letters] == [
        10, 8, 10, 6,
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"--width is a number from 1\.5 to 100, not 0"):
        Page(0)
    with pytest.raises(InputError, match="--font-size is a number from 4 to 72, not 300"):
        Page(font_size=300)


def test_panels_share_one_word_for_layers_and_the_bar_has_a_unit() -> None:
    run = made(32)
    for figure in (
        plot_groups(run.heatmap(by="category"), page=COLUMN),
        plot_groups(run.heatmap(by="category")),
        plot_comparison(compare(panel_of(run), panel_of(run))),
        plot_lines(run, "category"),
    ):
        said = [text.get_text() for text in texts(figure)]
        assert said.count("Layer") == 1
        assert "Avg JS Divergence\n(nats)" in said


def test_panels_of_a_narrow_figure_stand_below_each_other() -> None:
    groups = made(32).heatmap(by="category")
    for page, columns in ((COLUMN, 1), (Page(6.75, 8), 3), (Page(), 3)):
        places = {round(axes.get_position().x0, 3) for axes in plot_groups(groups, page=page).axes}
        assert len(places) - 1 == columns


def test_a_difference_says_of_what() -> None:
    one, other = made(32), made(32, 7)
    figure = plot_comparison(compare(panel_of(one), panel_of(other)))
    said = [axes.get_title(loc="left") for axes in figure.axes[:3]]
    assert said == [f"A: {MODEL['name']}, n = 9", f"B: {MODEL['name']}, n = 7", "A - B"]
    assert figure.axes[-1].get_ylabel() == "A - B\n(nats)"
    shown = np.asarray(figure.axes[2].collections[0].get_array()).reshape(3, 32)
    np.testing.assert_allclose(shown, one.heatmap().mean - other.heatmap().mean, atol=1e-6)


def test_lines_are_the_means_in_their_intervals() -> None:
    run = made(32, 20)
    figure = plot_lines(run)
    (axes,) = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert list(lines) == ["Subj.", "Attn.", "Last."]
    for at, (line, band) in enumerate(zip(lines.values(), axes.collections, strict=True)):
        np.testing.assert_allclose(line, run.heatmap().mean[at])
        edges = band.get_paths()[0].vertices
        for layer, mean in enumerate(line):
            ends = edges[edges[:, 0] == layer, 1]
            assert ends.min() < mean < ends.max()
    by = plot_lines(run, "category")
    assert [axes.get_title(loc="left") for axes in by.axes] == ["Subj.", "Attn.", "Last."]
    (legend,) = by.legends
    said = [text.get_text() for text in legend.get_texts()]
    assert said[0].startswith("FA, n = ")
    assert len(said) == len(by.axes[0].get_lines()) == len(run.groups("category"))


def test_lines_show_effects() -> None:
    run = shares(8)
    (axes,) = plot_lines(run, metric="logit_diff", effect=SHARES).axes
    wanted = run.heatmap(metric="logit_diff", effect=SHARES).mean
    for line, mean in zip(axes.get_lines(), wanted, strict=True):
        np.testing.assert_allclose(line.get_ydata(), mean)
    assert axes.get_ylim()[0] < 0, "shares go below 0"
    assert plot_lines(run, effect=SHARES).axes[0].get_ylim()[0] < 0, "also those of JSD"


def test_marks_in_axes_of_ones_own_are_explained_below_the_layers() -> None:
    own = Figure((3.3, 3))
    plot_run(shares(8), significance=True, ax=own.subplots())
    said = own.axes[0].get_xlabel()
    assert said.startswith("Layer\n")
    assert "differs from its control" in said.replace("\n", " ")
    assert not own.texts


def test_lines_that_cannot_be_told_apart_are_refused() -> None:
    records = [record(n, relation=f"r{n}") for n in range(11)]
    with pytest.raises(InputError, match="11 lines in one panel cannot be told apart"):
        plot_lines(run_of(11, records=records), "relation")
    with pytest.raises(InputError, match="nothing to draw"):
        plot_lines(run_of(0))


def test_a_heatmap_is_drawn_into_axes_that_are_there() -> None:
    with matplotlib.rc_context({"font.size": 17}):
        own = Figure()
        left, right = own.subplots(1, 2)
        run = run_of()
        assert plot_run(run, ax=right) is own
    assert right.get_xlabel() == "Layer"
    assert right.get_title().startswith("tiny")
    assert right.xaxis.label.get_fontsize() == 17, "it has the letters of its figure"
    assert not left.collections
    shown = np.asarray(right.collections[0].get_array()).reshape(3, -1)
    np.testing.assert_allclose(shown, run.heatmap().mean)
    assert own.axes[2].get_ylabel() == "Avg JS Divergence\n(nats)"
    (inner,) = [Figure().subfigures(1, 1, squeeze=False)[0, 0].subplots()]
    assert isinstance(plot_heatmap(run.heatmap(), ax=inner), Figure)


def test_the_command_takes_the_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    monkeypatch.setattr("mlxjsd.store.reader.read_run", lambda folder: made(32))
    paper = ("--width", 3.3, "--font-size", 8, "--dpi", 100)
    for more in ((), ("--by", "category"), ("--kind", "lines"), ("--kind", "norms")):
        path = tmp_path / "figure.png"
        assert call("plot", "run", *paper, "--no-title", *more, "-o", path) == 0
        assert Image.open(path).width == 330
    assert call("compare", "run", "run", *paper, "-o", path) == 0
    assert Image.open(path).width == 330
    assert call("plot", "run", "--no-title", "-o", tmp_path / "figure.svg") == 0
    assert MODEL["name"] not in (tmp_path / "figure.svg").read_text()
    assert call("plot", "run", "-o", tmp_path / "figure.svg") == 0
    assert MODEL["name"] in (tmp_path / "figure.svg").read_text()
    capsys.readouterr()
    assert call("plot", "run", "--dpi", 5, "-o", path) == 2
    assert capsys.readouterr().err == "mlxjsd: --dpi is a number from 30 to 2400, not 5; give one\n"


def test_text_stays_text_in_vectors(tmp_path: Path) -> None:
    figure = plot_lines(made(32), page=COLUMN)
    for ending in ("svg", "pdf"):
        save_figure(figure, tmp_path / f"figure.{ending}")
    drawn = (tmp_path / "figure.svg").read_text()
    for said in ("Layer", "Subj.", "Avg JS Divergence"):
        assert f">{said}</" in drawn
    # Letters that are outlines are of type 3, or no font at all.
    pdf = (tmp_path / "figure.pdf").read_bytes()
    assert b"/Subtype /Type3" not in pdf
    assert b"/Type0" in pdf
