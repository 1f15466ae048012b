"""A run's answers as a table, and what comes back from whoever has judged them."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from commands import call
from records import HEADER, record, run_of

from mlxjsd.analysis.aliases import read_aliases
from mlxjsd.analysis.answers import label, side_changes
from mlxjsd.analysis.judgements import Judgements
from mlxjsd.errors import InputError
from mlxjsd.output.answers import COLUMNS, read_answers, to_answers
from mlxjsd.output.export import export_run, to_json
from mlxjsd.output.markdown import report
from mlxjsd.results import Run
from mlxjsd.settings import Labelling
from mlxjsd.store.merge import merge_runs
from mlxjsd.store.reader import read_header, read_run
from mlxjsd.store.writer import FILE, Store


def stored(folder: Path, *positions: int, **header: object) -> Path:
    with Store(folder, {**HEADER, **header}) as store:
        store.add([record(position) for position in positions or range(4)])
    return folder


def table_of(run: Run) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_answers(run).decode())))


def written(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_table_says_what_was_expected_and_why_it_is_right_or_wrong() -> None:
    records = [
        record(0, answer="in Paris"),
        record(1, answer="London"),
        record(2, answers=()),
        record(3, answer="the PRC", answers=("China",)),
        record(4, answer='=HYPERLINK("x")', answers=("+1",), relation=None),
    ]
    asked = Labelling(aliases=read_aliases("countries"))
    rows = table_of(run_of(records=records, labelling=asked))
    assert tuple(rows[0]) == COLUMNS
    assert [row["verdict"] for row in rows] == ["right", "wrong", "unknown", "right", "wrong"]
    assert rows[0]["expected"] == "Paris|Lutetia"
    assert rows[0]["why"] == "accepted answer 'Paris'"
    assert rows[1]["why"] == "no accepted answer is in it"
    assert rows[2]["why"] == "no accepted answer is known"
    assert rows[3]["why"] == "alias 'PRC' of 'China' (countries)"
    assert rows[4]["answer"] == '\'=HYPERLINK("x")'
    assert rows[4]["expected"] == "'+1"
    assert rows[4]["relation"] == ""
    assert {row["judge"] for row in rows} == {"rule"}
    assert float(rows[0]["reliance"]) == pytest.approx(records[0].reliance)
    assert rows[0]["category"] == "FA"


def test_only_a_file_of_that_name_is_the_table(tmp_path: Path) -> None:
    run = run_of()
    for name in ("answers.csv", "ANSWERS.CSV", "mine.answers.csv"):
        export_run(run, tmp_path / name)
        assert (tmp_path / name).read_bytes() == to_answers(run)
    for name in ("my-answers.csv", "heatmap.csv", "answers.csv.csv"):
        export_run(run, tmp_path / name)
        assert (tmp_path / name).read_text().startswith("category,row,layer,")


def test_edited_verdicts_are_taken_over_and_say_whose_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, path = stored(tmp_path / "run"), tmp_path / "answers.csv"
    assert call("export", folder, "-o", path) == 0
    rows = table_of(read_run(folder))
    assert [row["verdict"] for row in rows] == ["right", "wrong", "wrong", "right"]
    rows[1]["verdict"] = "Right"  # as typed
    rows[2]["judge"] = "Bob"  # who agrees
    capsys.readouterr()
    assert call("label", folder, "--judgements", written(path, rows, ";"), "--judge", "Ann") == 0
    said = "2 answers were judged (1 by Ann, 1 by Bob), the others by rule."
    assert capsys.readouterr().out.strip() == said
    run = read_run(folder)
    assert [run.verdict(r).right for r in run.records] == [True, True, False, True]
    assert [run.verdict(r).judge for r in run.records] == ["rule", "Ann", "Bob", "rule"]
    assert run.labels().count("FA") == 3
    assert run.judgements.sources[0].file == "answers.csv"
    assert len(run.judgements.sources[0].sha256) == 64

    for command in ("show", "summary"):
        assert call(command, folder) == 0
        assert said in " ".join(capsys.readouterr().out.split())
    document = json.loads(to_json(run))
    assert document["judged"] == said
    assert [p["judge"] for p in document["prompts"]] == ["rule", "Ann", "Bob", "rule"]
    again = table_of(run)
    assert [row["judge"] for row in again] == ["rule", "Ann", "Bob", "rule"]
    assert again[1]["why"] == "judged by Ann"

    before = (folder / FILE).read_bytes()
    assert call("label", folder, "--judgements", written(path, again)) == 0
    assert (folder / FILE).read_bytes() == before, "nothing in it is new"
    capsys.readouterr()
    assert call("label", folder, "--rules") == 0
    assert "All answers are judged by rule" in capsys.readouterr().out
    assert not read_run(folder).judgements
    assert read_run(folder).labels() == label(run.records)


def test_apostrophes_may_stay_or_go(tmp_path: Path) -> None:
    records = [record(0, id="=1", answer="-5 or\n so"), record(1, id="@x", answer="'tis")]
    run = run_of(records=records)
    rows = table_of(run)
    assert rows[0]["id"] == "'=1"
    for row in rows:
        row["verdict"] = "right"
    for change in ("", "'"):
        named = [{key: value.removeprefix(change) for key, value in row.items()} for row in rows]
        named[1]["answer"] = "'tis"
        path = written(tmp_path / "answers.csv", named)
        assert set(read_answers(path, run).verdicts) == {"=1", "@x"}


def test_a_later_table_goes_before_an_earlier_one(tmp_path: Path) -> None:
    folder = stored(tmp_path / "run")
    path = tmp_path / "large-model.csv"
    assert (
        call("label", folder, "--judgements", written(path, [{"id": "p1", "verdict": "right"}]))
        == 0
    )
    run = read_run(folder)
    assert run.verdict(run.records[1]).judge == "large-model.csv"
    rows = table_of(run)
    rows[1]["verdict"] = "wrong"
    written(tmp_path / "b.csv", rows)
    assert call("label", folder, "--judgements", tmp_path / "b.csv", "--judge", "Ann") == 0
    run = read_run(folder)
    assert (run.verdict(run.records[1]).right, run.verdict(run.records[1]).judge) == (False, "Ann")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("id,verdict\np9,right\n", "line 2 of .*: the run has no prompt 'p9'; .*id, verdict"),
        ("id,verdict\np0,right\np1,maybe\n", "line 3 of .*right or wrong, not 'maybe'"),
        ("id,verdict\np0,\n", "line 2 of .*right or wrong, not ''"),
        ("id,verdict\np0,right\np0,wrong\n", "line 3 of .*'p0' is judged on line 2 already"),
        ("id,answer,verdict\np0,in Rome,right\n", "line 2 of .*: the answer to 'p0' is 'in Paris'"),
        ("id,answer\np0,x\n", "line 1 of .* names no verdict; there is id, answer"),
        ("", "line 1 of .* names no id and no verdict; there is nothing"),
        ("id,verdict\np0\n", "line 2 of .* has 1 fields, and its header 2"),
        ('id,verdict\np0,"right\n', "line 2 of .* is not CSV"),
        ("id,verdict,id\np0,right,p0\n", "names a column twice"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_and_nothing_is_written(
    tmp_path: Path, lines: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, path = stored(tmp_path / "run"), tmp_path / "answers.csv"
    path.write_text(lines)
    before = (folder / FILE).read_bytes()
    with pytest.raises(InputError, match=said):
        read_answers(path, read_run(folder))
    assert call("label", folder, "--judgements", path) == 2
    assert (folder / FILE).read_bytes() == before
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert call("label", folder, "--judgements", tmp_path / "none.csv") == 2
    assert call("label", folder) == 2
    assert call("label", folder, "--judgements", path, "--judge", "Rule") == 2
    assert call("label", folder, "--rules", "--judgements", path) == 2
    assert call("label", tmp_path / "nowhere", "--rules") == 2


def test_judgements_stay_when_a_run_goes_on_and_when_it_is_joined(tmp_path: Path) -> None:
    a, b = stored(tmp_path / "a", 0, 1), stored(tmp_path / "b", 2, 3)
    for folder, prompt in ((a, "p1"), (b, "p2")):
        path = written(tmp_path / "j.csv", [{"id": prompt, "verdict": "right"}])
        assert call("label", folder, "--judgements", path, "--judge", f"judge of {prompt}") == 0
    with Store(a, HEADER) as store:
        assert store.done() == {"p0", "p1"}
    merged = tmp_path / "all"
    merge_runs([a, b], merged)
    run = read_run(merged)
    assert [run.verdict(r).right for r in run.records] == [True, True, True, True]
    assert [run.verdict(r).judge for r in run.records][1:3] == ["judge of p1", "judge of p2"]
    whole = (merged / FILE).read_bytes()
    merge_runs([b, a], merged)
    assert (merged / FILE).read_bytes() == whole
    assert read_header(a)["judgements"] == read_run(a).judgements.to_json()
    assert Judgements.from_json(read_header(a)["judgements"]) == read_run(a).judgements


def test_averages_of_categories_beside_a_finished_run_follow(tmp_path: Path) -> None:
    folder = stored(tmp_path / "run")
    (folder / "heatmap.csv").write_text("of other verdicts")
    path = written(tmp_path / "j.csv", [{"id": "p1", "verdict": "right"}])
    assert call("label", folder, "--judgements", path) == 0
    assert ",3\n" in (folder / "heatmap.csv").read_text(), "three are right now"


def test_judgements_and_aliases_make_cosines_stale() -> None:
    run = run_of()
    judged = replace(run, judgements=Judgements.from_json(
        [{"file": "a", "sha256": "b", "verdicts": {"p1": [True, "Ann"]}}]
    ))  # fmt: skip
    named = replace(run, labelling=Labelling(aliases=read_aliases("countries")))
    assert len({json.dumps(r.criteria) for r in (run, judged, named)}) == 3
    assert Labelling.from_json(named.labelling.to_json()) == named.labelling
    assert "aliases" not in run.labelling.to_json()


def test_what_hangs_on_the_threshold_is_said() -> None:
    records = [record(0, answer="Paris", reliance=1.0)]
    records += [
        record(n, answer="Rome", reliance=lean)
        for n, lean in enumerate((0.7, 0.8, 0.95, 1.0, 1.05, 1.2, 1.3), 1)
    ]
    run = run_of(records=records)
    assert side_changes(records, run.labels()) == {-0.25: 3, -0.1: 2, 0.1: 1, 0.25: 2}
    said = "change between AH and UH when it moves: 3 at -25%, 2 at -10%, 1 at +10%, 2 at +25%"
    text = report(run)
    assert said in text
    assert "Attn. is partly circular" in text
    assert "Subj. and Last. are the independent evidence." in text
    assert side_changes(records[1:], run_of(records=records[1:]).labels()) == {}


def test_aliases_are_asked_for_where_verdicts_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "names.tsv"
    path.write_text("Paris\tLondon\n")
    folder = stored(tmp_path / "run")
    for command in (["show"], ["summary"]):
        assert call(*command, folder, "--aliases", path) == 0
        assert "the aliases of names.tsv" in " ".join(capsys.readouterr().out.split())
        assert call(*command, folder) == 0
        assert "aliases" not in capsys.readouterr().out
    for by in ("FA", "AH"):
        asked = ("compare", folder, folder, "--category", by, "--aliases", path)
        assert call(*asked) == (0 if by == "FA" else 2), "every answer is right now"
    assert (
        call("plot", folder, "--aliases", path, "--by", "category", "-o", tmp_path / "a.svg") == 0
    )
    assert "Factual associations" in (tmp_path / "a.svg").read_text()
    assert call("show", folder, "--aliases", tmp_path / "none") == 2
