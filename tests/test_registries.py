"""A row, a metric, a corruption, a format and a writer, each added through its registry alone.

Nothing else is touched, and yet they are measured, kept, shown, drawn, exported and in the app.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from commands import call
from models import random_batch, tiny

from mlxjsd import corruptions, metrics, rows
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.interventions import corruption
from mlxjsd.interventions import metrics as computing
from mlxjsd.interventions.metrics import Logits
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.metrics import METRICS, Metric
from mlxjsd.output.writers import EXPORTS, Writer
from mlxjsd.prompts import formats
from mlxjsd.prompts.encode import Encoded
from mlxjsd.prompts.formats import FORMATS, Format
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.results import Run
from mlxjsd.rows import ROWS, Row
from mlxjsd.settings import Settings
from mlxjsd.store.reader import read_run
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.engine import MLXEngine

FACTS = (
    ("New Zealand", "Wellington"), ("South Korea", "Seoul"), ("Sri Lanka", "Colombo"),
    ("Costa Rica", "San Jose"),
)  # fmt: skip


class Reversed:
    """A corruption that puts the subject's tokens in the opposite order."""

    def __init__(self, settings: Settings, prompts: Sequence[Encoded], model: Any) -> None:
        pass

    def reason_against(self, prompt: Encoded) -> str | None:
        return "there is one token to reverse" if len(prompt.subject_tokens) < 2 else None

    def source(self, prompt: Encoded) -> dict[str, Any]:
        return {"kind": "reversed"}

    def tokens(self, prompt: Encoded) -> tuple[int, ...]:
        start, end = prompt.start, prompt.end
        return prompt.tokens[:start] + prompt.subject_tokens[::-1] + prompt.tokens[end:]

    def change(self, prompt: Encoded, sample: int) -> np.ndarray | None:
        return None

    def other_answer(self, prompt: Encoded) -> int | None:
        return None


def total_variation(logits: Logits) -> mx.array:
    p, q = (mx.softmax(x.astype(mx.float32), axis=-1) for x in (logits.clean, logits.edited))
    return mx.sum(mx.abs(p - q), axis=-1) / 2


def asked(values: dict[str, Any], path: Path) -> tuple[Prompt, bool]:
    text = f"The capital of {values['land']} is"
    return Prompt(values["land"], text, values["land"], answers=(values["town"],)), True


def count_of(run: Run) -> bytes:
    return f"{len(run.records)} prompts".encode()


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One entry in each registry, gone after the test."""
    for table in (ROWS, METRICS, CORRUPTIONS, FORMATS, EXPORTS._by_ending):
        for key, value in table.items():
            monkeypatch.setitem(table, key, value)  # type: ignore[arg-type]
    before = [dict(t) for t in (ROWS, METRICS, CORRUPTIONS, FORMATS, EXPORTS._by_ending)]
    rows.ROWS.add(
        Row("tail", "Tail.", "patch", "tail", "layer", "tail replaced after block {layer}",
            "what follows the subject is replaced", states="corrupted")
    )  # fmt: skip
    rows.ROWS.add(
        Row("after", "After.", "knockout", "tail", "window", "subject hidden from all, at {layer}",
            "no later token sees the subject around the layer", hidden="subject")
    )  # fmt: skip
    metrics.METRICS.add(Metric("tv", "Total Variation", "", low=0.0, high=1.0))
    monkeypatch.setitem(computing.COMPUTE, "tv", total_variation)
    corruptions.CORRUPTIONS.add(corruptions.Corruption("reversed", "reversed subjects", "reversed"))
    monkeypatch.setitem(corruption.MAKE, "reversed", Reversed)
    formats.register(Format("capitals", "lands and towns", asked, ({"land", "town"},)))
    EXPORTS.register(Writer(".count", "how many", count_of))
    yield
    tables: list[dict[str, Any]] = [ROWS, METRICS, CORRUPTIONS, FORMATS, EXPORTS._by_ending]
    for table, old in zip(tables, before, strict=True):
        table.clear()
        table.update(old)


def measured(tmp_path: Path) -> Path:
    data, folder = tmp_path / "capitals.jsonl", tmp_path / "run"
    data.write_text("\n".join(json.dumps({"land": a, "town": b}) for a, b in FACTS))
    asked_for = ["--rows", "subj,tail,attn,after,last", "--metrics", "jsd,tv"]
    assert (
        call("run", "--data", data, "--corruption", "reversed", *asked_for, "--output", folder) == 0
    )
    return folder


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("kind", ["noise", "swap"])
def test_the_sweep_and_the_reference_measure_a_new_row(kind: str) -> None:
    settings = Settings(rows=("tail", "subj", "after"), metrics=("jsd", "tv"), window=3)
    blocks, batch = tiny("llama"), random_batch(kind, end=5)
    swept, plain = sweep_batch(blocks, batch, settings), reference_batch(blocks, batch, settings)
    np.testing.assert_allclose(swept.cells, plain.cells, atol=1e-5)
    np.testing.assert_allclose(swept.whole, plain.whole, atol=1e-5)
    tail, _, after = np.moveaxis(plain.cells[:, 1], 1, 0)
    assert tail.max() > 1e-3
    assert after.max() > 1e-3


@pytest.mark.slow
@pytest.mark.usefixtures("added")
def test_they_are_measured_shown_drawn_and_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = measured(tmp_path)
    run = read_run(folder)
    assert run.grid.rows == ("subj", "tail", "attn", "after", "last")
    assert run.grid.metrics == ("jsd", "tv")
    assert run.data["format"] == "capitals"
    assert run.records[0].source == {"kind": "reversed"}
    assert run.values("tv").max() > 1e-3
    capsys.readouterr()
    for metric in ("jsd", "tv"):
        assert call("show", folder, "--metric", metric) == 0
        said = capsys.readouterr().out
        assert re.search(
            r"^Subj\. .*\n.*Tail\. .*\n.*Attn\. .*\n.*After\. .*\n.*Last\. ", said, re.M
        )
        assert call("plot", folder, "--metric", metric, "-o", tmp_path / f"{metric}.svg") == 0
        drawn = (tmp_path / f"{metric}.svg").read_text()
        assert f">Avg {METRICS[metric].label}" in drawn
        assert "Tail." in drawn
        assert "reversed subjects" in drawn
    for ending in ("json", "csv", "npz", "count"):
        assert call("export", folder, "-o", tmp_path / f"run.{ending}") == 0
    prompt = json.loads((tmp_path / "run.json").read_text())["prompts"][0]
    assert set(prompt["jsd"]) == {"subj", "tail", "attn", "after", "last"}
    assert prompt["cells"]["tv"]["tail"] == run.records[0].of("tv")[1].tolist()
    assert ",tail," in (tmp_path / "run.csv").read_text()
    assert (tmp_path / "run.count").read_bytes() == f"{len(run.records)} prompts".encode()
    assert call("run", "--rows", "subj,nothing") == 2
    assert "there is no row 'nothing'; there is subj, subj-noise" in (capsys.readouterr().err)


@pytest.mark.slow
@pytest.mark.asyncio
@pytest.mark.usefixtures("added")
async def test_they_are_in_the_app(tmp_path: Path) -> None:
    folder = measured(tmp_path)
    app = MlxjsdApp(MLXEngine(), folder=folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        shown = app.export_screenshot()
        for label in ("Tail.", "After."):
            assert label in shown
        before = app.screen.state.heatmap.mean.copy()
        await pilot.press("m")
        await pilot.pause()
        assert app.screen.state.metric == "tv"
        assert not np.array_equal(app.screen.state.heatmap.mean, before)
