"""Effects and tests in exports, figures and commands."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from controlled import LAYERS, ROWS, UNCONTROLLED, controlled
from matplotlib.figure import Figure
from records import run_of
from rich.console import Console

from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.analysis.resampling import peak_interval
from mlxjsd.analysis.significance import against_controls
from mlxjsd.errors import InputError
from mlxjsd.output.export import export_run, to_csv, to_json
from mlxjsd.output.figure import plot_groups, plot_heatmap, plot_run
from mlxjsd.output.marks import Marks, control_marks, group_marks
from mlxjsd.output.terminal import summary
from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.rows import ALWAYS

CHANGE, NORMALISED = Effect("change"), Effect("normalised")


@pytest.fixture(scope="module")
def run() -> Run:
    return controlled()


def table_of(run: Run, effect: Effect | None = None) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(run, effect).decode())))


def test_the_csv_holds_each_cell_against_its_control(run: Run) -> None:
    tested = against_controls(run.values(), ROWS)
    assert tested is not None
    rows = [r for r in table_of(run) if (r["category"], r["metric"]) == ("all", "jsd")]
    assert list(rows[0])[-6:] == ["n", "control", "control_difference", "control_n", "p", "q"]
    for row in rows:
        if row["row"] not in ("subj", "attn"):
            assert not any(row[name] for name in ("control", "control_difference", "p", "q"))
            continue
        at = tested.rows.index(row["row"]), int(row["layer"])
        assert row["control"] == tested.against[at[0]]
        for name, numbers in (
            ("control_difference", tested.difference),
            ("p", tested.p),
            ("q", tested.q),
        ):
            assert float(row[name]) == pytest.approx(numbers[at], rel=1e-6)
        assert row["control_n"] == {"subj": "40", "attn": "38"}[row["row"]]
    counts = {row["row"]: row["n"] for row in rows}
    assert counts == dict.fromkeys(ROWS, "40") | {"attn-control": "38"}


def test_a_cell_that_some_prompts_have_is_their_average(run: Run) -> None:
    kept = [n for n in range(40) if n not in UNCONTROLLED]
    cells = run.values()[kept, 3].astype(np.float64)
    heatmap = run.heatmap()
    np.testing.assert_allclose(heatmap.row("attn-control"), cells.mean(axis=0))
    np.testing.assert_allclose(heatmap.error[3], cells.std(axis=0, ddof=1) / np.sqrt(38))
    assert heatmap.cell_counts()[:, 0].tolist() == [40, 40, 40, 38, 40, 40]
    low, high = bootstrap_interval(run.values())[:, 3]
    np.testing.assert_allclose(high - low, 2 * 1.96 * heatmap.error[3], rtol=0.25)
    assert ((low < heatmap.mean[3]) & (heatmap.mean[3] < high)).all()


def test_runs_without_controls_are_written_as_ever() -> None:
    header = to_csv(run_of()).decode().splitlines()[0]
    assert header == "category,row,layer,mean_jsd,standard_error,ci95_low,ci95_high,n"


def test_the_csv_of_effects(run: Run) -> None:
    rows = table_of(run, NORMALISED)
    heatmap = run.heatmap(metric="logit_diff", effect=NORMALISED)
    ends = bootstrap_interval(run.cells("logit_diff", NORMALISED))
    chosen = [r for r in rows if (r["category"], r["metric"]) == ("all", "logit_diff")]
    assert len(chosen) == len(ROWS) * LAYERS
    for at, row in enumerate(chosen):
        place = at // LAYERS, at % LAYERS
        assert float(row["mean"]) == pytest.approx(heatmap.mean[place], rel=1e-6)
        assert float(row["ci95_low"]) == pytest.approx(ends[(0, *place)], rel=1e-6)
        assert (row["effect"], row["left_out"]) == ("normalised", "1")
        assert row["n"] == ("36" if row["row"] == "attn-control" else "38")
    changes = table_of(run, CHANGE)
    assert {row["left_out"] for row in changes} == {"0"}


def test_the_json_holds_every_test(run: Run) -> None:
    document = json.loads(to_json(run, NORMALISED))
    assert document["cell_n"]["attn-control"] == [38] * LAYERS
    found = document["significance"]
    assert (found["resamples"], list(found["metrics"])) == (10_000, ["jsd", "logit_diff"])
    tested = against_controls(run.values(), ROWS)
    assert tested is not None
    jsd = found["metrics"]["jsd"]
    assert jsd["controls"]["attn"]["control"] == "attn-control"
    for name, numbers in (("difference", tested.difference), ("p", tested.p), ("q", tested.q)):
        np.testing.assert_allclose(jsd["controls"]["attn"][name], numbers[1])
    for at, peak in enumerate(run.heatmap().peaks()):
        written = jsd["peaks"][peak.row]
        assert written["layer"] == peak.layer
        assert written["ci95"] == peak_interval(run.values())[:, at].tolist()
    (pair,) = jsd["categories"]
    assert (pair["first"], pair["second"]) == ("FA", "UH")
    groups = run.groups("category")
    means = [np.mean([r.jsd for r in groups[n]], axis=0, dtype=float) for n in ("UH", "FA")]
    np.testing.assert_allclose(pair["difference"]["last"], (means[0] - means[1])[2], rtol=1e-5)
    effects = document["effects"]
    shares = effects["metrics"]["logit_diff"]
    assert (shares["n"], shares["left_out"], shares["least_total"]) == (38, 1, 0.5)
    heatmap = run.heatmap(metric="logit_diff", effect=NORMALISED)
    np.testing.assert_allclose(shares["mean"]["subj"], heatmap.row("subj"))
    assert effects["significance"]["metrics"]["logit_diff"]["controls"]["subj"]["q"][0] < 0.05
    assert "effects" not in json.loads(to_json(run))
    assert json.loads(to_json(run_of(0)))["significance"]["metrics"]["jsd"] == {
        "peaks": {}, "controls": {}, "categories": [],
    }  # fmt: skip


def dots(figure: Figure, panel: int = 0) -> list[tuple[int, int]]:
    """(row, layer) of each mark in a panel."""
    (found,) = [c for c in figure.axes[panel].collections if c.get_gid() == "significance"]
    return [(round(y), round(x)) for x, y in np.asarray(found.get_offsets())]


def notes(figure: Figure) -> str:
    """What is said below, in one line."""
    return " ".join(t.get_text() for t in figure.texts if t.get_gid() == "note").replace("\n", " ")


def test_marks_stand_in_the_cells_that_differ(run: Run) -> None:
    figure = plot_run(run, significance=True)
    assert dots(figure) == [(1, 3), (1, 4), (1, 5)]
    assert "differs from its control on the same prompts (sign flips, q < 0.05)" in notes(figure)
    plain = plot_run(run)
    assert not [c for c in plain.axes[0].collections if c.get_gid() == "significance"]
    assert not notes(plain)
    figure.canvas.draw()
    window = figure.axes[0].get_window_extent()
    mark = next(c for c in figure.axes[0].collections if c.get_gid() == "significance")
    across = np.sqrt(mark.get_sizes()[0]) / 72 * figure.dpi
    assert across < window.height / len(ROWS) / 3, "a mark hides no cell"


def test_marks_of_some_layers_stand_in_the_middle_of_their_columns() -> None:
    heatmap = replace(controlled(4).heatmap(), only=(0, 2, 6))
    which = np.zeros((len(ROWS), LAYERS), bool)
    which[2, [2, 3]] = True  # layer 3 has no column
    figure = plot_heatmap(heatmap, marks=Marks(which, "note"))
    (mark,) = [c for c in figure.axes[0].collections if c.get_gid() == "significance"]
    # Layer 2's column goes from 1, between 0 and 2, to 4, between 2 and 6.
    np.testing.assert_allclose(mark.get_offsets(), [[2.5, 2]])


def test_marks_of_groups_are_against_the_first_or_all_others(run: Run) -> None:
    groups = run.heatmap(by="category", metric="logit_diff")
    marks = group_marks(run, "category", "logit_diff")
    assert list(marks) == ["Unassociated hallucinations"]
    figure = plot_groups(groups, marks=marks)
    assert "differs from (a) (permutations, q < 0.05)" in notes(figure)
    wanted = np.argwhere(marks["Unassociated hallucinations"].cells).tolist()
    assert dots(figure, 1) == [tuple(cell) for cell in wanted]
    relations = [record_of(run, n, f"relation {n % 5}") for n in range(40)]
    many = group_marks(replace(run, records=relations), "relation")
    assert list(many) == [f"relation {n}" for n in range(5)]
    assert "differs from all other prompts" in many["relation 0"].note
    with pytest.raises(InputError, match="all prompts are of one relation, so there is nothing"):
        group_marks(run, "relation")


def record_of(run: Run, position: int, relation: str):  # type: ignore[no-untyped-def]
    return replace(run.records[position], relation=relation)


def test_effects_are_drawn_around_0_with_their_unit_and_what_is_left_out(run: Run) -> None:
    figure = plot_run(run, metric="logit_diff", effect=NORMALISED, significance=True)
    low, high = figure.axes[0].collections[0].get_clim()
    assert low == -high
    assert figure.axes[0].collections[0].cmap.name == "RdBu_r"
    bar = figure.axes[1].get_ylabel()
    assert bar == "Avg Normalised\nLogit Difference\n(of the total effect)"
    assert "1 prompt is left out, whose total effect is under 0.5 logits" in notes(figure)
    change = plot_run(run, effect=CHANGE)
    assert change.axes[1].get_ylabel() == "Avg Change of\nJS Divergence\n(nats)"
    groups = run.heatmap(by="category", metric="logit_diff", effect=NORMALISED)
    assert "1 prompt is left out" in notes(plot_groups(groups))


def test_show_tells_of_the_effect(run: Run) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary(run, 100, metric="logit_diff", effect=NORMALISED), markup=False)
    said = console.export_text()
    assert "Normalised Logit Difference, n = 38" in said
    assert "peak (of the total effect)" in said
    assert (
        "1 prompt is left out, whose total effect is under 0.5 logits; see --least-total." in said
    )
    assert "states matter most" not in said


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda run: plot_run(run, significance=True), "has no control rows, so there is nothing"),
        (lambda run: control_marks(run), "measure attn-control or subj-random with --rows"),
        (lambda run: summary(run, 80, effect=NORMALISED), r"\(the row 'total'\), which normalised"),
        (lambda run: to_csv(run, NORMALISED), r"\(the row 'total'\), which normalised"),
        (lambda run: to_json(run, NORMALISED), r"\(the row 'total'\), which normalised"),
        (lambda run: export_run(run, "x.npz", CHANGE), r"written as \.csv or \.json, not 'x\.npz'"),
        (lambda run: export_run(run, "answers.csv", CHANGE), "effects are averages"),
    ],
)
def test_what_a_run_does_not_hold_is_one_sentence(ask: Callable[[Run], object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ask(run_of(grid=Grid(LAYERS, whole=ALWAYS)))


def test_the_commands_take_effects_and_significance(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlxjsd.store.reader.read_run", lambda folder: run)
    shares = ("run", "--metric", "logit_diff", "--effect", "normalised")
    assert call("show", *shares) == 0
    assert "Normalised Logit Difference, n = 38" in capsys.readouterr().out
    assert call("show", *shares, "--least-total", "0.05") == 0
    assert "Normalised Logit Difference, n = 39" in capsys.readouterr().out
    assert call("summary", *shares) == 0
    assert "Peak Normalised Logit Difference (of the total effect)" in capsys.readouterr().out
    picture = tmp_path / "figure.svg"
    for more in ((), ("--by", "category")):
        assert call("plot", *shares, "--significance", *more, "-o", picture) == 0
        assert 'id="significance"' in picture.read_text()
    assert call("plot", *shares, "--kind", "lines", "--width", "3.3", "-o", picture) == 0
    assert ">1 prompt is left out, whose total effect is" in picture.read_text()
    assert call("export", "run", "--effect", "change", "-o", tmp_path / "x.csv") == 0
    assert ",effect,left_out," in (tmp_path / "x.csv").read_text()
    capsys.readouterr()
    for arguments, said in (
        (("show", "run", "--effect", "share"), "--effect is change or normalised, not 'share'"),
        (("show", "run", "--least-total", "1"), "--least-total is for normalised effects"),
        (("summary", *shares, "--least-total", "-1"), "is a positive number, not -1"),
        (("plot", "run", "--kind", "norms", "--significance", "-o", picture), "for heatmaps"),
        (("plot", "run", "--kind", "lines", "--significance", "-o", picture), "for heatmaps"),
        (("export", "run", "--tidy", "--effect", "change", "-o", "x.csv"), "effects are averages"),
        (("plot", "run", "--kind", "norms", "--effect", "change", "-o", picture), "for heatmaps"),
        (("export", *shares[:1], *shares[3:], "-o", tmp_path / "x.npz"), "effects are averages"),
        (
            ("export", "run", "--salvage", "--effect", "change", "-o", "x.json"),
            "saved of a damaged",
        ),
    ):
        assert call(*arguments) == 2
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
