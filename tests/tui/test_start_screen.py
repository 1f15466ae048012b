"""Choosing: what the form takes, what it says, and where it leads."""

from pathlib import Path

import pytest
from on_screen import said, text_of
from textual.widgets import Button, Collapsible, Input, Static
from waiting import settled, until

from mlxjsd.model import hub
from mlxjsd.settings import Settings
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.form import FIELDS
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens import start, start_help
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.start import StartScreen
from mlxjsd.tui.widgets.path_suggester import completed


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [(80, 24), (250, 60)])
async def test_the_screen_checks_while_typing_previews_and_starts(engine, size) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: engine.looks)
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, StartScreen)
        preview = str(screen.query_one("#preview-text", Static).content)
        assert "2 of 3 prompts can be measured" in preview
        assert "1 skipped: the subject is not in the text" in preview
        field, verdict = screen.query_one("#limit", Input), screen.query_one("#verdict", Static)
        field.focus()
        await pilot.press("x")
        assert "whole number" in str(verdict.content)
        assert screen.query_one("#start", Button).disabled
        await pilot.press("backspace", "5")
        assert "limit-5" in str(verdict.content)
        await until(pilot, lambda: engine.looks[-1].limit == 5)
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert isinstance(app.screen, RunScreen)
        assert engine.jobs == [Job(limit=5)]


@pytest.mark.asyncio
async def test_an_unfinished_run_is_offered_and_taken_up(engine, made) -> None:
    app = MlxjsdApp(engine, Job(limit=12))
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.open()
        header = engine.header
        engine.batch(made(0, 4))
        await settled(pilot)
    from mlxjsd.assets import PROMPTS
    from mlxjsd.prompts.read import read_prompts
    from mlxjsd.store.writer import Store

    # The run of the fake engine names made-up prompts; this one, those that there are.
    folder = Path("mlxjsd-runs/other")
    with Store(folder, {**header, "data": read_prompts(PROMPTS).identity()}) as store:
        store.add(made(0, 3))
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        await settled(pilot)
        offered = app.screen.query_one("#recent")
        assert offered.option_count == 2
        assert app.focused is offered
        await until(pilot, lambda: len(app.screen._resumable) == 2)
        assert said(app, "#about").startswith("Enter goes on with other.")
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, RunScreen)
        assert app.screen.state.done == 3
        assert app.screen.state.status is Status.LOADING
        assert engine.jobs[-1] == Job(output=folder, limit=12, expected="aa", download=False)


@pytest.mark.asyncio
async def test_a_setting_is_found_under_more_and_a_wrong_one_unfolds_it(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        more = app.screen.query_one("#more", Collapsible)
        assert more.collapsed
        app.screen.query_one("#seed", Input).value = "x"
        await settled(pilot)
        assert not more.collapsed
        assert "Seed is a whole number" in said(app, "#verdict")
        app.screen.query_one("#seed", Input).value = "3"
        await settled(pilot)
        await pilot.press("ctrl+r")
        await pilot.pause()
    assert engine.jobs == [Job(settings=Settings(seed=3))]


@pytest.mark.asyncio
async def test_another_model_or_file_takes_along_nothing_of_the_old_one(engine, tmp_path) -> None:
    data = tmp_path / "p.jsonl"
    data.write_text("{}")
    job = Job("a/b", data, format="lre", revision="v2", bits=4, trust_remote_code=True)
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 40)) as pilot:
        await settled(pilot)
        app.choose_run(job)
        await settled(pilot)
        screen = app.screen
        assert not screen.query_one("#more", Collapsible).collapsed
        assert screen.query_one("#revision", Input).value == "v2"
        screen.query_one("#model", Input).value = ""
        await settled(pilot)
        assert screen.query_one("#revision", Input).value == ""
        assert screen.form.job() == Job(None, data, format="lre", bits=4)
        screen.query_one("#data", Input).value = ""
        await settled(pilot)
        assert screen.form.job() == Job(bits=4)


@pytest.mark.asyncio
async def test_the_field_in_focus_is_explained(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert app.focused.id == "sentence"
        assert said(app, "#about").endswith("Empty: Enter starts the run.")
        app.screen.query_one("#start").focus()
        await pilot.pause()
        assert said(app, "#about").startswith("Enter measures with these settings.")
        for info in FIELDS:
            field = app.screen.query_one(f"#{info.name}")
            app.screen.query_one("#more", Collapsible).collapsed = False
            field.focus()
            await pilot.pause()
            assert said(app, "#about").startswith(info.help.rstrip("."))


@pytest.mark.asyncio
async def test_paths_go_on_by_themselves(engine) -> None:
    Path("prompts-of-mine").mkdir()
    Path("prompts-of-mine/first.jsonl").write_text("{}")
    Path("prompts-of-mine/.hidden").write_text("")
    Path("\x1b[31mred").write_text("")
    assert completed("prom") == "prompts-of-mine/"
    assert completed("prompts-of-mine/") == "prompts-of-mine/first.jsonl"
    assert completed("prompts-of-mine/.h") == "prompts-of-mine/.hidden"
    assert completed("prompts-of-mine/first.jsonl") is None
    assert completed("nowhere/") is None
    assert completed("\x1b") is None
    assert completed("~nobody-of-that-name/") is None
    app = MlxjsdApp(engine)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        field = app.screen.query_one("#data", Input)
        field.focus()
        await pilot.press("p", "r")
        await until(pilot, lambda: "prompts-of-mine/" in text_of(app))
        await pilot.press("right")
        assert field.value == "prompts-of-mine/"
        field.value = ""
        await pilot.press("f")
        await until(pilot, lambda: "facts" in text_of(app))
        await pilot.press("right")
        assert field.value == "facts"


@pytest.mark.asyncio
async def test_a_model_that_is_not_here_is_said_with_its_size(engine, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        start, "download_size", lambda name, revision: asked.append(name) or 4_500_000_000
    )
    app = MlxjsdApp(engine)
    async with app.run_test(size=(160, 30)) as pilot:
        await settled(pilot)
        await until(pilot, lambda: app.screen.form.models.models)
        field = app.screen.query_one("#model", Input)
        field.focus()
        await pilot.press(*"org/large")
        assert said(app, "#verdict").startswith("Start downloads org/large; into")
        assert asked == [], "the Hub hears no half a name"
        await pilot.press("tab")
        await until(pilot, lambda: "org/large (4.5 GB)" in said(app, "#verdict"))
        assert asked == ["org/large"]
        field.value = "smollm2-135m"
        await settled(pilot)
        assert "Start downloads smollm2-135m (93 MB, Apache-2.0)" in said(app, "#verdict")
        field.value = ""
        await settled(pilot)
        assert said(app, "#verdict").startswith("into ")


def test_how_far_a_download_from_the_hub_is_is_told(monkeypatch, tmp_path: Path) -> None:
    import huggingface_hub

    def fetch(name: str, tqdm_class, **_: object) -> str:
        files = tqdm_class(total=2, desc="files")
        bar, other = (tqdm_class(total=0, unit="B", unit_scale=True, name=n) for n in "ab")
        bar.total = other.total = 40
        bar.refresh()
        files.update(1)
        bar.update(40)
        for each in (bar, other, files):
            each.close()
        (tmp_path / "config.json").write_text("{}")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    told = []
    assert hub.find_model("org/large", progress=lambda *said: told.append(said)) == tmp_path
    assert told[0] == ("fetching org/large", 0, 0)
    assert told[-1] == ("fetching org/large", 40, 40)


@pytest.mark.asyncio
async def test_recent_runs_say_what_they_are_and_enter_does_what_it_says(engine, made) -> None:
    app = MlxjsdApp(engine, Job(limit=12))
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.open()
        engine.batch(made(0, 12))
        await settled(pilot)
    from mlxjsd.store.writer import Store

    with Store(Path("mlxjsd-runs/gone"), {**engine.header, "data_path": "gone.jsonl"}) as store:
        store.add(made(0, 3))
    app = MlxjsdApp(engine)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        runs = app.screen.query_one("#recent")
        assert app.focused is runs
        assert runs.highlighted == 0
        await until(pilot, lambda: "cannot go on" in said(app, "#about"))
        shown = text_of(app)
        for wanted in ("bundled · prompts.jsonl", "3 of 12 · ", "12 prompts · ", "gone"):
            assert wanted in shown
        await until(pilot, lambda: len(app.screen._resumable) == 2)
        lines = app.screen._compositor.render_strips()
        behind = {
            s.style.bgcolor for line in lines[4:10] for s in line if s.text == " " and s.style
        }
        assert len(behind) > 8, "a picture of each"
        for limit, where in (("12", "is whole in"), ("11", "into")):
            app.screen.query_one("#limit", Input).value = limit
            await settled(pilot)
            assert said(app, "#verdict") == f"{where} mlxjsd-runs/bundled_limit-{limit}"
        await pilot.press("down")
        assert said(app, "#about").startswith("Enter shows bundled_limit-12.")
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, RunScreen)
        assert app.screen.state.done == 12
        assert app.screen.state.status is Status.FINISHED


def test_prompts_that_are_too_many_to_look_at_are_not_looked_at(made, monkeypatch) -> None:
    from records import HEADER

    from mlxjsd.store.folders import list_runs
    from mlxjsd.store.writer import Store

    Path("prompts.jsonl").write_text("")
    with Store(Path("mlxjsd-runs/one"), {**HEADER, "total": 4}):
        pass
    (run,) = list_runs()
    assert start_help.can_go_on(run) is False
    assert "cannot go on" in start_help.about(None, (run, False))
    monkeypatch.setattr(start_help, "_MOST_BYTES", -1)
    assert start_help.can_go_on(run) is None
    assert "if its prompts are as they were" in start_help.about(None, (run, None))


@pytest.mark.asyncio
async def test_q_is_a_letter_of_a_sentence_and_leaves_from_anywhere_else(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        await settled(pilot)
        await pilot.press("q")
        assert app.focused.value == "q"
        app.screen.query_one("#start").focus()
        await pilot.pause()
        await pilot.press("q")
        await settled(pilot)
    assert engine.calls[-1] == "close"
