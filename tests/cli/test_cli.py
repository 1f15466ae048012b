import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import call

from mlxjsd.assets import MODEL, PROMPTS
from mlxjsd.store.reader import read_run

FEW = ["--limit", "6"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert call("run", *FEW, "--output", folder) == 0
    return folder


@pytest.mark.slow
def test_a_run_writes_its_products_and_prints_the_heatmap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", *FEW, "--output", tmp_path / "run") == 0
    out, err = capsys.readouterr()
    for part in ("Subj.", "Attn.", "Last.", "peak (nats)", "noise floor"):
        assert part in out
    assert out.splitlines()[-1] == str(tmp_path / "run")
    assert "prompts/s" in err
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "heatmap.csv", "heatmap.png", "run.sqlite",
    ]  # fmt: skip


def test_the_same_command_again_measures_nothing_again(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run_folder / "run.sqlite").read_bytes()
    assert call("run", *FEW, "--output", run_folder) == 0
    assert "6 of 6 prompts are there already" in capsys.readouterr().err
    assert (run_folder / "run.sqlite").read_bytes() == before


def test_other_settings_on_the_same_folder_are_refused(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", *FEW, "--output", run_folder, "--window", 3) == 2
    assert "window 5, now 3" in capsys.readouterr().err


@pytest.mark.slow
def test_a_published_file_is_measured_in_a_prompt_template(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "P36.test.json"
    names = ("Ghana", "France")
    questions = [{"question": f"What is the capital of {n}?", "answers": ["A"]} for n in names]
    data.write_text(json.dumps(questions))
    folder = tmp_path / "run"
    command = ["run", "--data", data, "--output", folder, "--prompt-template"]
    assert call(*command, r"Question: {prompt}\nFrance is not asked about. Answer:") == 0
    assert "prompt template" in capsys.readouterr().out
    run = read_run(folder)
    assert run.data["format"] == "entity_questions"
    for record, name in zip(run.records, names, strict=True):
        start, end = record.subject_span
        assert "".join(record.tokens[start:end]).strip(" ?") == name
        assert record.text.startswith(f"Question: What is the capital of {name}?\nFrance")
    assert call(*command, "Q: {prompt}") == 2
    assert "now 'Q: {prompt}'" in capsys.readouterr().err


@pytest.mark.slow
def test_without_output_a_run_is_named_after_what_it_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("run", "--limit", 2, "--corruption", "swap") == 0
    (folder,) = (tmp_path / "mlxjsd-runs").iterdir()
    assert "swap" in folder.name
    assert call("run", "--limit", 2) == 0
    assert len(list((tmp_path / "mlxjsd-runs").iterdir())) == 2
    capsys.readouterr()


def test_show_plot_and_export(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("show", run_folder) == 0
    assert "Subj." in capsys.readouterr().out
    for name in ("figure.png", "figure.pdf", "figure.svg"):
        assert call("plot", run_folder, "-o", tmp_path / name, "--vmax", "0.7") == 0
        assert (tmp_path / name).stat().st_size > 1000
    for name in ("out.csv", "out.json", "out.npz"):
        assert call("export", run_folder, "-o", tmp_path / name) == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert len(document["prompts"]) == 6
    assert document["model"]["name"] == "bundled"
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "out.npz")


@pytest.mark.slow
def test_groups_curves_readings_and_comparisons(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["plot", run_folder, "--by", "category"],
        ["plot", run_folder, "--by", "relation"],
        ["plot", run_folder, "--kind", "norms"],
        ["plot", run_folder, "--kind", "cosine"],
        ["plot", run_folder, "--kind", "probability"],
        ["compare", run_folder, run_folder],
        ["compare", run_folder, "--reference", "llama-3-8b-fa", "--category", "FA"],
    ):
        path = tmp_path / "figure.png"
        path.unlink(missing_ok=True)
        assert call(*arguments, "-o", path) == 0
        assert path.stat().st_size > 1000
    assert "arXiv 2510.09033" in capsys.readouterr().out
    assert call("summary", run_folder, "--by", "correct") == 0
    said = capsys.readouterr().out
    assert "| Category | Peak Divergence Phase |" in said
    assert "Reliance threshold" in said
    assert call("show", run_folder, "--by", "category", "--match", "prefix") == 0
    assert "Factual associations" in capsys.readouterr().out


@pytest.mark.slow
def test_without_labels_there_are_no_categories(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert call("run", "--limit", 2, "--no-label", "--output", folder) == 0
    assert "Factual" not in capsys.readouterr().out
    assert call("plot", folder, "--kind", "norms", "-o", tmp_path / "x.png") == 2
    assert "no categories" in capsys.readouterr().err
    assert call("run", "--limit", 2, "--output", folder) == 2
    assert "max-tokens of an answer None, now 10" in capsys.readouterr().err


BAD_LINE = '{"prompt": "The capital of France is", "subject": "France"}\n{oops\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--data", "none.jsonl"], "there is no data file"),
        (["run", "--data", "empty.jsonl"], "is empty"),
        (["run", "--data", "bad.jsonl"], "line 2 is not JSON"),
        (["run", "--data", "missing.jsonl"], 'line 1: the field "subject" is missing'),
        (["run", "--data", "useless.jsonl"], "can be measured"),
        (["run", "--data", "folder"], "without a .json or .jsonl file"),
        (["run", "--data", "bad.jsonl", "--format", "csv"], "has no column prompt and no"),
        (["run", "--format", "parquet"], "--format is jsonl, json, csv"),
        (["run", "--prompt-template", "Question:"], "must hold {prompt} once"),
        (["run", "--chat"], "has no chat template"),
        (["prompts", "none.jsonl"], "there is no data file"),
        (["prompts", "useless.jsonl", "--limit", "0"], "at least 1"),
        (["prompts", "useless.jsonl", "--prompt-template", "Q:"], "must hold {prompt} once"),
        (["prompts", PROMPTS, "--chat"], "has no chat template"),
        (["prompts", "useless.jsonl", "--model", "nobody/none"], "is not in the local cache"),
        (["prompts", "esc.jsonl"], "has the fields [31m;"),
        (["tui", "--prompt-template", "Question:"], "must hold {prompt} once"),
        (["run", "--model", "./none"], "there is no model folder"),
        (["run", "--model", "none"], "there is no model folder"),
        (["run", "--model", "folder"], "holds no config.json"),
        (["run", "--model", "broken"], "holds no weights"),
        (["run", "--model", "foreign"], "only with --trust-remote-code"),
        (["run", "--model", "nobody/no-such-model"], "the Hub cannot be reached"),
        (["run", "--output", "folder"], "holds something else"),
        (["run", "--output", "empty.jsonl"], "is a file"),
        (["run", "--corruption", "fire"], "noise or swap"),
        (["run", "--noise-level", "0"], "noise level"),
        (["run", "--noise-level", "nan"], "noise level"),
        (["run", "--noise-samples", "0"], "noise sample"),
        (["run", "--window", "-1"], "window"),
        (["run", "--limit", "0"], "limit"),
        (["run", "--batch-size", "0"], "batch size"),
        (["run", "--match", "fuzzy"], "--match is"),
        (["run", "--max-tokens", "0"], "at least one token"),
        (["compare", "folder"], "one of the two"),
        (["show", "folder"], "is not a run folder"),
        (["plot", "folder", "-o", "x.png"], "is not a run folder"),
        (["export", "none", "-o", "x.csv"], "is not a run folder"),
    ],
)
def test_bad_input_gets_one_clear_sentence(
    arguments: list[object],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.jsonl").write_text("")
    Path("bad.jsonl").write_text(BAD_LINE)
    Path("esc.jsonl").write_text("\x1b[31m")
    Path("missing.jsonl").write_text('{"prompt": "The capital of France is"}')
    Path("useless.jsonl").write_text('{"prompt": "The capital is", "subject": "France"}')
    Path("folder").mkdir()
    Path("folder/notes.txt").write_text("mine")
    Path("broken").mkdir()
    Path("broken/config.json").write_text('{"model_type": "llama"}')
    Path("foreign").mkdir()
    Path("foreign/config.json").write_text('{"model_type": "llama", "model_file": "evil.py"}')
    before = sorted(p for p in tmp_path.rglob("*"))
    assert call(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    told = [line for line in err.splitlines() if line.startswith("mlxjsd: ")]
    assert len(told) == 1
    assert said in told[0]
    assert "Traceback" not in err
    assert "\x1b" not in told[0]
    assert sorted(p for p in tmp_path.rglob("*")) == before, "nothing was written"


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_measured(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # not as in the background
        "import mlxjsd.model.load, mlxjsd.run.batch as measuring\n"
        "from mlxjsd.cli import main\n"
        "measure, calls = measuring.measure_batch, []\n"
        "def slow(plan, batch):\n"
        "    calls.append(batch)\n"
        "    if len(calls) == 3: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return measure(plan, batch)\n"
        "measuring.measure_batch = slow\n"
        "main(sys.argv[1:])\n"
    )
    folder = tmp_path / "run"
    command = ["run", "--limit", "12", "--batch-size", "2", "--output", str(folder)]
    ended = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130, ended.stderr
    assert "stopped after 7 of 12 prompts; to go on:" in " ".join(ended.stderr.split())
    assert ended.stderr.splitlines()[-1] == f"mlxjsd resume {folder}"
    assert call("resume", folder) == 0
    assert len(read_run(folder).records) == 12


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out.startswith("mlxjsd ")
    assert call("--help") == 0
    said = capsys.readouterr().out
    for name in ("run", "show", "plot", "export"):
        assert name in said
    assert call("run", "--window", "wide") == 2


def test_the_module_runs_as_the_command(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "mlxjsd", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert said.stdout.startswith("mlxjsd ")


def test_the_bundled_assets_are_small_and_whole() -> None:
    size = sum(p.stat().st_size for p in MODEL.parent.rglob("*") if p.is_file())
    assert size < 8_000_000
    assert len(PROMPTS.read_text(encoding="utf-8").splitlines()) >= 300
