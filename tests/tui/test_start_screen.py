"""Choosing: what the form takes, what it says, and where it leads."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from on_screen import said, text_of
from textual.widgets import Button, Collapsible, Input, Static
from waiting import settled, until

from mlxjsd.cli.options import RunOptions
from mlxjsd.model import hub
from mlxjsd.settings import Labelling, Settings
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.form import FIELDS, FormError, job_from, values_of
from mlxjsd.tui.protocol import Job
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens import start
from mlxjsd.tui.screens.run import RunScreen
from mlxjsd.tui.screens.start import StartScreen
from mlxjsd.tui.widgets.path_suggester import completed

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
        "metrics": "jsd,kl", "layers": "0-30:2", "seed": "5", "swap_any": "yes",
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
    for name in ("noise_samples", "window", "seed", "max_tokens"):
        options[name] = int(typed[name])
    for name in ("rows", "metrics"):
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
        ("window", "-1", "at least 0"),
        ("noise_level", "loud", "a number"),
        ("noise_level", "-2", "positive"),
        ("batch_size", "1.5", "whole number"),
        ("memory", "much", "a number"),
        ("memory", "0", "more than 0 GB"),
        ("memory", "nan", "more than 0 GB"),
        ("data", "nowhere.jsonl", "no file"),
        ("rows", "subj,mpl", "mpl"),
        ("rows", "reliance", "no heatmap"),
        ("metrics", "kl", "always"),
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


def test_memory_decides_the_batch() -> None:
    with pytest.raises(FormError, match="one of the two"):
        job_from({**EMPTY, "batch_size": "4", "memory": "8"})


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
        assert app.focused.id == "start"
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
        await pilot.press("down")
        assert said(app, "#about").startswith("Enter shows bundled_limit-12.")
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, RunScreen)
        assert app.screen.state.done == 12
        assert app.screen.state.status is Status.FINISHED


@pytest.mark.asyncio
async def test_q_leaves_from_the_first_screen(engine) -> None:
    app = MlxjsdApp(engine)
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press("q")
        await settled(pilot)
    assert engine.calls[-1] == "close"
