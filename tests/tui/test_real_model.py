"""The app with the bundled model: the same numbers as the command line, and clean endings."""

import contextlib
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from benchmarks.bench_tui_latency import Terminal
from waiting import PATIENCE, settled, until

from mlxjsd.assets import MODEL
from mlxjsd.cli import main
from mlxjsd.settings import Settings
from mlxjsd.store.reader import read_run
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.engine import MLXEngine
from mlxjsd.tui.protocol import Job, Look, Preview
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.error import TroubleScreen

pytestmark = pytest.mark.slow

LIMIT = 6


@pytest.fixture(scope="module")
def from_the_command_line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command-line") / "run"
    with pytest.raises(SystemExit):
        main(["run", "--limit", str(LIMIT), "--output", str(folder)])
    return folder


def rows(folder: Path) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(folder / "run.sqlite")) as connection:
        return connection.execute("SELECT * FROM results ORDER BY id").fetchall()


@pytest.mark.asyncio
async def test_the_numbers_are_those_of_the_command_line_bit_for_bit(
    from_the_command_line: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    app = MlxjsdApp(MLXEngine(), Job(output=folder, limit=LIMIT))
    async with app.run_test(size=(80, 24)) as pilot:
        state = app.screen.state
        await until(pilot, lambda: state.status is Status.FINISHED)
        assert state.done == LIMIT
        await app.action_quit()
        await settled(pilot)
    assert app.ended_cleanly
    assert rows(folder) == rows(from_the_command_line)


@pytest.mark.asyncio
async def test_a_model_that_cannot_be_loaded_is_a_panel_and_another_one_works(
    tmp_path: Path,
) -> None:
    app = MlxjsdApp(MLXEngine(), Job(model=str(tmp_path), output=tmp_path / "run"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TroubleScreen))
        assert "config.json" in app.screen.reason
        await pilot.press("escape")
        app.run_job(Job(output=tmp_path / "run", limit=2))
        await pilot.pause()
        await until(pilot, lambda: app.screen.state.status is Status.FINISHED)
        await app.action_quit()
        await settled(pilot)


def test_the_preview_reads_prompts_as_the_run_does(
    from_the_command_line: Path, tmp_path: Path
) -> None:
    engine, told = MLXEngine(), []
    settings = read_run(from_the_command_line).settings
    engine.look(Look(str(MODEL), None, settings, LIMIT), told.append)
    _wait(lambda: told)
    preview: Preview = told.pop()
    records = read_run(from_the_command_line).records
    assert (preview.total, preview.skipped) == (LIMIT, {})
    assert [(s.tokens, s.span) for s in preview.prompts] == [
        (r.tokens, r.subject_span) for r in records
    ]
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"prompt": "x", "subject": "y"}\n{"prompt": "Paris is", "subject": "Paris"}\n')
    engine.look(Look(None, odd, settings, None), told.append)
    _wait(lambda: told)
    assert told[0].skipped == {"the subject is not in the text": 1}
    engine.look(Look("no/where", odd, settings, None), told.append)
    _wait(lambda: len(told) == 2)
    assert "no/where" in told[1].note
    engine.look(Look(None, odd, Settings(chat=True), None), told.append)
    _wait(lambda: len(told) == 3)
    assert "has no chat template" in told[2].error
    templated = Settings(prompt_template="Q: {prompt} A:")
    for answered, model in ((4, None), (5, "no/where")):
        engine.look(Look(model, None, templated, 2), told.append)
        _wait(lambda answered=answered: len(told) == answered)
        for shown, record in zip(told[-1].prompts, records[:2], strict=True):
            tokens, (start, end) = shown.tokens, shown.span
            assert "".join(tokens).endswith(f"Q: {record.text} A:")
            assert "".join(tokens[start:end]).strip() == record.subject
    assert engine.close(PATIENCE)


def _wait(condition) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.02)


def measured(folder: Path) -> int:
    """How many prompts are in a run folder that may not be there yet."""
    return len(read_run(folder).records) if (folder / "run.sqlite").exists() else 0


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
@pytest.mark.parametrize("how", ["ctrl+c", "closed terminal", "SIGTERM"])
def test_leaving_in_the_middle_keeps_what_is_measured_and_exits_0(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    app = Terminal("tui", "--output", str(folder), "--batch-size", "2")
    began = time.monotonic()
    while not measured(folder):
        assert time.monotonic() - began < PATIENCE
        app.drain(0.1)
    if how == "ctrl+c":
        app.press(b"\x03")
    elif how == "SIGTERM":
        os.kill(app.pid, signal.SIGTERM)
    else:
        os.close(app.fd)
    if how != "closed terminal":
        app.wait_for("\0", 30)  # reads what is written until the end
        assert "\x1b[?1049l" in app.seen  # the screen is given back
    assert app.exit_code(30) == 0
    kept = read_run(folder)
    assert 2 <= len(kept.records) < kept.total
    assert not kept.finished
