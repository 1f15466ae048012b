"""The options of a run: one list, which the commands, the job and the app's form take."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from commands import call

from mlxjsd.analysis.aliases import read_aliases
from mlxjsd.cli.app import app
from mlxjsd.cli.ask import OF_A_RUN
from mlxjsd.cli.options import RunOptions
from mlxjsd.cli.run_options import KEYS, help_of, variable_of
from mlxjsd.errors import InputError
from mlxjsd.run.job import Job
from mlxjsd.settings import Labelling, Settings
from mlxjsd.tui.form import FIELDS

#: Each option of a run with a value that is not its default, as typed and as the job holds it.
TYPED: dict[str, tuple[list[str], Any]] = {
    "model": (["--model", "a/b"], "a/b"),
    "data": (["--data", "facts.jsonl"], Path("facts.jsonl")),
    "format": (["--format", "csv"], "csv"),
    "fields": (["--fields", "prompt=src,answers=alt"], "prompt=src,answers=alt"),
    "output": (["--output", "run"], Path("run")),
    "limit": (["--limit", "7"], 7),
    "sample": (["--sample", "6"], 6),
    "corruption": (["--corruption", "swap"], "swap"),
    "noise_level": (["--noise-level", "2.5"], 2.5),
    "noise_samples": (["--noise-samples", "4"], 4),
    "window": (["--window", "1,5"], (1, 5)),
    "part_window": (["--part-window", "3"], 3),
    "rows": (["--rows", "last,subj"], ("last", "subj")),
    "metrics": (["--metrics", "jsd,kl"], ("jsd", "kl")),
    "maps": (["--map", "residual"], ("residual",)),
    "direction": (["--direction", "both"], "both"),
    "target": (["--target", "answer"], "answer"),
    "layers": (["--layers", "0-8:4,5"], (0, 4, 5, 8)),
    "seed": (["--seed", "9"], 9),
    "swap_any": (["--swap-any"], True),
    "prompt_template": (["--prompt-template", r"Q: {prompt}\nA:"], "Q: {prompt}\nA:"),
    "chat": (["--chat"], True),
    "batch_size": (["--batch-size", "5"], 5),
    "memory": (["--memory", "12.5"], 12.5),
    "max_tokens": (["--max-tokens", "3"], 3),
    "match": (["--match", "prefix"], "prefix"),
    "aliases": (["--aliases", "countries"], read_aliases("countries")),
    "reliance_threshold": (["--reliance-threshold", "0.1"], 0.1),
    "trust_remote_code": (["--trust-remote-code"], True),
    "revision": (["--revision", "v2"], "v2"),
    "bits": (["--bits", "3"], 3),
    "adapter_path": (["--adapter-path", "lora"], Path("lora")),
}


#: What has no option: a rule of older versions, which their runs go on with, and what a run folder
#: says of the model that it names.
NOT_ASKED = {"window_rule", "swap_rule", "baselines", "expected", "download"}


def own(kind: type[Any]) -> set[str]:
    return {field.name for field in fields(kind)}


def value_of(job: Job, name: str) -> Any:
    parts = (part for part in (job.settings, job.labelling, job) if name in own(type(part)))
    return getattr(next(parts), name)


def test_every_value_of_a_job_is_an_option() -> None:
    values = own(Settings) | own(Labelling) | own(Job) - {"settings", "labelling"}
    values -= NOT_ASKED
    assert own(RunOptions) == values | {"label"}
    assert set(TYPED) == values, "and is tried below"
    assert RunOptions().job() == Job()


@pytest.mark.parametrize("name", TYPED)
@pytest.mark.parametrize("command", ["run", "tui"])
def test_an_option_changes_its_value_of_the_job_and_no_other(
    command: str, name: str, asked: list[Job]
) -> None:
    typed, value = TYPED[name]
    assert call(command, *typed) == 0
    (job,) = asked
    assert value_of(job, name) == value
    assert others_are_as_ever(job, name)


def others_are_as_ever(job: Job, name: str) -> bool:
    return all(value_of(job, other) == value_of(Job(), other) for other in set(TYPED) - {name})


def in_a_file(typed: list[str]) -> str:
    """What is typed as a line of a file; a flag that is there is true."""
    option, *values = typed
    return f"{option.removeprefix('--')}: {json.dumps(values[0]) if values else 'true'}\n"


@pytest.mark.parametrize("name", TYPED)
def test_a_file_and_a_variable_give_what_is_typed(
    name: str,
    asked: list[Job],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed, value = TYPED[name]
    path = tmp_path / "config.yaml"
    path.write_text(in_a_file(typed))
    if name not in KEYS:
        assert call("run", "-c", path) == 2
        monkeypatch.setenv(variable_of(name), "1")
        assert call("run") == 0
        assert asked == [Job()]
        return
    assert call("run", "-c", path) == 0
    assert call("tui", "--config", path) == 0
    monkeypatch.setenv(variable_of(name), typed[1] if len(typed) > 1 else "1")
    assert call("run") == 0
    # A file that is printed says the same again, whatever else is said around.
    capsys.readouterr()
    assert call("run", "--print-config") == 0
    monkeypatch.delenv(variable_of(name))
    path.write_text(capsys.readouterr().out)
    assert call("run", "-c", path) == 0
    assert len(asked) == 4
    for job in asked:
        assert value_of(job, name) == value
        assert others_are_as_ever(job, name)


def test_a_preview_breaks_lines_where_a_run_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "facts.jsonl"
    data.write_text('{"prompt": "The capital of France is", "subject": "France"}')
    assert call("prompts", data, "--prompt-template", r"Q: {prompt}\nA:") == 0
    assert "is|↵|A|:" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["run", "tui"])
def test_without_labels_no_answer_is_generated(command: str, asked: list[Job]) -> None:
    assert call(command, "--no-label", "--max-tokens", "3", "--match", "prefix") == 0
    assert asked == [Job(labelling=Labelling(None, "prefix"))]


def test_run_and_tui_offer_the_same_options_in_the_same_order() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    offered = {
        name: [
            (p.name, p.opts, p.help, p.default)
            for p in commands[name].params
            if p.name in own(RunOptions)
        ]
        for name in ("run", "tui")
    }
    assert offered["run"] == offered["tui"]
    assert [name for name, *_ in offered["run"]] == [field.name for field in fields(RunOptions)]


def test_the_form_and_the_command_line_explain_a_field_in_the_same_words() -> None:
    said = {info.name: info.help for info in FIELDS}
    for name in set(said) - {"memory", "output"}:  # these say what the line about them leaves out
        assert said[name] == help_of(name)
    assert help_of("limit") == "Only the first N prompts."
    assert help_of("reliance_threshold") == "Reliance threshold (nats) between AH and UH."


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """The jobs that are asked for; nothing is measured."""
    found: list[Job] = []
    own = RunOptions.job

    def job(asked: RunOptions) -> Job:
        found.append(own(asked))
        raise InputError("this is enough", hint="stop")

    monkeypatch.setattr(RunOptions, "job", job)
    return found


@pytest.mark.parametrize("name", OF_A_RUN)
def test_an_option_of_a_run_is_one_of_a_sentence(name: str, jobs: list[Job]) -> None:
    typed, value = TYPED[name]
    assert call("ask", "The [tower] is", *typed) == 2
    (job,) = jobs
    assert value_of(job, name) == value
    assert others_are_as_ever(job, name)


def test_others_are_none_of_it(tmp_path: Path, jobs: list[Job]) -> None:
    offered = {p.name: p for p in typer.main.get_command(app).commands["ask"].params}  # type: ignore[attr-defined]
    for name in {field.name for field in fields(RunOptions)} - {"output"}:
        assert (name in offered) == (name in OF_A_RUN), name
        if name in OF_A_RUN and name != "maps":
            assert getattr(offered[name], "help", None) == help_of(name)
    # A file of a run may be given all the same; what is no option of a sentence is left out.
    (tmp_path / "run.yaml").write_text("window: 9\ndata: facts.jsonl\nlimit: 3\n")
    assert call("ask", "The [tower] is", "-c", tmp_path / "run.yaml") == 2
    assert jobs == [Job.of({"window": 9})]
