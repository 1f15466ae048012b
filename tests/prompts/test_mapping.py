"""--fields: which field of a file holds what."""

import json
from pathlib import Path
from typing import Any

import pytest
from commands import call
from published import save, tabled
from records import HEADER

from mlxjsd.errors import InputError
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.job import Job
from mlxjsd.run.resume import job_of
from mlxjsd.store.writer import Store
from mlxjsd.tui.form import job_from, values_of

ASKED = {"src": "The capital of Norland is", "about": "Norland", "alt": "Tarvo", "n": 7}


def one(path: Path, fields: str) -> Prompt:
    found = read_prompts(path, fields=fields)
    assert found.format == "fields"
    (prompt,) = found.prompts
    return prompt


def test_every_key_can_be_named(tmp_path: Path) -> None:
    row = {**ASKED, "rel": "P36", "at": 15, "pop": 2.5, "prompt": "not this", "subject": "nor"}
    fields = (
        "prompt=src,subject=about,answers=alt,relation=rel,id=n,subject_start=at,popularity=pop"
    )
    text = "The capital of Norland is"
    assert one(save(tmp_path, [row]), fields) == Prompt(
        "7", text, "Norland", 15, ("Tarvo",), "P36", 2.5
    )


@pytest.mark.parametrize("template", ["The capital of {} is", "The capital of [X] is [Y]."])
def test_a_template_is_filled(tmp_path: Path, template: str) -> None:
    row = {"subject": "Norland", "relation": template, "obj": ["Tarvo"]}
    prompt = one(save(tmp_path, [row]), "template=relation,answers=obj")
    assert (prompt.text, prompt.subject_start) == ("The capital of Norland is", 15)
    assert (prompt.answers, prompt.relation) == (("Tarvo",), template)


def test_mlxjsds_own_names_need_not_be_named(tmp_path: Path) -> None:
    row = {"src": "It is Norland, is it", "subject": "is", "answers": ["a"], "id": "x"}
    assert one(save(tmp_path, [row]), "prompt=src") == Prompt(
        "x", "It is Norland, is it", "is", 3, ("a",)
    )


@pytest.mark.parametrize(
    ("answers", "found"),
    [("Tarvo|Orr", ("Tarvo", "Orr")), ('["Tarvo", "Orr"]', ("Tarvo", "Orr")), ("", ())],
)
def test_cells_hold_several_answers(tmp_path: Path, answers: str, found: tuple[str, ...]) -> None:
    path = save(tmp_path, tabled([{**ASKED, "alt": answers}], ";"))
    assert one(path, "prompt=src,subject=about,answers=alt").answers == found


def test_a_string_of_json_is_one_answer(tmp_path: Path) -> None:
    path = save(tmp_path, [{**ASKED, "alt": "Tarvo|Orr"}])
    assert one(path, "prompt=src,subject=about,answers=alt").answers == ("Tarvo|Orr",)


def test_a_field_may_be_inside_another(tmp_path: Path) -> None:
    path = save(tmp_path, [{**ASKED, "target": {"str": "Orr", "id": 1}}])
    assert one(path, "prompt=src,subject=about,answers=target.str").answers == ("Orr",)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "--fields names prompt, template, subject, answers,"),
        ("prompt", "not 'prompt'; write it such as --fields prompt=src,answers=alt"),
        ("prompt=", "not 'prompt='"),
        ("question=src", "not 'question=src'"),
        ("prompt=src,prompt=alt", "--fields names prompt twice"),
        ("prompt=src,template=alt", "--fields names a prompt and a template"),
        (
            "prompt=source,subject=about",
            'there is no field "source" for the prompt; there is about',
        ),
        ("prompt=src", 'there is no field "subject" for the subject; there is about, alt, n, src'),
        ("subject=about", 'there is no field "prompt" for the prompt; there is about, alt, n, src'),
        ("prompt=src,subject=about,answers=x", 'there is no field "x" for the answers'),
        ("template=src,subject=about", '"src" must hold {} or [X] once'),
        ("prompt=src,subject=about,answers=n", '"answers" must be a string or a list of strings'),
        ("prompt=n,subject=about", '"n" must be a string with something in it'),
    ],
)
def test_a_mapping_that_fits_nothing_is_refused_and_nothing_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path, [ASKED])
    with pytest.raises(InputError) as caught:
        read_prompts(path, fields=typed)
    assert message in str(caught.value)
    for command in (("prompts", path), ("run", "--data", path)):
        assert call(*command, "--fields", typed) == 2
        assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


def test_a_later_row_without_a_field_names_its_place_and_what_it_has(tmp_path: Path) -> None:
    path = save(tmp_path, "\n".join(map(json.dumps, [ASKED, {"src": "a", "n": 1}])))
    with pytest.raises(InputError, match='line 2: the field "about" is missing: there is n, src;'):
        read_prompts(path, fields="prompt=src,subject=about")


def test_format_and_fields_are_not_given_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give one of the two"):
        read_prompts(save(tmp_path, [ASKED]), "json", "prompt=src")


@pytest.mark.parametrize(
    ("row", "mapping"),
    [
        ({"question": "Who is A?", "entity": "A", "answer": "x"},
         "prompt=question,subject=entity,answers=answer"),
        ({"input": "Who is A?", "subj": "A", "target": "x"},
         "prompt=input,subject=subj,answers=target"),
        ({"template": "{} is", "sub": "A", "obj": "x"},
         "template=template,subject=sub,answers=obj"),
        ({"Text": "A is", "Entity": "A", "Label": "x"},
         "prompt=Text,subject=Entity,answers=Label"),
        ({"text": "A is", "foo": "A"}, "prompt=text,subject=FIELD,answers=FIELD"),
        ({"foo": 1}, "prompt=FIELD,subject=FIELD,answers=FIELD"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_fields_and_a_mapping_that_reads_the_file(
    tmp_path: Path, row: dict[str, Any], mapping: str
) -> None:
    path = save(tmp_path, [row])
    with pytest.raises(InputError) as caught:
        read_prompts(path)
    assert f"with `--fields {mapping}`" in str(caught.value)
    assert f"the fields {', '.join(sorted(row))};" in str(caught.value)
    if "FIELD" not in mapping:
        assert read_prompts(path, fields=mapping).prompts[0].answers == ("x",)


@pytest.mark.parametrize(
    ("content", "mapping"),
    [
        ([{"prompt": "A is", "entity": "A", "label": "x"}], "subject=entity,answers=label"),
        ([{"subject": "A", "src": "A is", "alt": "x", "prompt_": ""}], "prompt=src,answers=alt"),
        ("prompt;entity;label\nA is;A;x\n", "subject=entity,answers=label"),
    ],
)
def test_a_file_that_lacks_a_field_is_refused_with_what_would_read_it(
    tmp_path: Path, content: object, mapping: str
) -> None:
    path = save(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_prompts(path, "csv" if isinstance(content, str) else "json")
    assert f"`--fields {mapping}`" in str(caught.value)
    assert read_prompts(path, fields=mapping).prompts[0].answers == ("x",)


def header_of(path: Path, fields: str | None) -> dict[str, Any]:
    found = read_prompts(path, fields=fields)
    return {**HEADER, "data": found.identity(), "data_path": str(path)}


def test_a_mapping_belongs_to_the_run_and_is_taken_up_with(tmp_path: Path) -> None:
    path = save(tmp_path, [{**ASKED, "prompt": "Norland is", "subject": "Norland"}], "d.json")
    Store(tmp_path / "run", header_of(path, "answers=alt,prompt=src"))
    job = job_of(tmp_path / "run")
    assert (job.data, job.format, job.fields) == (path, None, "prompt=src,answers=alt")
    with pytest.raises(InputError, match="data fields 'prompt=src,answers=alt', now None"):
        Store(tmp_path / "run", header_of(path, None))
    Store(tmp_path / "run", header_of(path, "prompt=src,answers=alt"))
    plain, mapped = Job(data=path), Job(data=path, fields="prompt=src")
    assert plain.folder != mapped.folder


def test_the_app_keeps_the_mapping_of_a_file_and_of_no_other(tmp_path: Path) -> None:
    path = save(tmp_path, [ASKED])
    other = save(tmp_path, [ASKED], "other.json")
    job = Job(data=path, fields="prompt=src,subject=about")
    values = values_of(job)
    assert job_from(values, job).fields == job.fields
    assert job_from({**values, "data": str(other)}, job).fields is None
