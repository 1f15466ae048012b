"""One sentence as text, picture, report and JSON, with made-up numbers."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import LAYERS, record, run_of
from reports import edit, sealed
from rich.console import Console

from mlxjsd.analysis.answers import Labels
from mlxjsd.analysis.calibration import place_among
from mlxjsd.asked import ONE_DRAW, Asked, NextTokens
from mlxjsd.errors import InputError
from mlxjsd.output.asked_figure import plot_asked
from mlxjsd.output.asked_files import write_asked
from mlxjsd.output.asked_text import asked_text, map_heatmaps
from mlxjsd.output.report.reading import read_report
from mlxjsd.records import Grid
from mlxjsd.settings import Settings

EVIL = "<script>alert(1)</script>|`x` $a$ \x1b[31m [red]"
GRID = Grid(LAYERS, maps=("residual", "residual:denoising"))


def asked_of(token: str = " Paris", **changes: Any) -> Asked:
    maps = np.zeros((2, 1, 5, LAYERS), np.float32)
    maps[0, 0, 2:] = np.linspace(0, 0.5, 3 * LAYERS).reshape(3, LAYERS)
    one = record(0, grid=GRID, maps=maps, prediction=token, **changes)
    settings = Settings(maps=("residual",), direction="both")
    tokens = (token, " Rome", " a", "", " \n")
    shares = (0.5, 0.25, 0.125, 0.0625, 0.03125)
    labels = Labels(("FA", "AH", "UH"), 0.25, False)
    return Asked(
        run_of(1, grid=GRID, records=[one], settings=settings),
        tuple(
            NextTokens(run, tokens[::turn], (7, 8, 9, 10, 11)[::turn], shares, shares[::turn][0])
            for run, turn in (("clean", 1), ("corrupted", -1), ("hidden", 1))
        ),
        "noise",
        place_among(one.reliance, [0.1, 0.2, 0.9], labels, "a run"),
    )


def printed(asked: Asked, width: int, colours: int = 0) -> str:
    console = Console(
        width=width, force_terminal=colours > 0, color_system="256" if colours else None
    )
    with console.capture() as found:
        console.print(asked_text(asked, width, colours), markup=False, highlight=False)
    return found.get()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits_the_width(width: int) -> None:
    said = printed(asked_of(), width)
    assert max(map(len, said.splitlines())) <= width
    for part in ("50.0%", "The capital of|", "[ country", " 0]", "country*", "0*", "is "):
        assert part in said
    assert ONE_DRAW in " ".join(said.split())
    assert "noise floor 0 nats" in " ".join(said.split())


def test_both_maps_are_shown_from_the_subject_on() -> None:
    one = asked_of().record
    (_, shown), (_, restored) = map_heatmaps(one)
    np.testing.assert_array_equal(shown.mean, one.map("residual")[2:])
    assert shown.labels == ("country*", "0*", "is") == restored.labels
    said = printed(asked_of(), 80)
    assert "Residual stream: one token's state exchanged after each layer" in said
    assert "Residual stream restored: " in said
    assert said.count("country*") == 2
    assert said.count("The capital of") == 1, "among the tokens alone"


def test_colours_mark_the_subject_where_there_are_some() -> None:
    said = printed(asked_of(), 80, 256)
    # Rich keeps the codes of a style's first console, whichever colours that one had.
    assert re.search(r"48;[25];[\d;]+m country", said)
    assert "[ country" not in said.replace("\x1b[", "")


def test_json_holds_the_numbers(tmp_path: Path) -> None:
    asked = asked_of()
    write_asked(asked, tmp_path / "a.json")
    kept = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(kept["rows"]["jsd"]["attn"], asked.record.jsd[1], atol=1e-7)
    np.testing.assert_allclose(
        kept["maps"]["jsd"]["residual"], asked.record.map("residual"), atol=1e-7
    )
    assert kept["next_tokens"][1]["probabilities"] == [0.5, 0.25, 0.125, 0.0625, 0.03125]
    assert kept["next_tokens"][1]["predicted"] == 0.03125
    assert kept["reliance"] == pytest.approx(asked.reliance)
    assert kept["calibration"]["threshold"] == 0.25
    assert kept["subject_span"] == [2, 4]
    assert kept["sentences"] == asked.sentences()


def test_what_is_not_measured_is_null(tmp_path: Path) -> None:
    cells = np.full((3, LAYERS), np.nan, np.float32)
    cells[0] = 0.5
    write_asked(asked_of(jsd=cells, reliance=float("nan")), tmp_path / "a.json")
    kept = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert kept["reliance"] is None
    assert kept["rows"]["jsd"]["attn"] == [None] * LAYERS


def test_a_report_says_what_comes_next_and_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    asked = asked_of(EVIL, text=f"The {EVIL} country 0 is")
    write_asked(asked, path)
    page = path.read_text(encoding="utf-8")
    assert "What comes next" in page
    assert "Rome (25.0%)</td>" in page
    assert "FA and AH look alike" in page
    assert "<script>alert" not in page.split('id="mlxjsd-data"')[0]
    np.testing.assert_allclose(
        read_report(path).run.records[0].cells, asked.record.cells, atol=1e-4
    )
    other = tmp_path / "b.html"
    for change, into in ((edit, "Lyon"), (sealed, []), (sealed, 0)):
        other.write_bytes(path.read_bytes())
        change(other, lambda document, into=into: document.update(asked=into))
        with pytest.raises(InputError, match="edited or damaged"):
            read_report(other)


@pytest.mark.filterwarnings("error")
def test_the_page_is_drawn_of_any_tokens(tmp_path: Path) -> None:
    token = f"東京 {EVIL} \ufffd"
    tokens = ("<s>", "The capital of", f" {token}", " 0", " is")
    asked = asked_of(token, tokens=tokens)
    write_asked(asked, tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "Next token, subject hidden" in drawn
    assert "Rome" in drawn
    assert "<script" not in drawn


def test_a_long_sentence_breaks_into_lines() -> None:
    grid = Grid(LAYERS)
    short, long = (
        record(0, grid=grid, tokens=("<s>", *[" word"] * n, " is"), subject_span=(1, 2))
        for n in (3, 90)
    )
    heights = []
    for one in (short, long):
        asked = asked_of()
        heights.append(
            plot_asked(
                Asked(run_of(1, grid=grid, records=[one]), asked.next_tokens, "noise")
            ).get_figheight()
        )
    assert heights[1] > heights[0] + 0.8


def test_a_notebook_shows_it() -> None:
    asked = asked_of(EVIL)
    shown = asked._repr_html_()
    assert "<td>Rome 25.0%</td>" in shown
    assert "Next token, subject hidden" in shown
    assert "<script" not in shown
