"""A run of five rows and two metrics, one of them signed: nothing counts on the usual three."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from matplotlib.figure import Figure
from records import LAYERS, record, run_of
from rich.console import Console

from mlxjsd.analysis.compare import compare, comparison_lines
from mlxjsd.errors import InputError
from mlxjsd.metrics import METRICS, Metric
from mlxjsd.output.export import to_csv, to_json, to_npz
from mlxjsd.output.figure import (
    Style,
    plot_comparison,
    plot_groups,
    plot_heatmap,
    plot_run,
    save_figure,
)
from mlxjsd.output.markdown import compared, panel_of, report
from mlxjsd.output.terminal import heatmap_text, summary
from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.rows import ALWAYS, ATTN, RELIANCE, ROWS, SUBJ

GRID = Grid(
    LAYERS,
    metrics=("jsd", "lift"),
    rows=("mlp", "last", "subj", "relation", "attn"),
    whole=(*ALWAYS, "mute"),
)
LABELS = ["MLP out", "Last.", "Subj.", "Relation", "Attn."]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "lift", Metric("lift", "Logit Lift", "logits"))
    monkeypatch.setitem(ROWS, "mlp", replace(SUBJ, key="mlp", label="MLP out"))
    monkeypatch.setitem(ROWS, "relation", replace(ATTN, key="relation", label="Relation"))
    monkeypatch.setitem(ROWS, "mute", replace(RELIANCE, key="mute", label="Mute"))


@pytest.fixture
def run() -> Run:
    """Six prompts; ``lift`` goes both ways, and one prompt has none."""
    records = []
    for position in range(6):
        made = record(position, grid=GRID)
        cells = made.cells.copy()
        cells[1] = np.random.default_rng(position).normal(-0.2, 1.0, cells[1].shape)
        if position == 2:
            cells[1] = np.nan
        records.append(replace(made, cells=cells))
    return run_of(6, grid=GRID, records=records)


def told(shown: object) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(shown, markup=False)
    return console.export_text()


def test_the_csv_names_the_metric_where_there_are_several(run: Run) -> None:
    table = list(csv.DictReader(io.StringIO(to_csv(run).decode())))
    assert list(table[0]) == [
        "category", "metric", "row", "layer", "mean", "standard_error", "ci95_low", "ci95_high",
        "n",
    ]  # fmt: skip
    everything = [row for row in table if row["category"] == "all"]
    assert len(everything) == 2 * 5 * LAYERS
    for row in everything:
        heatmap = run.heatmap(metric=row["metric"])
        assert float(row["mean"]) == pytest.approx(
            heatmap.row(row["row"])[int(row["layer"])], rel=1e-6
        )
        assert float(row["ci95_low"]) < float(row["mean"]) < float(row["ci95_high"])
        assert row["n"] == {"jsd": "6", "lift": "5"}[row["metric"]]


def test_the_csv_of_other_rows_alone_is_as_ever() -> None:
    rows = to_csv(run_of(3, grid=Grid(LAYERS, rows=("relation",)))).decode().splitlines()
    assert rows[0] == "category,row,layer,mean_jsd,standard_error,ci95_low,ci95_high,n"
    assert rows[1].startswith("all,relation,0,")


def test_the_json_holds_every_number_by_its_name(run: Run) -> None:
    document = json.loads(to_json(run))
    assert document["rows"] == list(GRID.rows)
    assert document["metrics"] == ["jsd", "lift"]
    assert document["whole"] == [*ALWAYS, "mute"]
    lift = run.heatmap(metric="lift")
    for row in GRID.rows:
        np.testing.assert_allclose(document["mean"][row], run.heatmap().row(row))
        np.testing.assert_allclose(document["averages"]["lift"]["mean"][row], lift.row(row))
    for given, kept in zip(document["prompts"], run.records, strict=True):
        assert list(given["cells"]) == ["lift"]
        cells = np.array([given["cells"]["lift"][row] for row in GRID.rows], np.float32)
        np.testing.assert_array_equal(cells, kept.of("lift"))
        for metric in GRID.metrics:
            for row in GRID.whole:
                assert given["numbers"][metric][row] == kept.number(row, metric)
    assert document["prompts"][2]["cells"]["lift"]["mlp"] == [None] * LAYERS


def test_the_npz_has_an_array_for_each_metric(run: Run) -> None:
    arrays = np.load(io.BytesIO(to_npz(run)), allow_pickle=False)
    for metric in GRID.metrics:
        np.testing.assert_array_equal(arrays[metric], run.values(metric))
        at = arrays["metrics"].tolist().index(metric), arrays["whole"].tolist().index("mute")
        np.testing.assert_array_equal(
            arrays["numbers"][(slice(None), *at)], run.numbers("mute", metric)
        )
    assert arrays["rows"].tolist() == list(GRID.rows)
    empty = np.load(io.BytesIO(to_npz(run_of(0, grid=GRID))))
    assert [empty[name].shape for name in ("lift", "numbers", "norms")] == [
        (0, 5, LAYERS), (0, 2, 3), (0, LAYERS),
    ]  # fmt: skip


def figures(run: Run) -> Iterator[tuple[int, Figure]]:
    """Yield figures of ``lift``, and how many panels each has."""
    yield 1, plot_run(run, metric="lift")
    groups = run.heatmap(by="correct", metric="lift")
    yield len(groups), plot_groups(groups)
    panel = panel_of(run, metric="lift")
    yield 3, plot_comparison(compare(panel, panel_of(run, "FA", "lift")))


def test_figures_have_all_rows_and_a_signed_metric_is_drawn_around_0(
    run: Run, tmp_path: Path
) -> None:
    for panels, figure in figures(run):
        for axes in figure.axes[:panels]:
            assert len(axes.get_yticks()) == 5
            mesh = axes.collections[0]
            low, high = mesh.get_clim()
            assert low == -high
            assert np.abs(mesh.get_array()).max() <= high
            np.testing.assert_allclose(mesh.cmap(0.5)[:3], [0.97] * 3, atol=0.02)
        assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == LABELS
        assert figure.axes[panels].get_ylabel() == "Avg Logit Lift\n(logits)"
        save_figure(figure, tmp_path / "figure.png")
    assert "n = 5" in plot_run(run, metric="lift").axes[0].get_title()
    bar = plot_run(run).axes[1]
    assert bar.get_ylabel() == "Avg JS Divergence\n(nats)"


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5])
def test_a_figure_is_as_high_as_its_rows_and_shows_its_labels(rows: int) -> None:
    figure = plot_run(run_of(layers=32, grid=Grid(32, rows=GRID.rows[:rows])))
    figure.draw_without_rendering()
    assert figure.get_size_inches()[1] == pytest.approx(1.85 + 0.3 * max(rows - 3, 0))
    axes, bar = figure.axes
    for text in (bar.yaxis.label, axes.xaxis.label, axes.title, *axes.get_yticklabels()):
        box, room = text.get_window_extent(), figure.bbox.padded(1)
        assert room.x0 <= box.x0 < box.x1 <= room.x1
        assert room.y0 <= box.y0 < box.y1 <= room.y1


@pytest.mark.parametrize(
    ("style", "limits"),
    [
        (Style(), (-2, 2)),
        (Style(vmax=1.5), (-1.5, 1.5)),
        (Style(vmin=-1.0), (-1, 1)),
        (Style(-1.0, 3.0), (-1, 3)),
        (Style(vmin=0.0), (0, 2)),
    ],
)
def test_an_end_that_is_not_given_mirrors_the_other(
    run: Run, style: Style, limits: tuple[float, float]
) -> None:
    heatmap = run.heatmap(metric="lift")
    heatmap = replace(heatmap, mean=heatmap.mean / np.abs(heatmap.mean).max() * 2)
    mesh = plot_heatmap(heatmap, style=style).axes[0].collections[0]
    assert mesh.get_clim() == pytest.approx(limits)
    assert mesh.cmap.name == "RdBu_r"


def test_the_terminal_shows_all_rows_and_which_side_of_0(run: Run) -> None:
    heatmap = run.heatmap(metric="lift")
    lines = heatmap_text(heatmap, 80, colours=0).plain.splitlines()
    for name, line, values in zip(LABELS, lines, heatmap.mean, strict=False):
        assert line.startswith(f"{name:<9}")
        for layer, value in enumerate(values):
            cell = line[9 + 4 * layer :][:4]
            assert cell[0] in ("+ " if value > 0 else "- ")
    farthest = np.abs(heatmap.mean).max()
    assert lines[5].split() == ["Layer", *map(str, range(8))]
    assert lines[6].startswith("scale    -")
    assert lines[6].endswith(f"+ {farthest:.2f} logits")
    assert lines[7].split() == ["-0.8", "-0.4", "0.0", "+0.4", "+0.8"]


def test_show_and_summary_tell_of_the_metric_that_was_asked_for(run: Run) -> None:
    shown, written = told(summary(run, 100, metric="lift")), report(run, metric="lift")
    for peak in run.heatmap(metric="lift").peaks():
        for said in (shown, written):
            assert f"{peak.value:.3f}" in said
    assert "Logit Lift, n = 5" in shown
    assert "peak (logits)" in shown
    for row in ("reliance", "mute"):
        assert f"mean {row} {run.numbers(row, 'lift').mean():.3f} logits" in shown
    assert "noise floor 5.0e-09 nats" in shown
    assert "| Row | Peak Logit Lift (logits) | Layer |" in written
    for said in (shown, written):
        assert "states matter most" not in said
    usual = told(summary(run, 100))
    assert "states matter most" in usual + report(run)
    assert f"mean reliance {run.heatmap().reliance:.3f} nats, mean mute" in usual


def test_comparisons_are_of_one_metric_and_of_the_rows_that_both_have(run: Run) -> None:
    other = panel_of(run_of(grid=Grid(LAYERS, GRID.metrics, ("attn", "mlp"))), metric="lift")
    found = compare(panel_of(run, metric="lift"), other)
    assert [line[0] for line in comparison_lines(found)] == ["MLP out", "Attn."]
    assert [line[4:] for line in comparison_lines(found)] == [("n/a / n/a", "n/a")] * 2
    assert r"Mean \|difference\| (logits)" in compared(found)
    with pytest.raises(InputError, match="shows lift, and tiny, n = 4 shows jsd; compare two of"):
        compare(other, panel_of(run_of()))
    with pytest.raises(InputError, match="have no row in common"):
        compare(other, panel_of(run_of(grid=Grid(LAYERS, GRID.metrics, ("subj",))), metric="lift"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda run: run.values("lift"),
        lambda run: run.numbers("floor", "lift"),
        lambda run: run.heatmap(metric="lift"),
        lambda run: run.heatmap(by="category", metric="lift"),
        lambda run: plot_run(run, metric="lift"),
        lambda run: report(run, metric="lift"),
        lambda run: summary(run, 80, metric="lift"),
        lambda run: panel_of(run, metric="lift"),
    ],
)
def test_a_metric_that_was_not_measured_is_refused(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="no numbers of the metric 'lift'; it has jsd; give one"):
        ask(run_of())


def test_a_run_says_what_it_is_in_one_line(run: Run) -> None:
    assert repr(run) == (
        "<Run of 'tiny': 6 of 6 prompts, 8 layers; "
        "rows mlp, last, subj, relation, attn; metrics jsd, lift>"
    )


def test_the_commands_take_the_metric(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlxjsd.store.reader.read_run", lambda folder: run)

    def said(*arguments: object) -> str:
        code = call(*arguments)
        found = capsys.readouterr()
        assert code == (2 if found.err else 0)
        return found.out + found.err

    lift = ("run", "--metric", "lift")
    assert "peak (logits)" in said("show", *lift)
    assert "peak (nats)" in said("show", "run")
    assert "Peak Logit Lift (logits)" in said("summary", *lift)
    assert "(logits)" in said("compare", *lift, "run")
    assert "shows lift, and Llama 3 8B" in said("compare", *lift, "--reference", "llama-3-8b-fa")
    for more in ((), ("--by", "correct")):
        assert said("plot", *lift, *more, "-o", tmp_path / "figure.svg") != ""
        assert "Avg Logit Lift" in (tmp_path / "figure.svg").read_text()
    curves = ("--kind", "norms", "-o", tmp_path / "figure.svg")
    assert "--metric is for heatmaps and lines" in said("plot", *lift, *curves)
    assert "--by is for heatmaps and lines" in said("plot", "run", "--by", "correct", *curves)
    for command in (("show",), ("summary",), ("compare", "run")):
        assert "no numbers of the metric 'kl'" in said(*command, "run", "--metric", "kl")
