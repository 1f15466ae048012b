"""One set of colour maps for the terminal and the app, which is matplotlib's."""

import io

import numpy as np
import pytest
from matplotlib import colormaps
from records import run_of
from rich.console import Console

from mlxjsd.output.colours import COLOUR_MAPS, DIVERGING, LEVELS, hex_of, level_of, ramp
from mlxjsd.output.figure import plot_run
from mlxjsd.output.terminal import heatmap_text
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
