"""The commands that write HTML: report, plot, compare."""

from pathlib import Path

import pytest
from commands import call
from forging import META, forge, rows
from reports import document_in

from mlxjsd.output.report.reading import read_report


@pytest.fixture
def run(tmp_path: Path) -> Path:
    forge(tmp_path / "run", {**META, "total": 6, "data": {**META["data"], "prompts": 6}}, rows(6))
    return tmp_path / "run"


def test_a_run_is_written_as_one_file(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["report"], ["plot", "--by", "correct"]):
        path = run.parent / f"{command[0]}.html"
        assert call(*command, run, "-o", path) == 0
        assert capsys.readouterr().out == f"{path}\n"
        assert len(read_report(path).run.records) == 6
    assert document_in(run.parent / "report.html")["first"] == {"by": None, "metric": None}
    assert document_in(run.parent / "plot.html")["first"] == {"by": "correct", "metric": "jsd"}


def test_a_comparison_is_written_as_one_file(run: Path, tmp_path: Path) -> None:
    forge(tmp_path / "other", META, rows(4))
    path = tmp_path / "compared.html"
    for further, names in (
        ([tmp_path / "other"], ["A: tiny, n = 4", "B: tiny, n = 4", "A − B"]),
        ([tmp_path / "other", run], None),
        (["--reference", "llama-3-8b-fa"],
         ["A: tiny, n = 6", "B: Llama 3 8B, factual associations", "A − B"]),
    ):  # fmt: skip
        assert call("compare", run, *further, "-o", path) == 0
        document = document_in(path)
        panels = document["shown"]["views"]["jsd"]["all"]
        assert len(panels) == 3
        if names is not None:
            assert [panel["name"] for panel in panels] == names
            assert b"<th>Mean |difference| (nats)</th>" in path.read_bytes().replace(
                b' style="text-align:left"', b""
            )
    assert call("verify", path) == 2


def test_what_makes_no_sense_is_one_sentence(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command, said in (
        (["report", run, "-o", run / "x.png"], "a report ends in .html, not 'x.png'"),
        (["report", run, "-o", run / "no" / "x.html"], "cannot write"),
        (["plot", run, "-o", run / "x.html", "--vmin", "0.1"], "in its own colours"),
        (["plot", run, "-o", run / "x.html", "--kind", "norms"], "in its own"),
        (["plot", run, "-o", run / "x.html", "--metric", "kl"], "no numbers of the metric 'kl'"),
        (["plot", run, "-o", run / "x.html", "--by", "size"], "--by is category"),
    ):
        assert call(*command) == 2
        assert said in capsys.readouterr().err
