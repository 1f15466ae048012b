"""What a run folder is taken up with."""

import json
from pathlib import Path
from typing import Any

import pytest
from records import HEADER

from mlxjsd.errors import InputError
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.resume import job_of, job_or_none
from mlxjsd.store.writer import Store
from mlxjsd.tui.form import job_from, values_of
from mlxjsd.tui.protocol import Job

RELATION = {
    "name": "capital",
    "prompt_templates": ["The capital of {} is"],
    "samples": [{"subject": "Norland", "object": "Tarvo"}],
}


def header_of(data: Path, format: str | None = None, **changes: Any) -> dict[str, Any]:
    found = read_prompts(data, format)
    return {**HEADER, "data": found.identity(), "data_path": str(data), **changes}


def test_a_folder_of_relations_is_found_again_and_any_change_noticed(tmp_path: Path) -> None:
    data = tmp_path / "lre"
    (data / "factual").mkdir(parents=True)
    (data / "factual/capital.json").write_text(json.dumps(RELATION))
    Store(tmp_path / "run", header_of(data))
    job = job_of(tmp_path / "run")
    assert (job.data, job.format) == (data, "lre")
    (data / "factual/capital.json").rename(data / "capital.json")
    assert job_or_none(tmp_path / "run") is None
    with pytest.raises(InputError, match="or have changed"):
        job_of(tmp_path / "run")


def test_a_forced_format_is_taken_up_with(tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    row = {"known_id": 1, "attribute": "B", "prompt": "Anna", "subject": "A"}
    data.write_text(json.dumps([row]))
    assert read_prompts(data).format == "known_1000"
    Store(tmp_path / "run", header_of(data, "json"))
    job = job_of(tmp_path / "run")
    assert job.format == "json"
    with pytest.raises(InputError, match="data format 'json', now 'known_1000'"):
        Store(tmp_path / "run", header_of(data))


def test_a_run_that_asked_other_templates_of_lre_is_not_mixed_with_zero_shot_ones(
    tmp_path: Path,
) -> None:
    data = tmp_path / "capital.json"
    for zero_shot in ([], ["Where? {} has"]):
        data.write_text(json.dumps({**RELATION, "prompt_templates_zs": zero_shot}))
        new = header_of(data)
        old = {**new, "data": {k: v for k, v in new["data"].items() if k != "asks"}}
        Store(tmp_path / f"run{len(zero_shot)}", old)
        if not zero_shot:
            Store(tmp_path / "run0", new)
    with pytest.raises(InputError, match="data asks None, now 'zero-shot templates'"):
        Store(tmp_path / "run1", new)


def test_a_run_from_before_there_were_formats_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"prompt": "The capital of Norland is", "subject": "Norland"}))
    new = header_of(data)
    old = {**new, "data": {k: v for k, v in new["data"].items() if k != "format"}}
    Store(tmp_path / "run", old)
    Store(tmp_path / "run", new)
    assert job_of(tmp_path / "run") == Job(
        model="tiny",
        data=data,
        output=tmp_path / "run",
        format=None,
        expected="aa",
        download=False,
    )


def test_revision_and_adapter_are_taken_up_with(tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"prompt": "The capital of Norland is", "subject": "Norland"}))
    model = {**HEADER["model"], "revision": "v2", "adapter": "out/lora"}
    Store(tmp_path / "run", header_of(data, model=model))
    job = job_of(tmp_path / "run")
    assert (job.model, job.revision, job.adapter_path) == ("tiny", "v2", Path("out/lora"))
    filled = values_of(job)
    assert job_from(filled, job).adapter_path == Path("out/lora")
    other = job_from({**filled, "model": "org/other"}, job)
    assert (other.revision, other.adapter_path) == (None, None), "they were the other model's"
