"""Cells of an edit that does not apply: NaN from the measuring to every picture and file."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from families import tiny_family
from models import in_place_of
from records import ATTN, HEADER, LAYERS, record, run_of
from rich.console import Console

from mlxjsd.analysis.answers import categorise
from mlxjsd.analysis.compare import compare, comparison_lines
from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.analysis.phases import phases, reading, reading_table
from mlxjsd.assets import PROMPTS
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.output.export import export_run, to_csv, to_json
from mlxjsd.output.figure import plot_comparison, plot_run, save_figure
from mlxjsd.output.markdown import panel_of, report
from mlxjsd.output.terminal import heatmap_text, summary
from mlxjsd.prompts.read import read_prompts
from mlxjsd.results import Run
from mlxjsd.run.experiment import run_experiment
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Labelling, Settings
from mlxjsd.store.reader import read_run
from mlxjsd.store.writer import Store

pytestmark = pytest.mark.filterwarnings("error:.*NaN.*:RuntimeWarning")


def _run(*absent: int) -> Run:
    """A run in which Attn. does not apply in the layers ``absent``."""
    records = []
    for made in (record(i) for i in range(4)):
        jsd = made.jsd.copy()
        jsd[ATTN, list(absent)] = np.nan
        reliance = np.nan if len(absent) == LAYERS else made.reliance
        records.append(record(made.position, jsd=jsd, reliance=reliance))
    return run_of(records=records)


@pytest.fixture(params=[(0, 1, 2), tuple(range(0, LAYERS, 2)), tuple(range(LAYERS))], ids=len)
def run(request: pytest.FixtureRequest) -> Run:
    return _run(*request.param)


def _absent(run: Run) -> np.ndarray:
    return np.isnan(run.records[0].jsd[ATTN])


def test_averages_intervals_and_peaks_keep_to_what_applies(run: Run) -> None:
    heatmap, absent = run.heatmap(), _absent(run)
    for values in (heatmap.mean, heatmap.error, *bootstrap_interval(run.jsd())):
        np.testing.assert_array_equal(np.isnan(values[ATTN]), absent)
        assert np.isfinite(values[[0, 2]]).all()
    rows = [peak.row for peak in heatmap.peaks()]
    assert rows == (["subj", "last"] if absent.all() else ["subj", "attn", "last"])


def test_exports_leave_them_empty(run: Run) -> None:
    absent = _absent(run)
    lines = list(csv.DictReader(io.StringIO(to_csv(run).decode())))
    cells = [line for line in lines if line["category"] == "all" and line["row"] == "attn"]
    assert [line["mean_jsd"] == line["ci95_low"] == "" for line in cells] == absent.tolist()
    document = json.loads(to_json(run))
    assert [value is None for value in document["mean"]["attn"]] == absent.tolist()
    prompt = document["prompts"][0]
    assert [value is None for value in prompt["jsd"]["attn"]] == absent.tolist()
    assert (prompt["reliance"] is None) == absent.all()


def test_the_terminal_leaves_them_blank(run: Run) -> None:
    absent = _absent(run)
    attn = heatmap_text(run.heatmap(), 80, colours=0).plain.splitlines()[ATTN]
    assert [attn[7 + 4 * i : 11 + 4 * i].isspace() for i in np.flatnonzero(absent)] == [
        True
    ] * absent.sum()
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary(run, 100))
    said = console.export_text()
    assert "nan" not in said
    assert ("mean reliance n/a" in said) == absent.all()
    assert ("no block attends, so" in said) == absent.all()


def test_the_reading_says_so(run: Run) -> None:
    heatmap, everything = run.heatmap(), report(run)
    assert len(reading(heatmap)) == len(reading_table(heatmap)) == 3
    assert ("No block attends, so there is no attention" in everything) == _absent(run).all()
    assert ("| n/a |" in everything) == _absent(run).all()
    assert "nan" not in everything


def test_phases_are_read_of_cells_that_stand_alone() -> None:
    values = np.array([np.nan, 0.0, np.nan, 0.5, np.nan, 0.5, 0.5, np.nan])
    assert phases(values).high == ((3, 6),)


def test_figures_hatch_them(run: Run, tmp_path: Path) -> None:
    figure = plot_run(run)
    assert figure.axes[0].patch.get_hatch() == "////"
    assert plot_run(run_of()).axes[0].patch.get_hatch() is None
    assert plot_run(run_of(records=[])).axes[0].patch.get_hatch() is None
    compared = compare(panel_of(run), panel_of(run_of()))
    for name, drawn in {"a.png": figure, "b.svg": plot_comparison(compared)}.items():
        save_figure(drawn, tmp_path / name)


def test_comparisons_are_of_what_both_have(run: Run) -> None:
    compared = compare(panel_of(run), panel_of(run_of()))
    attn = comparison_lines(compared)[ATTN]
    assert (attn[1:3] == ("n/a", "n/a")) == _absent(run).all()
    assert "nan" not in " ".join(attn)
    if not _absent(run).all():
        assert compared.rows[ATTN].difference < 1e-6
    deeper = compare(panel_of(run), panel_of(run_of(layers=12)))
    assert np.isnan(deeper.a.mean[ATTN]).any()


def test_without_reliance_wrong_answers_are_of_one_kind() -> None:
    labels = categorise([True, False, None], [np.nan] * 3)
    assert labels.categories == ("FA", "wrong", None)
    assert labels.threshold is None
    assert categorise([True, False], [np.nan] * 2, threshold=0.1).categories == ("FA", "wrong")


def test_a_run_without_reliance_comes_back_from_disk(tmp_path: Path) -> None:
    run = _run(*range(LAYERS))
    with Store(tmp_path / "run", HEADER) as store:
        store.add(run.records)
    back = read_run(tmp_path / "run")
    np.testing.assert_array_equal(back.jsd(), run.jsd())
    assert all(np.isnan(found.reliance) for found in back.records)


def test_a_run_from_before_there_were_two_paths_goes_on(tmp_path: Path) -> None:
    now = {**HEADER, "model": {**HEADER["model"], "path": "one pass"}}
    Store(tmp_path / "run", HEADER).__exit__(None, None, None)
    Store(tmp_path / "run", now).__exit__(None, None, None)


@pytest.mark.parametrize("family", ["mamba2", "qwen3_next", "gemma3n"])
def test_a_model_of_the_plain_path_runs(family: str, bundled: LoadedModel, tmp_path: Path) -> None:
    tiny = tiny_family(family, vocab_size=bundled.identity.vocabulary)
    model = in_place_of(bundled, tiny, family)
    plan = plan_run(
        model, read_prompts(PROMPTS), Settings(window=1), limit=2, labelling=Labelling(None)
    )
    assert [type(event).__name__ for event in run_experiment(plan, tmp_path)][-1] == "Finished"
    run = read_run(tmp_path)
    assert run.model["path"] == "plain"
    attends = [block.attends for block in model.blocks.anatomy.blocks]
    np.testing.assert_array_equal(np.isfinite(run.jsd()[0, ATTN]), attends)
    export_run(run, tmp_path / "run.json")
    assert run.heatmap().floor < 1e-6
