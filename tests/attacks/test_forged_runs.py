"""Values that cannot be, under checksums that hold: refused by whatever reads a run folder."""

import copy
import json
import math
import random
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from commands import call
from forging import META, REASON, forge, rows
from records import record

from mlxjsd.errors import InputError, MachineError
from mlxjsd.results import Run
from mlxjsd.run.resume import job_of, job_or_none
from mlxjsd.store.folders import look
from mlxjsd.store.reader import read_run
from mlxjsd.store.writer import Store
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.run_state import RunState
from mlxjsd.tui.screens.open import OpenScreen
from mlxjsd.tui.widgets.run_list import RunList

FORGED = 1000
#: Of these, so many are opened in the app itself.
IN_THE_APP = 40
#: What may be written in place of any value.
ODD: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2, 3.5, -0.5, 1e30, -1e30, 10**9, 2**62, -(2**63), 10**400),
    *(math.nan, math.inf, -math.inf, "", "x", "-1", "\x1b[31mred", "\ud800", "\0", "[bold]"),
    *("../../etc", "a" * 5000, [], {}, [[]], [None], [1, "a"], {"a": None}, {"": 1}, [0, 0], [-1]),
    json.loads("[" * 60 + "]" * 60),
)
NUMBERS = (math.nan, math.inf, -math.inf, -1.0, -1e-3, 0.7, 2.0, 1e30, 0.0)


def forged(rng: random.Random) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """A header, rows and a reason, one of them with something that may be impossible."""
    meta, found, reason = copy.deepcopy(META), rows(3), dict(REASON)
    meta["cosines"] = {"groups": {"FA": [0.5] * 8}, "labelling": {"match": "contains"}}
    meta["judgements"] = [{"file": "f", "sha256": "0", "verdicts": {"p0": [True, "Ada"]}}]
    meta["world"] = {"ranks": 1, "plan": "0"}
    kind = rng.randrange(10)
    if kind < 5:
        place: Any = meta
        while True:
            key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not place[key] or not isinstance(place[key], dict | list) or rng.random() < 0.3:
                break
            place = place[key]
        if rng.random() < 0.15:
            del place[key]
        else:
            place[key] = rng.choice(ODD)
    elif kind < 9:
        change(rng.choice(found), rng)
    else:
        reason[rng.choice(list(reason))] = storable(rng.choice(ODD))
    return meta, found, reason


def change(row: dict[str, Any], rng: random.Random) -> None:
    """Change one column of a row."""
    column = rng.choice(list(row))
    if isinstance(row[column], bytes) and rng.random() < 0.7:
        numbers = np.frombuffer(row[column], np.float32).copy()
        if not numbers.size:  # a run without maps holds none of theirs
            numbers = np.zeros(1, np.float32)
        numbers[rng.randrange(len(numbers))] = rng.choice(NUMBERS)
        cut = rng.choice((0, 0, 0, 1, 4))
        row[column] = numbers.tobytes()[: numbers.nbytes - cut]
    elif column in ("answers", "token_ids", "tokens", "source", "flags") and rng.random() < 0.7:
        row[column] = json.dumps(rng.choice(ODD))
    else:
        row[column] = storable(rng.choice((*ODD, *NUMBERS, b"", b"\xff" * 7)))


def storable(value: Any) -> Any:
    """What SQLite takes of a value, in columns that may not be NULL too."""
    if value is None or isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, int) and abs(value) >= 2**63:
        return float("1e308") if value > 0 else -(2**63)
    return value.replace("\ud800", "?") if isinstance(value, str) else value


def check_possible(run: Run) -> None:
    """No number of a run is one that there cannot be."""
    limit = max(1e-4, run.floor_limit or 0.0)
    assert 1 <= run.layers <= 10_000
    assert len(run.records) <= max(run.total, run.data.get("prompts", 0))
    values = run.values()
    known = values[~np.isnan(values)]
    assert ((known >= -limit) & (known <= math.log(2) + limit)).all()
    for one in run.records:
        assert -1e-4 <= one.probability <= 1 + 1e-4
        assert -1e-4 <= one.entropy < 100
        assert 0 <= one.subject_span[0] < one.subject_span[1] <= len(one.tokens)
        assert len(one.tokens) == len(one.token_ids)
        assert 0 <= one.floor <= math.log(2) + limit
        assert one.position >= 0
        assert (one.norms >= 0).all()
        assert np.isfinite(one.norms).all()


def good(folder: Path) -> Path:
    with Store(folder, META) as store:
        store.add([record(at) for at in range(3)])
    return folder


def in_time(seconds: float, ask: Callable[[], Any]) -> Any:
    began = time.monotonic()
    try:
        return ask()
    except (InputError, MachineError) as error:
        assert "\n" not in str(error)  # noqa: PT017
        return None
    finally:
        assert time.monotonic() - began < seconds


@pytest.mark.slow
def test_no_forged_run_leads_to_a_traceback_or_to_an_impossible_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.main.get_command", cache(typer.main.get_command))  # takes longest
    rng, accepted = random.Random(7), 0
    other, folder = good(tmp_path / "good"), tmp_path / "runs" / "forged"
    commands: tuple[tuple[object, ...], ...] = (
        ("show", folder),
        ("summary", folder),
        ("export", folder, "-o", tmp_path / "x.csv"),
        ("export", folder, "-o", tmp_path / "x.json"),
        ("export", folder, "-o", tmp_path / "x.npz"),
        ("export", folder, "-o", tmp_path / "saved.json", "--salvage"),
        ("compare", other, folder),
        ("merge", folder, "-o", tmp_path / "merged"),
        ("plot", folder, "-o", tmp_path / "x.svg"),
        ("plot", folder, "-o", tmp_path / "x.svg", "--kind", "cosine"),
        ("show", folder, "--by", "category"),
    )
    for number in range(FORGED):
        meta, found, reason = forged(rng)
        forge(folder, meta, found, [reason])
        run = in_time(5, lambda: read_run(folder))
        if run is not None:
            check_possible(run)
            accepted += 1
        for command in commands[: 9 if run is None or accepted % 10 else None]:
            if command[0] == "plot" and run is not None and accepted % 10:
                continue  # drawing takes long
            code = in_time(5, lambda command=command: call(*command))
            said = capsys.readouterr()
            assert "Traceback" not in said.err, (number, command)
            assert code in (0, 2), (number, command, said.err)
            assert "\x1b[31m" not in said.out + said.err, (number, command)
        in_time(5, lambda: job_of(folder))
        in_time(5, lambda: job_or_none(folder))
        listing = in_time(5, lambda: look(folder.parent))
        for known in listing.runs:
            assert 0 <= known.done <= max(known.total, known.header["data"].get("prompts", 0))
        RunList(listing.runs)
        if run is not None:
            RunState.of(folder, run)
    assert FORGED / 20 < accepted < FORGED / 2, "some may be as they are, and most may not"


@pytest.mark.slow
@pytest.mark.asyncio
async def test_the_app_opens_none_and_offers_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    good(Path("mlxjsd-runs/good"))
    rng = random.Random(8)
    for number in range(IN_THE_APP):
        meta, found, reason = forged(rng)
        forge(Path(f"mlxjsd-runs/forged-{number}"), meta, found, [reason])
    Path("mlxjsd-runs/mine.txt").write_text("no run")
    app = MlxjsdApp(Idle())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.action_open_run()
        await pilot.pause()
        assert isinstance(app.screen, OpenScreen)
        assert "cannot be read" in str(app.screen.query_one("#unreadable").render())
        names = [run.folder.name for run in app.screen.query_one(RunList).runs]
        assert "good" in names
        app.screen.dismiss(None)
        for number in range(IN_THE_APP):
            app.show_run(Path(f"mlxjsd-runs/forged-{number}"))
            await pilot.pause()
            assert app.is_running
            assert app.return_code is None
        app.exit()


class Idle:
    """An engine that measures nothing."""

    def start(self, *_: object) -> None:
        """Begin nothing."""

    pause = go_on = stop = look = start

    def close(self, timeout: float) -> bool:
        """Say that nothing is left to be done."""
        return True
