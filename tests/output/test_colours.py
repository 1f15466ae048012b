"""One set of colour maps for the terminal and the app, which is matplotlib's."""

import io

import numpy as np
import pytest
from matplotlib import colormaps
from records import run_of
from rich.console import Console

from mlxjsd.output.colours import (
    COLOUR_MAPS,
    DIVERGING,
    LEVELS,
    ON_DARK,
    SEQUENTIAL,
    STEPS,
    hex_of,
    level_of,
    numbers,
    ramp,
    shown,
    text_on,
)
from mlxjsd.output.figure import plot_run
from mlxjsd.output.terminal import heatmap_text
from mlxjsd.output.xterm import TRUECOLOUR, contrast, lab, nearest, xterm
from mlxjsd.tui.colours import foregrounds

#: Of 255: those of a smooth map lie between fewer samples.
TOLERANCE = dict.fromkeys(("Blues", "Blues_r", "Greys", "magma", DIVERGING), 3) | {"viridis": 6}


@pytest.mark.parametrize("name", [*COLOUR_MAPS, DIVERGING])
def test_the_colours_are_those_of_matplotlib(name: str) -> None:
    wanted = colormaps[name](np.linspace(0, 1, LEVELS))[:, :3] * 255
    assert np.abs(np.array(ramp(name)) - wanted).max() < TOLERANCE[name]
    assert foregrounds(name) == tuple(map(hex_of, ramp(name)))


def test_a_cell_has_one_colour_on_the_terminal_and_in_the_figure() -> None:
    run = run_of()
    mesh = plot_run(run).axes[0].collections[0]
    text = heatmap_text(run.heatmap(), 80)
    console = Console(file=io.StringIO())
    lines = text.split("\n")[:3]
    low, high = mesh.get_clim()
    for line, values in zip(lines, run.heatmap().mean, strict=True):
        width = (len(line) - 7) // len(values)
        for layer, value in enumerate(values):
            style = line.get_style_at_offset(console, 7 + layer * width)
            assert style.bgcolor is not None
            shown = np.array(style.bgcolor.get_truecolor())
            assert hex_of(tuple(shown)) == hex_of(ramp("Blues")[level_of(value / high)])
            drawn = np.array(mesh.cmap((value - low) / (high - low))[:3]) * 255
            assert np.abs(shown - drawn).max() < 8, "of two levels beside each other"


@pytest.mark.parametrize("name", [*COLOUR_MAPS, DIVERGING])
def test_lightness_goes_one_way_in_the_palette_of_256(name: str) -> None:
    light = [lab(xterm(number))[0] for number in STEPS[name]]
    assert 11 <= len(light) <= 14
    if name == DIVERGING:
        middle = len(light) // 2
        assert light[middle] == max(light)
        assert (np.diff(light[: middle + 1]) > 1.5).all()
        assert (np.diff(light[middle:]) < -1.5).all()
        return
    steps = np.diff(light) * np.sign(light[-1] - light[0])
    assert (steps > 1.5).all()
    # The same way as the map itself, and about as far.
    ends = [lab(ramp(name)[at])[0] for at in (0, -1)]
    assert np.abs(np.array([light[0], light[-1]]) - ends).max() < 14


def test_the_usual_map_is_one_hue_and_differences_are_two() -> None:
    def hues(steps: tuple[int, ...]) -> np.ndarray:
        found = np.array([lab(xterm(number)) for number in steps])
        grey = np.hypot(found[:, 1], found[:, 2]) < 5
        return np.degrees(np.arctan2(found[:, 2], found[:, 1]))[~grey]

    assert STEPS[ON_DARK] == STEPS[SEQUENTIAL][::-1]
    for blue in (hues(STEPS[SEQUENTIAL]), hues(STEPS[DIVERGING][:6])):
        assert ((blue > -105) & (blue < -50)).all()
    red = hues(STEPS[DIVERGING][7:])
    assert ((red > 15) & (red < 45)).all()


def test_every_level_has_a_step_and_the_ends_are_the_ends() -> None:
    for name, steps in STEPS.items():
        assert len(numbers(name)) == LEVELS
        assert tuple(dict.fromkeys(numbers(name))) == steps
        assert shown(name, 256) == tuple(xterm(n) for n in numbers(name))
        assert shown(name) == ramp(name)


@pytest.mark.parametrize("colours", [256, TRUECOLOUR])
@pytest.mark.parametrize("name", [*COLOUR_MAPS, DIVERGING])
def test_numbers_can_be_read_on_every_colour(name: str, colours: int) -> None:
    assert min(contrast(text_on(rgb), rgb) for rgb in shown(name, colours)) >= 4.5
    for rgb in shown(name, colours):
        others = (0, 0, 0), (255, 255, 255)
        assert contrast(text_on(rgb), rgb) == max(contrast(other, rgb) for other in others)


def test_the_low_end_is_near_the_background() -> None:
    dark, light = (lab(rgb)[0] for rgb in ((18, 18, 18), (224, 224, 224)))
    for colours in (256, TRUECOLOUR):
        low, high = (lab(shown(ON_DARK, colours)[at])[0] for at in (0, -1))
        assert low - dark < 20 < high - dark
        low, high = (lab(shown(SEQUENTIAL, colours)[at])[0] for at in (0, -1))
        assert abs(low - light) < 20 < light - high


def test_a_colour_of_the_palette_is_nearest_to_itself() -> None:
    assert {nearest(xterm(number)) for number in range(16, 256)} == set(range(16, 256))
    assert nearest((0x24, 0x2F, 0x38)) == 236, "a dark grey, not navy"
