"""Settings in a file and in variables: what goes first, and what is refused."""

from pathlib import Path

import pytest
import yaml
from commands import call

from mlxjsd.rows import sets
from mlxjsd.run.job import Job
from mlxjsd.settings import Settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_what_is_typed_goes_first_then_a_variable_then_the_file(
    asked: list[Job], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("window: 1\nseed: 1\nnoise_samples: 1\nlimit: 1\n")
    for name in ("WINDOW", "SEED", "NOISE_SAMPLES"):
        monkeypatch.setenv(f"MLXJSD_{name}", "2")
    assert call("run", "-c", path, "--window", 3, "--seed", 3) == 0
    (job,) = asked
    found = job.settings.window, job.settings.seed, job.settings.noise_samples, job.limit
    assert found == (3, 3, 2, 1)


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ("rows: [last, subj]", "rows", ("last", "subj")),
        ("rows: geva", "rows", sets()["geva"]),
        ("window: [1, 5]", "window", (1, 5)),
        ("window: 1,5", "window", (1, 5)),
        ("map: [residual]", "maps", ("residual",)),
        ("direction: both", "direction", "both"),
        ("target: answer", "target", "answer"),
        ("noise-level: 2.50", "noise_level", 2.5),
        ("revision: 0123", "revision", "0123"),
        ("revision: 1e10", "revision", "1e10"),
        ("chat: yes", "chat", True),
        ("chat: false", "chat", False),
        ('prompt_template: "Q: {prompt}\\nA:"', "prompt_template", "Q: {prompt}\nA:"),
        ("prompt_template: |-\n  Q: {prompt}\n  A:", "prompt_template", "Q: {prompt}\nA:"),
        ("layers: 0-8:4,5", "layers", (0, 4, 5, 8)),
        ("label: false", "max_tokens", None),
        ('{"window": 3}', "window", 3),
        ("window: null", "window", 5),
        ("limit:", "limit", None),
        ("# nothing", "limit", None),
    ],
)
def test_values_are_read_as_they_would_be_typed(
    written: str, name: str, value: object, asked: list[Job], path: Path
) -> None:
    path.write_text(written)
    assert call("run", "-c", path) == 0
    (job,) = asked
    holders = [part for part in (job.settings, job.labelling, job) if hasattr(part, name)]
    assert getattr(holders[0], name) == value


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"windw: 3", "has an unknown key 'windw'; did you mean 'window'"),
        (b"noise-lvl: 3", "has an unknown key 'noise-lvl'; did you mean 'noise_level'"),
        (b"lora_parameters: 3", "has an unknown key 'lora_parameters'; there is model, data"),
        (b"trust_remote_code: true", "has an unknown key 'trust_remote_code'"),
        (b"seed: wide", "seed in config.yaml: "),
        (b"maps: residual", "has an unknown key 'maps'; did you mean 'map'"),
        (b"window: wide", "--window is a number of blocks, or several as in 1,5,9, not 'wide'"),
        (b"match: [a, [b]]", "match in config.yaml is no value that could be typed; see --match"),
        (b"window: {a: 1}", "window in config.yaml is no value"),
        (b"noise_level: 1\nnoise-level: 2", "has the key 'noise_level' twice"),
        (b"window: -1", "the knockout window cannot be negative"),
        (b"rows: [subj, sbj]", "there is no row 'sbj'"),
        (b"metrics: [jsd, jsd]", "every metric is named once"),
        (b"- window", "holds no settings, such as `window: 5`"),
        (b"window", "holds no settings"),
        (b"window: [1", "is not YAML: "),
        (b"\xff\xfe", "is not YAML: "),
        (b"a: !!python/object/apply:os.system [ls]", "has an unknown key 'a'"),
        (b"? [a, b]\n: c", "is not YAML: "),
        (b"[" * 5000, "is not YAML: "),
        (b"#" * 1_000_001, "is too large for settings"),
    ],
)
def test_a_file_that_cannot_be_is_one_sentence(
    written: bytes,
    said: str,
    asked: list[Job],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_bytes(written)
    for command in ("run", "tui"):
        assert call(command, "-c", "config.yaml") == 2
        out, err = capsys.readouterr()
        (line,) = err.splitlines()
        assert line.startswith("mlxjsd: ")
        assert said in line
        assert out == ""
    assert not asked


def test_a_file_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "-c", "none.yaml") == 2
    said = capsys.readouterr().err
    assert said == "mlxjsd: cannot read none.yaml: No such file or directory; name a file with -c\n"


def test_a_printed_file_explains_itself(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    path.write_text("limit: 7")
    assert call("run", "-c", path, "--rows", "subj", "--print-config") == 0
    said = capsys.readouterr().out
    found = yaml.safe_load(said)
    assert (found["limit"], found["rows"], found["window"]) == (7, ["subj"], 5)
    assert "# Only the first N prompts.\nlimit: 7\n" in said
    assert "trust_remote_code" not in found


def test_a_run_folder_has_its_own_settings(
    asked: list[Job], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("limit: 7")
    assert call("tui", "folder", "-c", path) == 2
    assert "has its own settings" in capsys.readouterr().err


def test_other_commands_take_the_variables_of_the_options_that_they_share(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLXJSD_MODEL", "./none")
    for command in ("check", "bench"):
        assert call(command) == 2
        assert "there is no model folder" in capsys.readouterr().err
    monkeypatch.setenv("MLXJSD_DATA", "none.jsonl")
    for command in ("check", "bench"):
        assert call(command) == 2
        assert "there is no data file none.jsonl" in capsys.readouterr().err


def test_variables_fill_in_the_apps_form_and_start_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forms: list[Job | None] = []
    monkeypatch.setattr(
        "mlxjsd.tui.launch.launch", lambda *_, form=None, **__: forms.append(form) or 0
    )
    assert call("tui") == 0
    monkeypatch.setenv("MLXJSD_WINDOW", "3")
    assert call("tui") == 0
    assert forms == [None, Job(settings=Settings(window=3))]
