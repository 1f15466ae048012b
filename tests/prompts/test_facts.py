"""The tables of facts as prompts: every fact once, spread over the relations."""

from collections import Counter
from pathlib import Path

import pytest
from commands import call

from mlxjsd.assets.tables import read_facts
from mlxjsd.prompts.read import data_hash, read_prompts


def test_every_fact_is_asked_once_and_its_subject_stands_where_it_is_said() -> None:
    data = read_prompts("facts")
    assert len(data.prompts) == len(read_facts()) > 5000
    assert {p.id for p in data.prompts} == {f"{f.relation.id}/{f.subject}" for f in read_facts()}
    for prompt in data.prompts:
        start, end = prompt.place()
        assert prompt.text[start:end] == prompt.subject
        assert 0 < start < end < len(prompt.text), "neither the first token nor the last"
        assert prompt.answers
        assert "{" not in prompt.text


@pytest.mark.parametrize("first", [16, 100, 1600])
def test_the_first_are_spread_over_the_relations(first: int) -> None:
    counts = Counter(prompt.relation for prompt in read_prompts("facts").prompts[:first])
    assert len(counts) == 16
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_file_of_the_same_name_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_hash(Path("facts")) == read_prompts("facts").sha256
    (tmp_path / "facts").write_text('{"prompt": "The capital of France is", "subject": "France"}')
    assert len(read_prompts("facts").prompts) == 1
    assert data_hash(Path("facts")) == read_prompts("facts").sha256


def test_they_can_be_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("prompts", "facts", "--limit", "16") == 0
    assert "16 of 16" in capsys.readouterr().out
