"""The tidy table of a run: every cell of every prompt, in Arrow and what is made from it."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet
import pytest
from commands import call
from records import LAYERS, record, run_of

from mlxjsd.errors import InputError
from mlxjsd.output import comparing, tables
from mlxjsd.output.export import export_run
from mlxjsd.records import Grid
from mlxjsd.results import Run

GRID = Grid(
    LAYERS,
    metrics=("jsd", "layer"),
    rows=("last", "subj:denoising"),
    whole=("floor", "reliance", "total"),
    only=(1, 4, 6),
)


@pytest.fixture
def run() -> Run:
    """Five prompts of rows and metrics that are not the usual ones; two cells without a number."""
    records = [record(n, grid=GRID, flags=("a", "b") if n == 1 else ()) for n in range(5)]
    cells = records[3].cells.copy()
    cells[1, 0] = np.nan
    records[3] = replace(records[3], cells=cells, answers=(), relation=None, popularity=2.5)
    records[4] = replace(records[4], text="=1+1\nx", subject='@x, "y"')
    return replace(run_of(5), grid=GRID, records=records)


def test_the_table_has_a_row_for_each_prompt_row_and_measured_layer(run: Run) -> None:
    table = run.to_arrow().to_pylist()
    assert len(table) == 5 * (2 * 3 + 3)
    assert len({(row["id"], row["row"], row["layer"]) for row in table}) == len(table)
    records = {record.id: record for record in run.records}
    for row in table:
        kept = records[row["id"]]
        for metric, column in (("jsd", "jsd"), ("layer", "layer_")):
            if row["layer"] is None:
                expected = kept.number(row["row"], metric)
                assert row["subject_norm"] is None
            else:
                expected = kept.of(metric)[GRID.rows.index(row["row"]), row["layer"]]
                assert row["subject_norm"] == kept.norms[row["layer"]]
            assert row[column] == (None if np.isnan(expected) else expected)
    assert {row["layer"] for row in table} == {1, 4, 6, None}
    assert sum(row["layer_"] is None for row in table) == 3


def test_maps_leave_the_table_and_all_else_as_they_are(run: Run, tmp_path: Path) -> None:
    grid = replace(GRID, maps=("residual", "residual:denoising"))
    records = [
        replace(r, grid=grid, maps=np.ones((2, 2, len(r.tokens), LAYERS), np.float32))
        for r in run.records
    ]
    mapped = replace(run, grid=grid, records=records)
    assert mapped.to_arrow().equals(run.to_arrow())
    for name in ("run.csv", "run.json", "run.npz"):
        export_run(mapped, tmp_path / name)
    found = json.loads((tmp_path / "run.json").read_text())
    assert found["maps"] == ["residual", "residual:denoising"]
    assert comparing.compare(mapped, run).rows[0].correlation == pytest.approx(1)
    for thing in (mapped, mapped.records[0]):
        assert "<table>" in thing._repr_html_()
        assert len(repr(thing)) < 5000


def test_a_row_says_what_is_known_of_its_prompt(run: Run) -> None:
    table = {row["id"]: row for row in run.to_arrow().to_pylist()}
    first, second = table["p0"], table["p1"]
    assert (first["verdict"], first["category"], first["judge"]) == ("right", "FA", "rule")
    assert first["why"] == "accepted answer 'Paris'"
    assert second["verdict"] == "wrong"
    assert second["category"] == run.labels().categories[1]
    assert (first["answers"], second["flags"]) == ("Paris|Lutetia", "a|b")
    assert (first["flags"], table["p3"]["answers"], table["p3"]["relation"]) == (None, None, None)
    assert (table["p3"]["verdict"], table["p3"]["popularity"]) == ("unknown", 2.5)
    assert first["reliance"] == np.float32(run.records[0].reliance)
    assert (first["tokens"], first["subject_start"], first["subject_end"]) == (5, 2, 4)
    assert json.loads(first["source"]) == {"kind": "noise"}
    about = json.loads(run.to_arrow().schema.metadata[b"mlxjsd"])
    assert about["settings"] == run.settings.to_json()
    assert about["model"] == run.model


def test_batches_are_some_prompts_and_share_their_texts(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run.to_arrow()
    monkeypatch.setattr(tables, "BATCH", 20)
    parts = list(tables.Tidy(run).batches())
    assert [part.num_rows for part in parts] == [18, 18, 9]
    assert pa.Table.from_batches(parts).equals(whole)
    long = [replace(record, text="x" * 10**6) for record in run.records]
    assert replace(run, records=long).to_arrow().nbytes < 4 * 10**6, "once for a batch"


def test_frames_and_files_hold_the_same(run: Run, tmp_path: Path) -> None:
    whole = run.to_arrow()
    frame, other = run.to_pandas(), run.to_polars()
    export_run(run, tmp_path / "run.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "run.parquet").equals(whole)
    read = pandas.read_parquet(tmp_path / "run.parquet")
    for found in (frame, read):
        assert list(found.columns) == whole.column_names
        np.testing.assert_array_equal(found["jsd"], whole["jsd"].to_numpy())
    assert frame["layer"].isna().sum() == 15
    means = frame[frame.row == "last"].groupby("layer").jsd.mean()
    np.testing.assert_allclose(means, run.heatmap().row("last")[[1, 4, 6]], rtol=1e-6)
    assert other.equals(polars.read_parquet(tmp_path / "run.parquet"))
    assert other["id"].to_list() == whole["id"].to_pylist()


def test_a_tidy_csv_holds_the_same_and_no_formula(run: Run, tmp_path: Path) -> None:
    export_run(run, tmp_path / "run.tidy.csv")
    export_run(run, tmp_path / "run.csv", tidy=True)
    content = (tmp_path / "run.csv").read_text()
    assert content == (tmp_path / "run.tidy.csv").read_text()
    with (tmp_path / "run.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    whole = run.to_arrow()
    for column in ("jsd", "layer_", "layer"):
        numbers = [None if line[column] == "" else float(line[column]) for line in lines]
        assert np.float32(numbers).tolist() == pytest.approx(
            np.float32(whole[column].to_pylist()).tolist(), nan_ok=True
        )
    assert lines[-1]["text"] == "'=1+1\nx"
    assert lines[-1]["subject"] == '\'@x, "y"'
    export_run(run, tmp_path / "run.csv")
    assert (tmp_path / "run.csv").read_text().startswith("category,metric,row,layer,mean,")


def test_a_run_without_prompts_is_a_table_without_rows(tmp_path: Path) -> None:
    empty, one = run_of(0), run_of(1)
    assert empty.to_arrow().num_rows == empty.to_polars().height == len(empty.to_pandas()) == 0
    for run in (empty, one):
        export_run(run, tmp_path / f"{run.total}.csv", tidy=True)
    first = (tmp_path / "1.csv").read_text().splitlines()[0]
    assert (tmp_path / "0.csv").read_text() == f"{first}\n"


@pytest.mark.parametrize(
    ("missing", "ask"),
    [
        ("pyarrow", "to_arrow"),
        ("pandas", "to_pandas"),
        ("polars", "to_polars"),
        ("pyarrow", "to_polars"),
    ],
)
def test_a_library_that_is_missing_is_one_sentence(
    missing: str, ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    said = rf"needs {missing}, which is not installed; pip install 'mlxjsd\[tables\]'"
    with pytest.raises(InputError, match=said):
        getattr(run_of(), ask)()


def test_the_command_says_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlxjsd.store.reader.read_run", lambda folder: run_of())
    assert call("export", "run", "--tidy", "-o", tmp_path / "a.csv") == 0
    assert (tmp_path / "a.csv").read_text().startswith('"id","position","text"')
    assert call("export", "run", "--tidy", "-o", tmp_path / "a.json") == 2
    assert "--tidy is for .csv and .parquet, not 'a.json'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert call("export", "run", "-o", tmp_path / "a.parquet") == 2
    assert "mlxjsd: this table needs pyarrow" in capsys.readouterr().err
    assert not (tmp_path / "a.parquet").exists()
