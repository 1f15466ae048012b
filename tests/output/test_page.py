"""Figures for a paper: their size, their letters, and that all of it is inside."""

from pathlib import Path

import numpy as np
import pytest
from commands import call
from matplotlib.figure import Figure
from matplotlib.text import Text
from records import record, run_of

from mlxjsd.analysis.compare import compare
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
from mlxjsd.output.page import Page
from mlxjsd.output.plain_matplotlib import matplotlib
from mlxjsd.results import Run

COLUMN = Page(3.3, 8, title=False)
MODEL = {"name": "Meta-Llama-3-8B-Instruct-4bit", "family": "llama", "sha256": "aa"}


def made(layers: int, count: int = 9, **changes: object) -> Run:
    """A run with prompts of all three categories."""
    records = [record(n, layers, answer="Paris" if n % 2 else "London") for n in range(count)]
    return run_of(count, layers, records=records, model=MODEL, **changes)


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
