"""Maps as figures and on a terminal: what is drawn is what was measured."""

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mapped import GRID, LAYERS, MAPS, mapped, mapped_run
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from rich.console import Console

import mlxjsd
from mlxjsd import Effect, Page
from mlxjsd.errors import InputError
from mlxjsd.output.terminal_maps import prompt_text, roles_text

CHANGE = Effect("change")


def meshes(figure: Figure) -> list[np.ndarray]:
    """The numbers of each panel; NaN where it is blank."""
    found = [c for axes in figure.axes for c in axes.collections if isinstance(c, QuadMesh)]
    return [np.ma.filled(mesh.get_array(), np.nan) for mesh in found if mesh.get_array().ndim == 2][
        : len(panels(figure))
    ]


def panels(figure: Figure) -> list[Any]:
    return [axes for axes in figure.axes if axes.get_title(loc="left")]


def names(figure: Figure) -> list[str]:
    return [text.get_text() for text in panels(figure)[0].get_yticklabels()]


def said(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts) + (figure.get_suptitle())


def test_each_panel_is_one_map_of_the_prompt() -> None:
    run = mapped_run()
    figure = mlxjsd.plot_map(run, "p0")
    record = run.prompt("p0")
    for drawn, name in zip(meshes(figure), MAPS, strict=True):
        np.testing.assert_array_equal(drawn, record.map(name))
    assert names(figure) == ["<s>", "The", "Eif*", "fel*", "Tower*", "is", "in"]
    titles = [axes.get_title(loc="left") for axes in panels(figure)]
    assert titles == ["(a) Residual stream", "(b) Residual stream restored"]
    assert "The capital of country 0 is" in said(figure)
    assert "“Lon” with 50%, expected: Paris" in said(figure)
    weights = [text.get_fontweight() for text in panels(figure)[0].get_yticklabels()]
    assert weights == ["normal"] * 2 + ["bold"] * 3 + ["normal"] * 2
    one = mlxjsd.plot_map(record, maps=[MAPS[1]], metric="prob", effect=CHANGE)
    np.testing.assert_allclose(meshes(one)[0], record.map(MAPS[1], "prob") - 0.2, atol=1e-6)
    (bar,) = [axes.get_ylabel() for axes in one.axes if axes.get_ylabel()]
    assert bar == "Change of Target Probability"


def test_roles_are_drawn_with_the_tokens_that_they_are_of() -> None:
    run = mapped_run(3)
    figure = mlxjsd.plot_roles(run)
    for drawn, name in zip(meshes(figure), MAPS, strict=True):
        np.testing.assert_array_equal(drawn, run.roles(name).mean)
    assert names(figure)[0] == "First subject token"
    at_right = panels(figure)[0].child_axes[0].get_yticklabels()
    assert [text.get_text() for text in at_right] == ["3", "1", "3", "3", "0", "3"]
    for axes in panels(figure):  # a blank row would be read as no effect
        hatched = [patch for patch in axes.patches if patch.get_hatch()]
        assert [patch.get_y() for patch in hatched] == [3.5]
    assert "window" not in figure.get_suptitle()  # of the rows' knockout
    grouped = mlxjsd.plot_roles(run, by="relation", maps=MAPS[:1])
    assert [axes.get_title(loc="left") for axes in panels(grouped)] == ["capital, n = 3"]
    with pytest.raises(InputError, match="holds no prompt yet"):
        mlxjsd.plot_roles(mapped_run(0))


def test_maps_of_parts_say_their_window() -> None:
    run = mapped_run(3, replace(GRID, maps=("residual", "mlp")))
    assert mlxjsd.plot_roles(run).get_suptitle().endswith("part window 10")


def test_layers_that_are_not_measured_are_blank() -> None:
    grid = replace(GRID, only=(1, 4))
    hidden = np.where(np.isin(np.arange(LAYERS), grid.only), mapped(0, grid).maps, np.nan)
    figure = mlxjsd.plot_map(mapped(0, grid, maps=hidden), maps=MAPS[:1])
    assert np.flatnonzero(np.isfinite(meshes(figure)[0]).all(axis=0)).tolist() == [1, 4]
    (axes,) = panels(figure)
    assert not axes.patch.get_hatch()
    assert axes.get_xticks().tolist() == [1, 4]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [None, 3.3])
def test_hostile_tokens_are_drawn_as_text(tmp_path: Path, width: float | None) -> None:
    tokens = (
        "\x1b[31mred\x07",
        "$x^2$",
        "\\frac{a}{b",
        "\u202eab",
        " 東京",
        "*",
        "y" * 400,
        "العربية",
    )
    text = "".join(tokens)
    record = mapped(0, tokens=tokens, subject_span=(1, 3), text=text, prediction="$\\x$")
    figure = mlxjsd.plot_map(record, page=Page(width, dpi=60))
    mlxjsd.save_figure(figure, tmp_path / "hostile.png")
    shown = names(figure)
    assert shown[:4] == ["[31mred", r"\$x^2\$*", r"\frac{a}{b*", "ab"]
    assert shown[5] == "*"
    assert panels(figure)[0].get_yticklabels()[5].get_fontweight() == "normal"
    assert len(shown[6]) == 18
    edge = figure.get_figwidth() * figure.dpi
    title = figure._suptitle.get_window_extent()  # type: ignore[attr-defined]
    assert title.x0 >= 0
    assert title.x1 <= edge


def test_a_long_prompt_leaves_out_what_is_in_front_of_the_subject() -> None:
    tokens = tuple(f" word{at}" for at in range(110))
    record = mapped(0, tokens=tokens, subject_span=(60, 63))
    figure = mlxjsd.plot_map(record, maps=MAPS[:1])
    assert len(names(figure)) == 50
    assert names(figure)[0] == "word60*"
    assert "the 60 tokens in front of the subject are left out" in said(figure)
    page = Page(dpi=60)
    early = mlxjsd.plot_map(replace(record, subject_span=(3, 6)), maps=MAPS[:1], page=page)
    assert len(names(early)) == 107
    early.canvas.draw()
    boxes = [text.get_window_extent() for text in panels(early)[0].get_yticklabels()]
    assert all(lower.y1 <= upper.y0 + 1 for upper, lower in pairwise(boxes))
    assert min(t.get_fontsize() for t in panels(early)[0].get_yticklabels()) >= 6


def test_axes_of_ones_own_hold_one_map() -> None:
    own = Figure()
    axes = own.add_subplot()
    assert mlxjsd.plot_map(mapped(), maps=MAPS[:1], ax=axes) is own
    assert axes.get_title(loc="left") == "Residual stream"
    with pytest.raises(InputError, match="axes hold one map"):
        mlxjsd.plot_map(mapped(), ax=axes)


def printed(shown: Any) -> str:
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(shown, markup=False)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_tokens_and_roles() -> None:
    run = mapped_run(3)
    tokens = printed(prompt_text(run, 1, 100))
    assert "Tower*" in tokens
    assert "Residual stream restored: JS Divergence" in tokens
    roles = printed(roles_text(run, 100, metric="prob", effect=CHANGE, maps=MAPS[:1]))
    assert "Middle subject tokens 1 " in roles
    assert "restored:" not in roles
    assert "at least half of it in layer" in " ".join(roles.split())
    assert "Residual stream, capital: " in printed(roles_text(run, 100, by="relation"))
