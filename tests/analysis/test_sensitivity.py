"""The same prompts measured in two ways: where they agree, and where they do not."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from controlled import GRID, LAYERS, ROWS, controlled
from records import record, run_of
from scipy.stats import spearmanr

from mlxjsd.analysis.compare import compare
from mlxjsd.analysis.effects import Effect
from mlxjsd.analysis.heatmap import bootstrap_interval
from mlxjsd.analysis.pairing import pairing
from mlxjsd.analysis.resampling import adjusted, sign_flip
from mlxjsd.errors import InputError
from mlxjsd.output.changes import changes_csv, changes_of, changes_text
from mlxjsd.output.disagreement import disagreement_json
from mlxjsd.output.markdown import compared, panel_of
from mlxjsd.records import Grid
from mlxjsd.results import Run
from mlxjsd.rows import ALWAYS


def test_rows_are_paired_by_name_and_then_by_what_they_edit() -> None:
    found = pairing(("subj", "attn:w5", "last", "mlp"), ("last:denoising", "attn:w9", "subj"))
    assert found.rows == (("subj", "subj"), ("attn:w5", "attn:w9"), ("last", "last:denoising"))
    assert (found.only_a, found.only_b) == (("mlp",), ())
    assert found.turned == (False, False, True)
    # Two that are left of one kind: nobody knows which is meant.
    found = pairing(("attn",), ("attn:w1", "attn:w9"))
    assert (found.rows, found.only_a, found.only_b) == ((), ("attn",), ("attn:w1", "attn:w9"))
    found = pairing(("attn", "attn:w9"), ("attn:w9", "attn:w5"))
    assert found.rows == (("attn", "attn:w5"), ("attn:w9", "attn:w9"))


def two_windows() -> dict[str, Run]:
    """Two runs of 30 prompts: the second's Attn. is 0.1 nats higher in 2-4, and lower in 7."""
    rng = np.random.default_rng(2)
    level = np.linspace(0.1, 0.4, LAYERS)
    grids = (
        Grid(LAYERS, rows=("subj", "attn:w5", "last"), whole=ALWAYS),
        Grid(LAYERS, rows=("subj", "attn:w9", "mlp"), whole=ALWAYS),
    )
    runs = []
    for at, grid in enumerate(grids):
        records = []
        for n in range(30):
            jsd = level + rng.normal(0, 0.03, (3, LAYERS))
            jsd[1, 2:5] += 0.1 * at
            jsd[1, 7] -= 0.1 * at
            records.append(record(n, LAYERS, grid, jsd=jsd))
        runs.append(replace(run_of(0), grid=grid, records=records, total=30))
    return {"five": runs[0], "nine": runs[1]}


def test_two_windows_of_the_same_prompts() -> None:
    runs = two_windows()
    shared, (change,) = changes_of(runs)
    found = change.sensitivity
    a, b = (run.values()[:, :2] for run in runs.values())
    assert shared == 30
    for at in range(2):
        wanted = spearmanr(a[:, at].mean(0), b[:, at].mean(0)).statistic
        assert found.correlations[at] == pytest.approx(wanted)
    both = spearmanr(a.mean(0).ravel(), b.mean(0).ravel()).statistic
    assert found.overall == pytest.approx(both)
    assert found.cells == 2 * LAYERS
    p = sign_flip(b.astype(np.float64) - a)
    np.testing.assert_array_equal(found.tested.p, p)
    np.testing.assert_array_equal(found.tested.q, adjusted(p))
    wanted = np.zeros((2, LAYERS), bool)
    wanted[1, [2, 3, 4, 7]] = True
    np.testing.assert_array_equal(found.tested.differs, wanted)
    ends = [bootstrap_interval(cells) for cells in (a, b)]
    apart = (ends[0][1] < ends[1][0]) | (ends[1][1] < ends[0][0])
    np.testing.assert_array_equal(found.parted, apart)
    assert apart.sum() == 4


def test_where_they_disagree_is_said() -> None:
    runs = two_windows()
    shared, found = changes_of(runs)
    said = changes_text(runs, shared, found)
    assert "## Where they agree with five, and where not" in said
    assert "| nine | Subj. |" in said
    assert "| 0 of 8 | 0 of 8 |" in said
    assert "| nine | all cells |" in said
    assert "| 4 of 16 | 4 of 16 |" in said
    lines = said.splitlines()
    assert "- No cell differs for sure, and no intervals part: Subj.\n" in said
    (attn,) = [line for line in lines if "nine is higher" in line]
    assert attn.endswith(
        ": nine is higher in layers 2-4 and lower in layer 7; intervals part in layers 2-4 and 7."
    )
    assert " / " in attn, "both names of the row are there"
    assert "- Rows that only five has: Last." in said
    assert "- Rows that only nine has: mlp." in said
    beside = compared(compare(*(panel_of(run) for run in runs.values())))
    assert "Rows that only A has: Last." in beside
    assert "Rows that only B has: mlp." in beside


def test_it_is_written_cell_by_cell_and_as_a_document() -> None:
    shared, found = changes_of(two_windows())
    tested, parted = found[0].sensitivity.tested, found[0].sensitivity.parted
    table = changes_csv(found).split("\n\n")[0]
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == 2 * LAYERS
    for at, row in enumerate(rows):
        place = at // LAYERS, at % LAYERS
        assert (row["row"], row["other_row"]) == found[0].pairing.rows[place[0]]
        assert float(row["p"]) == pytest.approx(tested.p[place])
        assert float(row["q"]) == pytest.approx(tested.q[place])
        assert row["intervals_part"] == str(int(parted[place]))
        assert row["n"] == "30"
    document = json.loads(json.dumps(disagreement_json("five", shared, found, "jsd", None)))
    (one,) = document["runs"]
    assert (document["first"], document["prompts"], one["name"]) == ("five", 30, "nine")
    assert one["compared_with"] == {"subj": "subj", "attn:w5": "attn:w9"}
    assert (one["only_in_first"], one["only_in_this"]) == (["last"], ["mlp"])
    assert one["q"]["attn:w5"] == tested.q[1].tolist()
    assert one["intervals_part"]["attn:w5"] == parted[1].tolist()
    assert one["rank_correlation"] == found[0].sensitivity.overall
    np.testing.assert_allclose(one["mean_first"]["subj"], found[0].sensitivity.means[0, 0])


def two_directions() -> dict[str, Run]:
    """What ``subj`` takes away, half of the total effect, and what ``subj:denoising`` restores."""
    runs = []
    for row in ("subj", "subj:denoising"):
        grid = replace(GRID, rows=(row, "last"))
        runs.append(controlled(20, grid))
    return {"noising": runs[0], "denoising": runs[1]}


def test_effects_of_two_directions_are_turned_around() -> None:
    runs = two_directions()
    effect = Effect("normalised")
    _, (change,) = changes_of(runs, "logit_diff", effect=effect)
    assert change.turned == (True, False)
    means = change.sensitivity.means
    assert means[0, 0].mean() == pytest.approx(-0.5, abs=0.02)
    assert means[1, 0].mean() == pytest.approx(-0.25, abs=0.02)
    np.testing.assert_array_equal(means[0, 1], means[1, 1])
    assert change.sensitivity.tested.counts[0].tolist() == [18] * LAYERS, "left out and unpaired"
    said = changes_text(runs, 20, [change])
    assert "the effects of denoising are turned around 0 there" in said
    one, other = (panel_of(run, metric="logit_diff", effect=effect) for run in runs.values())
    assert one.name == "tiny, n = 18, 1 left out"
    beside = compare(one, other)
    np.testing.assert_allclose(beside.difference[0], means[0, 0] - means[1, 0])
    assert beside.rows[0].phases_agree is None
    with pytest.raises(InputError, match="show two kinds of effect; compare without --effect"):
        compare(one, panel_of(runs["denoising"], metric="logit_diff"))
    _, (raw,) = changes_of(runs, "logit_diff")
    assert raw.turned == (False, False)
    assert "`--effect normalised` compares what they take away" in changes_text(runs, 20, [raw])


def test_the_command_writes_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = two_windows() | two_directions()
    deep = [record(n, LAYERS + 2) for n in range(30)]
    runs["deep"] = run_of(30, LAYERS + 2, records=deep)
    monkeypatch.setattr("mlxjsd.store.reader.read_run", lambda folder: runs[str(folder)])
    assert call("compare", "five", "nine", "-o", tmp_path / "both.json") == 0
    assert json.loads((tmp_path / "both.json").read_text())["first"] == "five"
    picture = tmp_path / "both.svg"
    assert call("compare", "five", "nine", "-o", picture) == 0
    assert 'id="significance"' not in picture.read_text()
    assert call("compare", "five", "nine", "--significance", "-o", picture) == 0
    assert 'id="significance"' in picture.read_text()
    assert "differs between both on the same prompts" in picture.read_text()
    asked = ("--metric", "logit_diff", "--effect", "normalised")
    assert call("compare", "noising", "denoising", *asked, "-o", tmp_path / "ways.json") == 0
    document = json.loads((tmp_path / "ways.json").read_text())
    assert (document["effect"], document["least_total"]) == ("normalised", 0.5)
    assert document["runs"][0]["turned_around"] == ["subj"]
    capsys.readouterr()
    for arguments, said in (
        (("five", "nine", "--effect", "normalised"), "(the row 'total'), which normalised effects"),
        (("five", "nine", "--effect", "ratio"), "--effect is change or normalised"),
        (("five", "nine", "--least-total", "1"), "--least-total is for normalised effects"),
        (("five", "--reference", "llama-3-8b-fa", "--effect", "change"), "--effect needs prompts"),
        (
            ("five", "--reference", "llama-3-8b-fa", "--significance"),
            "--significance needs prompts",
        ),
        (("five", "deep", "-o", tmp_path / "no.csv"), "of different depths"),
    ):
        assert call("compare", *arguments) == 2
        assert said in capsys.readouterr().err
    assert ROWS[5] == "subj:denoising"
