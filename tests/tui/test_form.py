"""The form's fields as text, and the job that they ask for."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from mlxjsd.cli.options import RunOptions
from mlxjsd.settings import Labelling, Settings
from mlxjsd.tui.form import FIELDS, FormError, job_from, values_of
from mlxjsd.tui.protocol import Job

EMPTY = values_of(Job())


def test_an_empty_form_asks_for_the_defaults() -> None:
    assert job_from(EMPTY) == Job()


def test_a_form_that_was_filled_from_a_job_asks_for_that_job(tmp_path: Path) -> None:
    data = tmp_path / "p.jsonl"
    data.write_text("{}")
    values = {**EMPTY, "model": "a/b", "data": str(data), "limit": "7", "window": "3", "seed": "2"}
    values |= {"memory": "12.5", "sample": "20", "corruption": "swap"}
    job = job_from(values)
    assert (job.memory, job.sample) == (12.5, 20)
    assert job_from(values_of(job)) == job


def test_every_option_of_a_run_has_a_field() -> None:
    # Answers are turned off by the field of their length.
    assert {field.name for field in fields(RunOptions)} - {"label"} == {i.name for i in FIELDS}
    assert all(info.help and len(info.label) < 10 for info in FIELDS)


def test_every_field_asks_for_what_its_option_does(tmp_path: Path) -> None:
    typed = {
        "model": "a/b", "limit": "9", "sample": "4", "corruption": "swap", "noise_level": "2.5",
        "noise_samples": "3", "window": "7", "output": str(tmp_path), "rows": "last, subj",
        "metrics": "jsd,kl", "part_window": "3",
        "direction": "both", "target": "answer", "maps": "residual", "layers": "0-30:2",
        "seed": "5", "swap_any": "yes",
        "prompt_template": "Q: {prompt}\\nA:", "chat": "yes", "format": "lre",
        "fields": "prompt=q", "max_tokens": "3", "match": "prefix", "aliases": "countries",
        "reliance_threshold": "0.2", "batch_size": "6", "bits": "4", "revision": "v1",
        "adapter_path": "lora", "trust_remote_code": "yes",
    }  # fmt: skip
    assert set(typed) | {"data", "memory"} == {info.name for info in FIELDS}
    job = job_from({**EMPTY, **typed})
    options = {
        info.name: info.read(typed[info.name])
        if info.owner == "job" or info.choices == ("no", "yes")
        else typed[info.name]
        for info in FIELDS
        if info.name in typed
    }
    for name, kind in (("noise_level", float), ("reliance_threshold", float)):
        options[name] = kind(typed[name])
    for name in ("noise_samples", "part_window", "seed", "max_tokens"):
        options[name] = int(typed[name])
    for name in ("rows", "metrics", "maps"):
        options[name] = tuple(part.strip() for part in typed[name].split(","))
    options["prompt_template"] = "Q: {prompt}\nA:"
    options["bits"] = typed["bits"]
    assert job == RunOptions(**options).job()
    assert job_from(values_of(job), replace(job, output=None)) == replace(job, output=None)


def test_no_answers_are_asked_for_by_a_word() -> None:
    assert job_from({**EMPTY, "max_tokens": "no"}).labelling.max_tokens is None
    assert values_of(Job(labelling=Labelling(None)))["max_tokens"] == "no"


def test_what_has_no_field_stays_as_it_was(tmp_path: Path) -> None:
    data = tmp_path / "lre"
    data.mkdir()
    job = Job(
        data=data,
        settings=Settings(chat=True, rows=("last",)),
        trust_remote_code=True,
        labelling=Labelling(None, "prefix"),
        format="lre",
    )
    assert job_from(values_of(job), job) == job
    # A format belongs to its file.
    assert job_from({**values_of(job), "data": ""}, job) == replace(job, data=None, format=None)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("limit", "many", "whole number"),
        ("limit", "0", "at least 1"),
        ("sample", "0", "at least 1"),
        ("window", "-1", "cannot be negative"),
        ("noise_level", "loud", "a number"),
        ("noise_level", "-2", "positive"),
        ("batch_size", "1.5", "whole number"),
        ("memory", "much", "a number"),
        ("memory", "0", "more than 0 GB"),
        ("memory", "nan", "more than 0 GB"),
        ("data", "nowhere.jsonl", "no file"),
        ("rows", "subj,mpl", "mpl"),
        ("rows", "reliance", "no heatmap"),
        ("metrics", "kll", "kll"),
        ("layers", "7-3", "counts down"),
        ("prompt_template", "Q:", "must hold"),
        ("reliance_threshold", "-1", "from 0 up"),
        ("max_tokens", "few", "whole number"),
        ("aliases", "nowhere.tsv", "nowhere.tsv"),
        ("bits", "4,3", "whole number"),
    ],
)
def test_what_cannot_be_used_is_named(name: str, value: str, said: str) -> None:
    with pytest.raises(FormError, match=said) as found:
        job_from({**EMPTY, name: value})
    assert found.value.name == name


def test_the_divergence_need_not_be_named() -> None:
    assert job_from({**EMPTY, "metrics": "kl"}).settings.metrics == ("jsd", "kl")
    assert job_from({**EMPTY, "metrics": "kl,jsd"}).settings.metrics == ("kl", "jsd")


def test_memory_decides_the_batch() -> None:
    with pytest.raises(FormError, match="one of the two"):
        job_from({**EMPTY, "batch_size": "4", "memory": "8"})
