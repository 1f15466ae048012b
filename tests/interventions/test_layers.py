"""Some layers alone: the cells of a whole measurement, at the cost of what is measured."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from models import random_batch, tiny
from other_runs import grid_of, run_with

from mlxjsd.analysis.heatmap import aggregate
from mlxjsd.analysis.phases import crossover, phases, reading
from mlxjsd.errors import InputError
from mlxjsd.interventions.branches import branches_of
from mlxjsd.interventions.cost import Shape, sweep_token_blocks
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.output.export import export_run
from mlxjsd.output.figure import plot_run
from mlxjsd.ranges import parse_layers, written_layers
from mlxjsd.records import Grid
from mlxjsd.settings import Settings

LAYERS = 5  # of the tiny models


@pytest.mark.parametrize("corruption", ["noise", "swap"])
@pytest.mark.parametrize("chosen", [(0,), (1, 3), (4,), (0, 1, 2, 3, 4)])
def test_their_cells_are_those_of_all_layers(chosen: tuple[int, ...], corruption: str) -> None:
    blocks, batch = tiny("llama"), random_batch(corruption)
    whole = sweep_batch(blocks, batch, Settings(corruption, window=3))
    settings = Settings(corruption, window=3, layers=chosen)
    for measured in (sweep_batch, reference_batch):
        some = measured(blocks, batch, settings)
        assert some.cells.shape == whole.cells.shape
        has = np.isfinite(some.cells).all(axis=(0, 1, 2))
        assert tuple(np.flatnonzero(has)) == chosen
        assert np.isnan(some.cells[..., ~has]).all()
        np.testing.assert_allclose(some.cells[..., has], whole.cells[..., has], atol=1e-5)
        np.testing.assert_allclose(some.whole, whole.whole, atol=1e-5)


def test_they_cost_what_they_take() -> None:
    shape = Shape(size=1, length=9, first=3, end=6, samples=2)

    def by_hand(chosen: tuple[int, ...]) -> int:
        clean, corrupted = 9 * LAYERS, 2 * 6 * LAYERS
        subject = sum(2 * 3 * (LAYERS - 1 - layer) for layer in chosen)
        last = sum(2 * (LAYERS - 1 - layer) for layer in chosen)
        attention = sum(LAYERS - max(0, layer - 1) for layer in chosen)  # a window of 3
        return clean + corrupted + subject + last + attention + 3 * LAYERS + LAYERS

    for chosen in ((0,), (1, 3), (4,), (0, 1, 2, 3, 4)):
        settings = Settings(window=3, noise_samples=2, layers=chosen)
        assert sweep_token_blocks(shape, settings, LAYERS) == by_hand(chosen)
        opened = branches_of(Grid.of(settings, LAYERS), settings, 2)
        assert len(opened) == 5 * len(chosen) + 2 + 2, "and both corrupted runs as they are"


@pytest.mark.parametrize(
    ("typed", "layers"),
    [
        ("0-29:2", tuple(range(0, 30, 2))),
        ("7", (7,)),
        ("3,7,20-25", (3, 7, 20, 21, 22, 23, 24, 25)),
        (" 4 - 6 , 5-9:2 ", (4, 5, 6, 7, 9)),
    ],
)
def test_layers_are_typed_as_ranges(typed: str, layers: tuple[int, ...]) -> None:
    assert parse_layers(typed) == layers
    assert parse_layers(written_layers(layers)) == layers


@pytest.mark.parametrize("typed", ["", "x", "3-", "-3", "5-3", "1,,2", "0-9:0:1", "1.5", "²"])
def test_what_names_no_layers_is_bad_input(typed: str) -> None:
    with pytest.raises(InputError, match="names no layers"):
        parse_layers(typed)


def test_every_choice_can_be_written() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        chosen = tuple(sorted(set(rng.integers(0, 40, rng.integers(1, 20)).tolist())))
        assert parse_layers(written_layers(chosen)) == chosen


def test_a_layer_that_the_model_does_not_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "--layers", "30-32", "--output", tmp_path / "run") == 2
    (said,) = capsys.readouterr().err.splitlines()[-1:]
    assert said == ("mlxjsd: there is no layer 32: the model has the layers 0-31; correct --layers")


@pytest.mark.slow
def test_a_run_of_some_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    command = ("run", "--limit", "2", "--output", folder)
    assert call(*command, "--layers", "0-31:8") == 0
    assert call(*command, "--layers", "0-31:4") == 2
    assert "layers [0, 8, 16, 24], now [0, 4, 8" in capsys.readouterr().err
    assert call("resume", folder) == 0
    rows = list(csv.DictReader(io.StringIO((folder / "heatmap.csv").read_text())))
    assert {row["layer"] for row in rows} == {"0", "8", "16", "24"}


def test_figures_and_words_pass_over_what_is_not_measured(tmp_path: Path) -> None:
    only = (1, 4, 5, 9)
    grid = replace(grid_of("subj", "attn", "last", metrics=("jsd",), layers=12), only=only)
    run = run_with(grid)
    for record in run.records:
        record.cells[..., [n for n in range(12) if n not in only]] = np.nan
    (mesh,) = plot_run(run).axes[0].collections
    edges = mesh.get_coordinates()[0, :, 0]
    np.testing.assert_array_equal(edges, [-0.5, 2.5, 4.5, 7, 11.5])
    assert plot_run(run).axes[0].patch.get_hatch() is None, "that is for edits that do not apply"
    assert plot_run(run).axes[0].get_xticks().tolist() == list(only)
    export_run(run, tmp_path / "run.json")
    assert len(reading(aggregate(run.records, grid))) == 3


def test_phases_are_of_layers_that_follow_on_each_other() -> None:
    all_layers = np.array([0.6, 0.6, 0.6, 0.5, 0.1, 0.0, 0.0, 0.0])
    layers = (0, 3, 7, 8, 12, 13, 20, 21)
    spread = np.full(24, np.nan)
    spread[list(layers)] = all_layers
    close, apart = phases(all_layers), phases(spread, layers)
    assert close.high == ((0, 3),)
    assert apart.high == ((0, 8),)
    assert apart.low == tuple((layers[a], layers[b]) for a, b in close.low)
    assert layers[close.peak_layer] == apart.peak_layer
    assert crossover(all_layers, all_layers[::-1]) == 4
