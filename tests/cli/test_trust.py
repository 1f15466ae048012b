"""Text and paths from data files are never obeyed: by the terminal, a spreadsheet, the disk."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import call
from hypothesis import given
from hypothesis import strategies as st
from records import record, run_of

from mlxjsd.analysis.heatmap import floor_warning
from mlxjsd.output.export import text_cell, to_csv, to_npz
from mlxjsd.output.figure import plot_groups, plot_run, save_figure
from mlxjsd.output.markdown import report
from mlxjsd.results import Skipped
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.text import clean

#: Colours, a title, a link, markup of Rich and Textual, a formula, a way out of the folder.
EVIL = (
    "\x1b[31mred\x1b]0;title\x07\x1b]8;;http://x\x1b\\ \x9b2J [red]b[/red] [@click=app.quit]q[/] "
    "=cmd|'/c calc'!A1 \u202eabc"
)
#: What a terminal would obey: an escape, or one of the controls of eight bits.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_run_of_hostile_prompts_shows_them_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"id": f"../../{EVIL}", "relation": f"=1+1 {EVIL}", "answers": [EVIL],
         "prompt": f"{EVIL} The capital of France is", "subject": "France"},
        {"id": "/etc/passwd", "relation": "[bold]@SUM(1)", "answers": ["=A1"],
         "prompt": "The capital of [red]Italy[/red] is", "subject": "[red]Italy[/red]"},
        {"id": EVIL, "relation": "x", "prompt": EVIL, "subject": "not there"},
    ]  # fmt: skip
    Path("data").mkdir()
    Path(f"data/{'[red]' + chr(27) + '[31m'}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (data,) = Path("data").iterdir()
    assert call("prompts", data) == 0
    assert call("run", "--data", data, "--output", "run") == 0
    for command in (
        ["show", "run", "--by", "relation"],
        ["summary", "run", "--by", "relation"],
        ["compare", "run", "run"],
        ["plot", "run", "--by", "relation", "-o", "groups.png"],
        ["export", "run", "-o", "out.csv"],
        ["run", "--data", data, "--output", "run", "--window", "3"],
    ):
        assert call(*command) in (0, 2)
    out, err = capsys.readouterr()
    assert "=1+1 [31mred]0;title]8;;http://x\\ 2J [red]b[/red]" in out, "shown, not obeyed"
    for said in (out, err):
        found = CONTROL.search(said.replace("\r", ""))
        assert found is None, repr(said[max(0, found.start() - 50) : found.end() + 20])
    written = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert written == [
        str(data), "groups.png", "out.csv", "run/heatmap.csv", "run/heatmap.png", "run/run.sqlite",
    ]  # fmt: skip
    assert not list(tmp_path.parent.glob("*[[]red]*")), "nothing outside"
    assert read_header("run")["model"]["trust_remote_code"] is False


@given(st.text())
def test_clean_text_is_one_line_that_no_terminal_obeys(text: str) -> None:
    cleaned = clean(text)
    assert "\n" not in cleaned
    assert not CONTROL.search(cleaned)


@given(st.text())
def test_no_cell_of_a_table_is_a_formula(text: str) -> None:
    cell = text_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell in (text, f"'{text}")


def test_numbers_of_a_table_are_left_as_they_are() -> None:
    run = run_of()
    low = [replace(r, cells=r.cells * 0 + np.float32(1e-12)) for r in run.records]
    rows = list(csv.reader(io.StringIO(to_csv(replace(run, records=low)).decode())))
    assert all(re.match(r"^(\d|$)", cell) for row in rows[1:] for cell in row[2:])


def test_arrays_are_written_and_read_without_pickles(tmp_path: Path) -> None:
    (tmp_path / "out.npz").write_bytes(to_npz(run_of()))
    with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
        assert {found[name].dtype.kind for name in found} <= {"f", "U"}


def test_nothing_in_the_code_unpickles_or_evaluates() -> None:
    root = Path(__file__).parents[2]
    for path in [*root.glob("mlxjsd/**/*.py"), *root.glob("tui/**/*.py")]:
        code = path.read_text(encoding="utf-8")
        code = re.sub(r"np\.load\([^()]*, allow_pickle=False\)", "", code)
        for word in ("pickle", "np.load(", "torch.load", "yaml.load", "eval(", "exec("):
            used = re.findall(rf"(?<![\w.]){re.escape(word)}", code)
            # One writes arrays, the other names such files in order to refuse them.
            assert not used or path.name in ("export.py", "kinds.py"), (path, word)


def test_figures_take_dollar_signs_and_markup_as_text(tmp_path: Path) -> None:
    run = run_of(model={**run_of().model, "name": r"$\frac{ [red]x"})
    records = [replace(r, relation=r"$\bad{ " + str(i)) for i, r in enumerate(run.records)]
    run = replace(run, records=records)
    save_figure(plot_run(run), tmp_path / "a.svg")
    save_figure(plot_groups(run.heatmap(by="relation"), "x"), tmp_path / "b.png")
    assert r"$\frac{ [red]x" in (tmp_path / "a.svg").read_text()


def test_a_noise_floor_that_is_too_high_is_said_everywhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loud = [*(record(i) for i in range(3)), record(3, floor=2e-3)]
    run = run_of(records=loud, floor_limit=1e-6)
    said = "The noise floor of 2.0e-03 nats is over 1e-06"
    assert said in report(run)
    title = plot_run(run).axes[0].get_title()
    assert title.endswith("noise floor 2.0e-03 nats, over the limit of 1e-06")
    from rich.console import Console

    from mlxjsd.output.terminal import summary

    Console(width=300).print(summary(run, 100))
    assert said in capsys.readouterr().out
    quiet = run_of(floor_limit=1e-6)
    assert "over the limit" not in plot_run(quiet).axes[0].get_title()
    assert floor_warning(5.0, None) == ""
    assert floor_warning(float("nan"), 1e-6) == ""


def test_the_progress_says_what_cannot_be_trusted(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from mlxjsd.cli.progress import follow
    from mlxjsd.run.events import BatchDone, Finished, Started

    failed = Skipped("[red]x\x1b[31m", 2, "NaN or infinity appears in block 3 of the clean run")
    events = [
        Started(Path("run"), 8, 3, 0, (), (), 1e-6),
        BatchDone((record(0, floor=2e-3),), 1, 3, 1.0, 0),
        BatchDone((record(1, floor=1e-3),), 3, 3, 1.0, 0, (failed,)),
        Finished(3),
    ]
    assert follow(iter(events), Console(stderr=True, width=300, highlight=False)) == Finished(3)
    err = capsys.readouterr().err
    assert err.count("The noise floor of") == 1
    assert "[red]x[31m could not be measured: NaN or infinity appears in block 3" in err
    assert "\x1b" not in err


@pytest.mark.slow
def test_a_reader_that_stops_reading_ends_nothing_badly(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert call("run", "--limit", 2, "--output", folder) == 0
    for command in (["show", str(folder)], ["summary", str(folder)], ["prompts", "x.jsonl"]):
        rows = [{"prompt": "The capital of France is", "subject": "France"}] * 3000
        (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
        reader, writer = os.pipe()
        os.close(reader)
        ended = subprocess.run(
            [sys.executable, "-m", "mlxjsd", *command],
            stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        os.close(writer)
        assert "Traceback" not in ended.stderr, command
        assert "Exception ignored" not in ended.stderr, command
        assert ended.returncode in (0, 1)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert call("run", "--limit", 2, "--output", folder) == 0
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "mlxjsd", "show", str(folder)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("mlxjsd: No space left on device")
    assert "Traceback" not in ended.stderr
    assert len(read_run(folder).records) == 2
