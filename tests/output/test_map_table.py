"""Maps in exports: a table with a row for each token and layer, JSON, arrays."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from records import LAYERS, record, run_of

from mlxjsd.errors import InputError
from mlxjsd.output import tables
from mlxjsd.output.export import export_run
from mlxjsd.records import Grid
from mlxjsd.results import Run

MAPS = ("residual", "residual:denoising")
GRID = Grid(LAYERS, metrics=("jsd", "layer"), only=(1, 4, 6), maps=MAPS)


@pytest.fixture
def run() -> Run:
    """Four prompts of five, six, seven and eight tokens, one of which looks like a formula."""
    records = []
    for at in range(4):
        tokens = (*record(at).tokens, *["=on"] * at)
        rng = np.random.default_rng(at)
        maps = rng.random((2, 2, len(tokens), LAYERS), dtype=np.float32) * np.float32(0.69)
        maps[..., [0, 2, 3, 5, 7]] = np.nan
        ids = tuple(range(len(tokens)))
        records.append(record(at, grid=GRID, tokens=tokens, token_ids=ids, maps=maps))
    return replace(run_of(4), grid=GRID, records=records)


def test_a_row_for_each_prompt_map_token_and_measured_layer(run: Run) -> None:
    rows = run.to_arrow(maps=True).to_pylist()
    assert len(rows) == 2 * (5 + 6 + 7 + 8) * 3
    places = {(r["id"], r["map"], r["direction"], r["token"], r["layer"]) for r in rows}
    assert len(places) == len(rows)
    records = {record.id: record for record in run.records}
    for row in rows:
        kept = records[row["id"]]
        name = MAPS[row["direction"] == "denoising"]
        assert row["map"] == "residual"
        assert row["token_text"] == kept.tokens[row["token"]]
        for metric, column in (("jsd", "jsd"), ("layer", "layer_")):
            assert row[column] == kept.map(name, metric)[row["token"], row["layer"]]
    roles = {r["token"]: r["role"] for r in rows if r["id"] == "p3"}
    assert list(roles.values()) == [
        *(None, None, "first-subject", "last-subject", "first-after", "further", "further", "last")
    ]
    assert {r["category"] for r in rows if r["id"] == "p0"} == {"FA"}
    assert {r["verdict"] for r in rows if r["id"] == "p1"} == {"wrong"}


def test_batches_and_all_kinds_of_table_hold_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run.to_arrow(maps=True)
    monkeypatch.setattr(tables, "BATCH", 40)
    assert run.to_arrow(maps=True).to_pylist() == whole.to_pylist()
    export_run(run, tmp_path / "run.parquet", maps=True)
    export_run(run, tmp_path / "run.csv", maps=True)
    export_run(run, tmp_path / "run.maps.csv")
    pq = pytest.importorskip("pyarrow.parquet")
    assert pq.read_table(tmp_path / "run.parquet").to_pylist() == whole.to_pylist()
    assert run.to_polars(maps=True).rows() == [tuple(row.values()) for row in whole.to_pylist()]
    frame = run.to_pandas(maps=True)
    by_role = frame.groupby("role", observed=True)["jsd"].mean()
    last = [r.map(m)[-1, [1, 4, 6]].astype(float) for r in run.records for m in MAPS]
    assert by_role["last"] == pytest.approx(np.mean(last))
    content = (tmp_path / "run.csv").read_text()
    assert content == (tmp_path / "run.maps.csv").read_text()
    lines = list(csv.DictReader(content.splitlines()))
    assert len(lines) == whole.num_rows
    assert {line["token_text"] for line in lines} >= {"'=on", " is"}
    assert float(lines[7]["jsd"]) == pytest.approx(whole["jsd"][7].as_py())


def test_json_and_arrays_hold_the_maps_of_each_prompt(run: Run, tmp_path: Path) -> None:
    export_run(run, tmp_path / "run.json")
    export_run(run, tmp_path / "run.npz")
    found = json.loads((tmp_path / "run.json").read_text())
    arrays = np.load(tmp_path / "run.npz")
    assert found["maps"] == list(arrays["map_names"]) == list(MAPS)
    assert arrays["maps"].shape == (4, 2, 2, 8, LAYERS)
    for at, (kept, written) in enumerate(zip(run.records, found["prompts"], strict=True)):
        count = len(kept.tokens)
        assert written["tokens"] == list(kept.tokens) == list(arrays["tokens"][at, :count])
        assert (written["roles"][0], written["roles"][-1]) == (None, "last")
        back = [[written["maps"][name][metric] for metric in GRID.metrics] for name in MAPS]
        assert np.array_equal(np.array(back, np.float32), kept.maps, equal_nan=True)
        assert np.array_equal(arrays["maps"][at, :, :, :count], kept.maps, equal_nan=True)
        assert np.isnan(arrays["maps"][at, :, :, count:]).all()


def test_what_cannot_be_is_one_sentence(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="the run has no maps"):
        export_run(run_of(), tmp_path / "a.maps.csv")
    with pytest.raises(InputError, match="the run has no maps"):
        run_of().to_pandas(maps=True)
    with pytest.raises(InputError, match=r"--maps is for \.csv and \.parquet, not 'a\.json'"):
        export_run(run, tmp_path / "a.json", maps=True)
    with pytest.raises(InputError, match="holds every prompt's maps as measured"):
        export_run(run, tmp_path / "a.csv", tidy=True, maps=True)
    assert call("export", tmp_path, "--maps", "--salvage", "-o", tmp_path / "a.json") == 2
    assert "--salvage writes everything that is left" in capsys.readouterr().err
    empty = replace(run, records=[], total=0)
    export_run(empty, tmp_path / "a.csv", maps=True)
    assert (tmp_path / "a.csv").read_text().startswith('"id","relation","category","verdict","map"')
