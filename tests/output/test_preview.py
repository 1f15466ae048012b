"""`mlxjsd prompts`: what would be measured, shown without weights and without surprises."""

import io
import json
from pathlib import Path

import pytest
from commands import call
from rich.console import Console

from mlxjsd.assets import MODEL, PROMPTS
from mlxjsd.cli import inspect
from mlxjsd.interventions.corruption.swap import NO_PARTNER
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.output.preview import Seen, SeenTally, look_at, seen_lines, seen_text
from mlxjsd.prompts.answers import known_of
from mlxjsd.prompts.prompt import Prompt, PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.plan import encode_all, plan_run
from mlxjsd.settings import Settings
from mlxjsd.text import clean
from mlxjsd.tui.engine import _plain_preview, preview_prompts
from mlxjsd.tui.protocol import Look, Shown

FRANCE = {"id": "france", "prompt": "The capital of France is", "subject": "France"}
TWICE = {"id": "twice", "prompt": "France, yes France, is", "subject": "France"}
ABSENT = {"id": "absent", "prompt": "The capital is", "subject": "France"}
#: Colours, a cleared screen, a title, reversed text; and Rich's markup and emoji codes.
EVIL = "\x1b[31mred\x1b[2J\x1b]0;title\x07\u202e[bold]x[/bold] :smile: \x9b1m"


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert call("prompts", *arguments) == 0
    return capsys.readouterr().out


def test_subjects_flags_and_reasons_are_shown_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "p.jsonl", FRANCE, TWICE, ABSENT)
    out = said(capsys, path)
    lines = out.splitlines()
    assert lines[0] == "france"
    assert lines[1] == "  <s>|The| capital| of|[ France]| is"
    assert lines[2] == "twice  occurs-twice"
    assert "[" in lines[3]
    assert "|" in lines[3]
    assert lines[4] == "absent  skipped: the subject is not in the text"
    assert "2 of 3 prompts can be measured." in lines
    assert "1 would be skipped: 1 because the subject is not in the text." in lines
    assert "In 1 of 2 prompts the subject occurs more than once" in out
    assert "2 prompts can" not in said(capsys, path, "--limit", 1)


def test_prompts_are_shown_in_their_template(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "p.jsonl", FRANCE)
    out = said(capsys, path, "--prompt-template", r"Of France: {prompt}\nA:")
    tokens = out.splitlines()[1].replace("|", "")
    assert tokens == "  <s>Of France: The capital of[ France] is↵A:"


def test_no_weights_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (model / name).write_bytes((MODEL / name).read_bytes())
    path = write(tmp_path / "p.jsonl", FRANCE)
    assert said(capsys, path, "--model", model) == said(capsys, path)


def test_text_from_files_neither_controls_the_terminal_nor_is_markup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"id": EVIL, "prompt": f"{EVIL} of Fr{EVIL}ance is", "subject": f"Fr{EVIL}ance"}
    path = write(tmp_path / "p.jsonl", row, {**row, "id": f"{EVIL}2", "subject": EVIL + "none"})
    out = said(capsys, path)
    for unsafe in ("\x1b", "\x07", "\x9b", "\u202e"):
        assert unsafe not in out
    shown = out.replace("|", "")
    assert "[bold]x[/bold] :smile:" in shown
    assert shown.count("[31mred[2J]0;title") == 6


def test_boundaries_and_the_subject_show_with_and_without_colour() -> None:
    seen = Seen("p", ("<s>", "The", " Nor", "land", " is"), (2, 4))
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system="truecolor")
    console.print(seen_text(seen))
    assert file.getvalue().count("48;2;33;113;181m") == 2, "the subject's tokens, and no other"
    assert seen_text(seen).plain == "p\n  <s>|The| Nor|land| is"
    assert seen_lines(seen) == "p\n  <s>|The|[ Nor|land]| is"


def test_both_ways_to_show_a_prompt_say_the_same(bundled: LoadedModel) -> None:
    for seen in look_at(SOME, bundled.encoder):
        assert seen_lines(seen).replace("[", "").replace("]", "") == seen_text(seen).plain


def test_a_terminal_gets_the_first_thousand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{**FRANCE, "id": f"n{n}", "prompt": f"{n}: {FRANCE['prompt']}"} for n in range(12)]
    path = write(tmp_path / "p.jsonl", *rows)
    monkeypatch.setattr(inspect, "SHOWN", 10)
    out = said(capsys, path)
    assert "n11" in out, "a file gets all"
    assert "not listed" not in out
    monkeypatch.setattr(inspect, "console_for", lambda: Console(force_terminal=True))
    out = said(capsys, path)
    assert "n9" in out
    assert "n10" not in out
    assert "2 more prompts are not listed" in out
    assert "12 of 12 prompts can be measured" in out


def test_answers_and_relations_are_shown_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {**FRANCE, "answers": ["Paris", "Lut\x1betia"], "relation": "capital"}
    lines = said(capsys, write(tmp_path / "p.jsonl", known, {**TWICE, "relation": "land"}))
    assert "  = Paris | Lutetia  (capital)" in lines.splitlines()
    assert "  = (land)" in lines.splitlines()
    assert "1 of 2 prompts have answers. They are of 2 relations." in lines
    lines = said(capsys, write(tmp_path / "q.jsonl", FRANCE, TWICE))
    assert "0 of 2 prompts have answers, so nothing will be judged." in lines


def test_a_run_says_that_nothing_will_be_judged_before_the_model_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "p.jsonl", FRANCE)
    asked = ("run", "--data", path, "--model", tmp_path / "nowhere")
    assert call(*asked) == 2
    assert "0 of 1 prompts have answers, so nothing will be judged" in capsys.readouterr().err
    assert call(*asked, "--no-label") == 2
    assert "judged" not in capsys.readouterr().err


def test_prompts_that_are_asked_twice_are_measured_once(
    bundled: LoadedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {**FRANCE, "answers": ["Paris"]},
        TWICE,
        {**FRANCE, "id": "again", "answers": ["Lutetia", "Paris"]},
        {**TWICE, "id": "elsewhere", "subject_start": 12},  # another place is another question
    ]
    path = write(tmp_path / "p.jsonl", *rows)
    out = said(capsys, path)
    assert "again  skipped: it asks the same again" in out
    assert "3 of 4 prompts can be measured." in out
    assert "  = Paris | Lutetia" in out
    plan = plan_run(bundled, read_prompts(path))
    assert plan.positions == {"france": 0, "twice": 1, "elsewhere": 3}
    assert [s.id for s in plan.skipped] == ["again"]
    answers = {e.prompt.id: e.prompt.answers for batch in plan.batches for e in batch}
    assert answers["france"] == ("Paris", "Lutetia")
    # As before for runs that began so.
    assert plan_run(bundled, read_prompts(path), once=False).total == 4
    # The first N rows, whatever is among them; with the answers of all.
    limited = plan_run(bundled, read_prompts(path), limit=1)
    assert limited.batches[0][0].prompt.answers == ("Paris", "Lutetia")


def test_every_prompt_that_goes_by_is_counted_once() -> None:
    tally = SeenTally()
    seen = [Seen("a", ("x",), (0, 1), ("at-position-0",)), Seen("b", ("x",), reason="why")]
    assert list(tally.passing(seen)) == seen
    assert tally.lines() == [
        "1 of 2 prompts can be measured.",
        "1 would be skipped: 1 because why.",
        "In 1 of 1 prompts the subject is the first token of all, where attention sinks "
        "(at-position-0).",
    ]


def test_without_a_token_in_front_a_template_is_named() -> None:
    """It takes a subject off the first place, where no token of the tokenizer's own stands."""
    seen = [Seen("a", ("x", "y"), (0, 1), ("at-position-0",))]
    for begun, count in ((True, 0), (False, 1)):
        tally = SeenTally(begun)
        list(tally.passing(seen))
        assert sum("--prompt-template 'Fact: {prompt}'" in line for line in tally.lines()) == count
    elsewhere = SeenTally(False)
    list(elsewhere.passing([Seen("a", ("x", "y"), (1, 2))]))
    assert not any("--prompt-template" in line for line in elsewhere.lines())


def test_clean_text_is_one_line_of_what_can_be_drawn() -> None:
    assert clean("a\nb\tc\x1b[0m\u200f\ud800") == "a↵b→c[0m"
    assert clean("São 東京 [b]") == "São 東京 [b]"


# A run, `mlxjsd prompts` and the app see the same.

SOME = PromptFile.of(
    [
        Prompt("absent", "The capital is", "France"),
        Prompt("france", "The capital of France is", "France", relation="capital"),
        Prompt("last", "The capital is Paris", "Paris"),
        Prompt("spain", "The capital of Spain is", "Spain", relation="capital"),
        Prompt("alone", "The language of Spain is", "Spain", relation="language"),
    ]
)


@pytest.mark.parametrize("template", [None, "Of France: {prompt} so"])
def test_a_run_and_both_previews_see_the_same_tokens_and_reasons(
    bundled: LoadedModel, template: str | None
) -> None:
    settings = Settings(prompt_template=template)
    usable, skipped = encode_all(bundled, SOME, settings)
    assert skipped
    seen = list(look_at(SOME, bundled.encoder, template))
    assert [s.id for s in seen] == [prompt.id for prompt in SOME.prompts]
    assert [(i, s.reason) for i, s in enumerate(seen) if s.reason] == [
        (s.position, s.reason) for s in skipped
    ]
    shown = [(bundled.encoder.pieces(e), (e.start, e.end)) for _, e in usable]
    assert [(s.tokens, s.span) for s in seen if not s.reason] == shown
    assert [s.prompt for s in seen if not s.reason] == [e.prompt for _, e in usable]
    look = Look(None, None, settings, None)
    preview = preview_prompts(SOME, look, bundled.encoder, lambda: False)
    assert preview is not None
    assert [(s.tokens, s.span) for s in preview.prompts] == shown
    assert preview.skipped == {s.reason: 1 for s in skipped}


def test_the_app_also_looks_for_partners_beyond_the_limit(bundled: LoadedModel) -> None:
    swaps = Settings(corruption="swap")
    limited, whole = (
        preview_prompts(SOME, Look(None, None, swaps, limit), bundled.encoder, lambda: False)
        for limit in (2, None)
    )
    assert limited is not None
    assert whole is not None
    # France's partner, Spain, is the fourth.
    assert (limited.total, len(limited.prompts)) == (2, 1)
    assert limited.skipped == {"the subject is not in the text": 1}
    assert whole.skipped[NO_PARTNER] == 1


def test_the_app_shows_the_prompts_that_would_be_drawn(bundled: LoadedModel) -> None:
    data = read_prompts(PROMPTS)
    settings = Settings(corruption="swap", seed=5)
    look = Look(None, None, settings, limit=100, sample=7, first=5)
    preview = preview_prompts(data, look, bundled.encoder, lambda: False)
    plan = plan_run(bundled, data, settings, limit=100, sample=7)
    assert preview is not None
    assert (preview.total, preview.drawn) == (100, 7)
    drawn = sorted(
        (e for batch in plan.batches for e in batch), key=lambda e: plan.positions[e.prompt.id]
    )
    expected = [(bundled.encoder.pieces(e), (e.start, e.end)) for e in drawn]
    assert [(s.tokens, s.span) for s in preview.prompts] == expected[:5]
    assert preview.prompts[0].known == known_of(drawn[0].prompt)


def test_the_app_stops_looking_at_what_is_outdated(bundled: LoadedModel) -> None:
    look = Look(None, None, Settings(), None)
    assert preview_prompts(SOME, look, bundled.encoder, lambda: True) is None


def test_without_a_tokenizer_the_app_shows_characters() -> None:
    preview = _plain_preview(
        SOME, Look(None, None, Settings(prompt_template="Q: {prompt}"), 2), "why"
    )
    assert (preview.total, preview.note) == (2, "why")
    assert preview.prompts == (
        Shown(("", "", "The capital is"), (1, 2)),
        Shown(("Q: The capital of ", "France", " is"), (1, 2), "(capital)"),
    )
