"""Models of any depth on terminals of any width: nothing wraps, and nothing is left out."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from records import run_of
from rich.console import Console

from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.output.colours import STEPS, level_of, numbers
from mlxjsd.output.columns import Columns
from mlxjsd.output.terminal import heatmap_text


def printed(heatmap: Heatmap, width: int, colours: int) -> list[str]:
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system="256", width=width, highlight=False
    )
    console.print(heatmap_text(heatmap, width, colours))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", line)


@pytest.mark.parametrize("layers", [1, 6, 32, 80, 126])
@pytest.mark.parametrize("width", [20, 40, 80, 250])
@pytest.mark.parametrize("colours", [0, 256])
def test_no_line_wraps_and_every_layer_is_there(layers: int, width: int, colours: int) -> None:
    heatmap = run_of(layers=layers).heatmap()
    lines = [plain(line) for line in printed(heatmap, width, colours)]
    assert max(map(len, lines)) <= width
    parts = sum(line.startswith("Layer") for line in lines)
    gutter = 7
    most = (width - gutter) * (2 if colours else 1)
    assert parts == -(-layers // most)
    rows = [line for line in lines if line.startswith("Subj.")]
    assert len(rows) == parts
    drawn = sum(len(row) - gutter for row in rows)
    assert drawn * (2 if colours else 1) >= layers


def test_two_layers_of_a_column_have_their_colours_from_the_palette() -> None:
    heatmap = run_of(layers=80).heatmap()
    line = printed(heatmap, 80, 256)[0]
    columns = Columns(80, 73)
    found = re.findall(r"\x1b\[38;5;(\d+);48;5;(\d+)m(▌+)", line)
    drawn = [int(n) for front, behind, text in found for _ in text for n in (front, behind)]
    wanted = [
        numbers("Blues")[level_of(heatmap.mean[0, layer] / np.nanmax(heatmap.mean))]
        for layer in columns.parts_of
    ]
    assert drawn == wanted
    assert set(drawn) <= set(STEPS["Blues"])


def test_there_are_no_ticks_before_there_is_a_number() -> None:
    before, after = (heatmap_text(run_of(n).heatmap(), 80).plain for n in (0, 2))
    assert "scale" not in before
    assert "0.0" in after.splitlines()[-1].split()


def test_long_names_leave_room_for_the_cells() -> None:
    heatmap = replace(run_of().heatmap(), rows=("r" * 60, "subj", "last"))
    lines = heatmap_text(heatmap, 60).plain.splitlines()
    assert lines[0].startswith("rrrr")
    assert "…" in lines[0]
    assert max(map(len, lines)) <= 60
