"""Exports, figures and the terminal, from made-up records; no MLX."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from records import LAYERS, record, run_of
from rich.console import Console

from mlxjsd.analysis.heatmap import aggregate
from mlxjsd.errors import InputError, MachineError
from mlxjsd.output.export import export_run, to_csv, to_json, to_npz
from mlxjsd.output.figure import Style, plot_heatmap, plot_run, save_figure
from mlxjsd.output.markdown import report
from mlxjsd.output.terminal import heatmap_text, summary


def test_the_csv_has_one_line_a_cell() -> None:
    run = run_of()
    rows = list(csv.DictReader(io.StringIO(to_csv(run).decode())))
    assert len(rows) == 3 * 3 * LAYERS
    assert list(dict.fromkeys(row["category"] for row in rows)) == ["all", "FA", "UH"]
    heatmap = run.heatmap()
    for row in (row for row in rows if row["category"] == "all"):
        assert float(row["ci95_low"]) < float(row["mean_jsd"]) < float(row["ci95_high"])
        expected = heatmap.row(row["row"])[int(row["layer"])]
        assert float(row["mean_jsd"]) == pytest.approx(expected, rel=1e-7)
        assert row["n"] == "4"


def test_the_json_holds_everything() -> None:
    run = run_of()
    document = json.loads(to_json(run))
    assert document["rows"] == ["subj", "attn", "last"]
    assert document["layers"] == LAYERS
    assert document["settings"] == run.settings.to_json()
    assert document["skipped"] == [{"id": "s", "reason": "the subject is not in the text"}]
    first, kept = document["prompts"][0], run.records[0]
    assert set(first) >= {
        "id", "text", "subject", "relation", "answers", "token_ids", "subject_span", "source",
        "prediction", "probability", "entropy", "jsd", "reliance", "floor", "answer", "category",
    }  # fmt: skip
    assert first["subject_span"] == [2, 4]
    assert (first["flags"], first["popularity"]) == ([], None)
    assert first["norms"] == kept.norms.tolist()
    assert list(first["jsd"]) == ["subj", "attn", "last"]
    for index, name in enumerate(first["jsd"]):
        assert np.float32(first["jsd"][name]).tolist() == kept.jsd[index].tolist()
        np.testing.assert_allclose(document["mean"][name], run.heatmap().mean[index])


def test_flags_and_popularity_are_exported_and_flags_are_counted() -> None:
    run = run_of(
        records=[
            record(0, flags=("at-position-0", "occurs-twice"), popularity=7.5),
            record(1, flags=("occurs-twice",)),
            record(2),
        ]
    )
    first = json.loads(to_json(run))["prompts"][0]
    assert first["flags"] == ["at-position-0", "occurs-twice"]
    assert first["popularity"] == 7.5
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary(run, 200))
    for said in (console.export_text(), report(run)):
        assert "In 1 of 3 prompts the subject is the first token of all" in said
        assert "In 2 of 3 prompts the subject occurs more than once" in said
    assert "first token of all" not in report(run_of())


def test_a_run_without_prompts_exports_as_valid_json() -> None:
    document = json.loads(to_json(run_of(0)))
    assert document["mean"]["subj"] == [None] * LAYERS


def test_the_npz_holds_arrays_and_nothing_pickled() -> None:
    run = run_of()
    arrays = np.load(io.BytesIO(to_npz(run)), allow_pickle=False)
    assert arrays["jsd"].dtype == np.float32
    assert arrays["jsd"].shape == (4, 3, LAYERS)
    np.testing.assert_array_equal(arrays["jsd"], run.jsd())
    assert arrays["ids"].tolist() == [r.id for r in run.records]
    np.testing.assert_array_equal(arrays["norms"], [r.norms for r in run.records])
    assert arrays["rows"].tolist() == ["subj", "attn", "last"]


@pytest.mark.parametrize("ending", ["csv", "json", "npz"])
def test_an_export_is_whole_or_not_there(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"out.{ending}"
    export_run(run_of(), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)  # the content is in the file, and not on the disk
    with pytest.raises(MachineError, match="No space left"):
        export_run(run_of(2), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_other_endings_and_missing_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an export ends in"):
        export_run(run_of(), tmp_path / "out.xlsx")
    with pytest.raises(InputError, match="a figure ends in"):
        save_figure(plot_run(run_of()), tmp_path / "out.jpeg")
    with pytest.raises(InputError, match="cannot write"):
        export_run(run_of(), tmp_path / "none" / "out.csv")


def test_the_figure_is_like_the_target() -> None:
    figure = plot_run(run_of(layers=32))
    axes, bar = figure.axes
    assert [t.get_text() for t in axes.get_yticklabels()] == ["Subj.", "Attn.", "Last."]
    bottom, top = axes.get_ylim()
    assert bottom > top, "Subj. is on top"
    assert axes.get_xticks().tolist() == list(range(0, 32, 2))
    assert axes.get_xlabel() == "Layer"
    assert bar.get_ylabel() == "Avg JS Divergence\n(nats)"
    mesh = axes.collections[0]
    assert mesh.get_clim()[0] == 0
    light, dark = mesh.cmap(0.0), mesh.cmap(1.0)
    assert sum(light[:3]) > 2.5
    assert dark[2] > dark[0]
    assert "n = 4" in axes.get_title()


def test_cells_carry_the_values_and_empty_ones_nothing() -> None:
    heatmap = run_of().heatmap()
    shown = plot_heatmap(heatmap).axes[0].collections[0].get_array()
    np.testing.assert_allclose(np.asarray(shown).reshape(3, LAYERS), heatmap.mean)
    empty = plot_heatmap(aggregate([], LAYERS)).axes[0].collections[0].get_array()
    assert np.ma.getmaskarray(empty).all()


def test_the_scale_can_be_set() -> None:
    mesh = plot_run(run_of(), Style(0.2, 0.6, "viridis")).axes[0].collections[0]
    assert mesh.get_clim() == (0.2, 0.6)
    assert mesh.cmap.name == "viridis"
    with pytest.raises(InputError, match="no colour map"):
        Style(cmap="nope")
    with pytest.raises(InputError, match="must be above"):
        Style(vmin=0.5, vmax=0.2)


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")]
)
def test_figures_are_written_and_vectors_stay_vectors(
    tmp_path: Path, ending: str, magic: bytes
) -> None:
    path = tmp_path / f"figure.{ending}"
    save_figure(plot_run(run_of(layers=32)), path)
    content = path.read_bytes()
    assert content.startswith(magic)
    if ending == "svg":
        text = content.decode()
        assert ">Subj.</text>" in text, "text stays text"
        assert text.count("<path") >= 96, "every cell is a path, not a picture's pixel"


def test_a_name_with_a_dollar_sign_does_not_open_a_formula(tmp_path: Path) -> None:
    run = run_of(model={"name": "a$b$\\frac{", "family": "x"})
    save_figure(plot_run(run), tmp_path / "figure.png")


def test_the_terminal_shows_values_in_colours_or_shades() -> None:
    heatmap = run_of().heatmap()
    coloured, plain = heatmap_text(heatmap, 80), heatmap_text(heatmap, 80, colours=0)
    assert {str(span.style) for span in coloured.spans} >= {"on #08306b"}
    assert "█" in plain.plain
    assert not plain.spans


@pytest.mark.parametrize("width", [80, 120, 250])
@pytest.mark.parametrize("layers", [6, 32, 64])
def test_the_heatmap_fits_the_terminal(width: int, layers: int) -> None:
    text = heatmap_text(run_of(layers=layers).heatmap(), width)
    assert max(len(line) for line in text.plain.splitlines()) <= width


def test_the_summary_names_peaks_floor_and_skipped_prompts() -> None:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(summary(run_of(), 100))
    said = console.export_text()
    for part in ("Subj.", "peak (nats)", "noise floor 3.0e-09", "1 prompts were skipped"):
        assert part in said
    console.print(summary(run_of(0, total=3), 100))
    assert "no prompt has been measured yet" in console.export_text()
