"""Runs beside each other: cells and answers, prompt by prompt."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import call
from records import HEADER, LAYERS, record, run_of

from mlxjsd.analysis.answers import label
from mlxjsd.analysis.changes import Measured, changes
from mlxjsd.analysis.heatmap import Heatmap
from mlxjsd.errors import InputError
from mlxjsd.output.changes import changes_csv, changes_of, changes_text, named_runs
from mlxjsd.records import Grid, Record
from mlxjsd.store.writer import Store

COUNT = 12


def records(shift: np.ndarray, right: range, reliance: float = 0.4) -> list[Record]:
    """Prompts of which some are answered rightly; all cells are moved by ``shift`` (3, L)."""
    made = []
    for n in range(COUNT):
        base = record(n)
        answer = "Paris" if n in right else "Rome"
        own = reliance if n % 2 else 0.1
        made.append(
            record(n, jsd=base.jsd / 2 + shift, answers=("Paris",), answer=answer, reliance=own)
        )
    return made


def measured(name: str, found: list[Record]) -> Measured:
    return Measured(name, found, Grid(LAYERS), "contains", None)


def test_cells_are_compared_prompt_by_prompt() -> None:
    shift = np.zeros((3, LAYERS), np.float32)
    shift[1, 5] = 0.25
    first, second = records(shift * 0, range(6)), records(shift, range(6))
    shared, (change,) = changes([measured("a", first), measured("b", second[::-1])])
    assert shared == COUNT
    np.testing.assert_allclose(change.mean, shift, atol=1e-6)
    # Prompts differ by far more than the change, which is the same in each: it is certain.
    np.testing.assert_allclose(change.interval, [shift, shift], atol=1e-6)
    assert change.first_layer(1) == 5
    assert change.first_layer(0) is None
    assert not change.moves


def test_answers_that_move_are_counted_by_the_first_threshold() -> None:
    zero = np.zeros((3, LAYERS), np.float32)
    first, second = records(zero, range(6)), records(zero, range(2, 8), reliance=0.9)
    before = label(first)
    _, (change,) = changes([measured("a", first), measured("b", second)])
    by_hand = [
        (a, "FA" if n in range(2, 8) else "AH" if second[n].reliance > before.threshold else "UH")
        for n, a in enumerate(before.categories)
    ]
    assert sorted(change.counts.elements()) == sorted(by_hand)
    assert [move.categories for move in change.moves] == [p for p in by_hand if p[0] != p[1]]


def test_what_cannot_be_compared() -> None:
    zero = np.zeros((3, LAYERS), np.float32)
    found = records(zero, range(6))
    others = [replace(r, id=f"other-{r.id}") for r in found]
    with pytest.raises(InputError, match="a and b have no prompt in common"):
        changes([measured("a", found), measured("b", others)])
    with pytest.raises(InputError, match="a has 8 layers and b has 9, so their cells cannot be"):
        changes([measured("a", found), replace(measured("b", found), grid=Grid(LAYERS + 1))])
    other = Grid(LAYERS, rows=("mlp",))
    with pytest.raises(InputError, match="a and b have no row in common"):
        changes([measured("a", found), replace(measured("b", found), grid=other)])


def test_it_is_said_and_written() -> None:
    zero = np.zeros((3, LAYERS), np.float32)
    runs = named_runs(
        [
            replace(run_of(), records=found, model={"name": "m", "quantization": bits})
            for found, bits in (
                (records(zero, range(6)), "4 bits, groups of 64"),
                (records(zero + 0.1, range(3)), "3 bits, groups of 64"),
                (records(zero, range(6)), "2 bits, groups of 64"),
            )
        ],
        ["a", "b", "c"],
    )
    assert list(runs) == ["4 bits", "3 bits", "2 bits"], "what all say tells nothing apart"
    shared, found = changes_of(runs)
    text = changes_text(runs, shared, found)
    assert "12 prompts are in all runs; changes are from 4 bits" in text
    assert "| 3 bits | Subj. | +0.1000 |" in text
    assert "## 3 bits: 3 answers of another category" in text
    assert "## 2 bits" not in text
    rows = list(csv.reader(io.StringIO(changes_csv(found))))
    assert sum(len(row) == 12 for row in rows) == 1 + 2 * 3 * LAYERS
    assert sum(len(row) == 6 for row in rows) == 1 + 3


def test_the_command_takes_many_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zero = np.zeros((3, LAYERS), np.float32)
    folders = []
    for n, bits in enumerate(("4 bits", "3 bits", "2 bits")):
        folders.append(tmp_path / f"run-{n}")
        model = {**HEADER["model"], "quantization": bits, "dtype": "float16"}
        with Store(folders[-1], {**HEADER, "model": model, "total": COUNT}) as store:
            store.add(records(zero + n / 10, range(6 - n)))
    assert call("compare", *folders, "-o", tmp_path / "all.png") == 0
    assert "changes are from 4 bits" in capsys.readouterr().out
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    assert call("compare", *folders, "-o", tmp_path / "all.csv") == 0
    assert (tmp_path / "all.csv").read_text().startswith("run,row,layer,change,low,high,differs")
    assert call("compare", folders[0]) == 2
    assert call("compare", *folders, "--reference", "llama-3-8b-fa") == 2


def folder_of(path: Path, found: list[Record], layers: int = LAYERS, name: str = "tiny") -> Path:
    grid = Grid(layers)
    header = {**HEADER, **grid.to_json(), "model": {**HEADER["model"], "name": name}}
    with Store(path, {**header, "total": COUNT}) as store:
        store.add(found)
    return path


@pytest.mark.parametrize("layers", [LAYERS, LAYERS + 2])
def test_runs_over_different_prompts_are_not_compared(
    layers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither of one model nor of two, whose depths differ."""
    one = folder_of(tmp_path / "one", [record(n) for n in range(3)])
    other = folder_of(tmp_path / "two", [record(n, layers) for n in range(3, 6)], layers)
    assert call("compare", one, other) == 2
    said = capsys.readouterr()
    assert "have no prompt in common" in said.err
    assert not said.out


def test_runs_are_compared_over_the_prompts_that_both_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = folder_of(tmp_path / "one", [record(n) for n in range(4)])
    # Other numbers for the prompts of both, and a prompt of its own far away.
    deeper = [record(n, LAYERS + 2) for n in (1, 2)] + [record(7, LAYERS + 2)]
    other = folder_of(tmp_path / "two", deeper, LAYERS + 2, name="deep")
    assert call("compare", one, other, "-o", tmp_path / "both.png") == 0
    said = capsys.readouterr().out
    assert "A: tiny, n = 2" in said
    assert "B: deep, n = 2" in said


def test_a_picture_of_several_runs_is_of_the_category(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlxjsd.output import figure

    drawn: list[dict[str, int]] = []
    plotted = figure.plot_groups

    def plot_groups(heatmaps: dict[str, Heatmap], **options: Any) -> Any:
        drawn.append({name: heatmap.count for name, heatmap in heatmaps.items()})
        return plotted(heatmaps, **options)

    monkeypatch.setattr(figure, "plot_groups", plot_groups)
    zero = np.zeros((3, LAYERS), np.float32)
    folders = [folder_of(tmp_path / f"{n}", records(zero, range(6 - n))) for n in range(3)]
    assert call("compare", *folders, "--category", "FA", "-o", tmp_path / "all.png") == 0
    assert list(drawn[0].values()) == [6, 5, 4]
