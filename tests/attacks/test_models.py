"""Whatever a model leads to is one sentence, and soon."""

import json
import time
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from foreign_models import COMMANDS, copied, edited, sentence
from mlx.utils import tree_flatten
from waiting import until

from mlxjsd.errors import Panic, UnsupportedModel, panics_caught
from mlxjsd.model.load import load_model
from mlxjsd.tui.app import MlxjsdApp
from mlxjsd.tui.engine import MLXEngine
from mlxjsd.tui.protocol import Failed, Job, Look, Preview
from mlxjsd.tui.run_state import Status
from mlxjsd.tui.screens.error import TroubleScreen
from mlxjsd.tui.screens.run import RunScreen

PANICS = {
    "when it is loaded": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
    "when it is used": {"pre_tokenizer": {"type": "FixedLength", "length": 0}},
}


@pytest.mark.parametrize("when", PANICS)
@pytest.mark.parametrize("command", COMMANDS[:2])
def test_a_tokenizer_that_panics_is_one_sentence(
    command: tuple[str, ...], when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(copied("m"), "tokenizer.json", **PANICS[when])
    told = sentence(*command, capsys=capsys)
    assert ("charsmap" if when == "when it is loaded" else "chunk size must be") in told


def test_only_a_panic_is_caught() -> None:
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit, type("PanicException", (), {})):
        if not issubclass(kind, BaseException):
            kind = type("PanicException", (BaseException,), {"__module__": "of another"})
        with pytest.raises(kind), panics_caught():
            raise kind
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
    with pytest.raises(Panic, match="gave up"), panics_caught():
        raise panic("gave up")


def tiny(name: str, family: str, **settings: Any) -> Path:
    """A random model of a family behind the bundled tokenizer, saved with ``settings``."""
    from models import FAMILIES, SIZES

    folder = copied(name)
    module = FAMILIES[family]()
    weights = dict(tree_flatten(module.parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
    config = {**SIZES, "model_type": family, **settings}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


CONTRADICTIONS = [
    ("gemma2", {"head_dim": 16, "final_logit_softcapping": None}),
    ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 9}),
]


@pytest.mark.parametrize(("family", "settings"), CONTRADICTIONS)
@pytest.mark.parametrize("command", COMMANDS[1:3])
def test_a_configuration_that_fails_in_the_first_pass_is_one_sentence(
    command: tuple[str, ...],
    family: str,
    settings: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiny("m", family, **settings)
    assert "cannot be run" in sentence(*command, capsys=capsys)
    with pytest.raises(UnsupportedModel):
        load_model("m")


@pytest.mark.asyncio
async def test_in_the_app_a_first_pass_that_fails_is_a_panel_and_another_model_works() -> None:
    family, settings = CONTRADICTIONS[1]
    tiny("m", family, **settings)
    engine = MLXEngine()
    app = MlxjsdApp(engine, Job(model="m", data=Path("d.jsonl"), output=Path("r")))
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TroubleScreen))
        assert "cannot be run" in app.screen.reason
        await pilot.press("enter")
        assert isinstance(app.screen, RunScreen)
        assert app.screen.state.status is Status.FAILED
        app.run_job(Job(data=Path("d.jsonl"), output=Path("other")))
        await pilot.pause()
        state = app.screen.state
        await until(pilot, lambda: state.status is Status.FINISHED)
        assert state.done == 1
    assert engine.close(60)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 1e9},
        {"num_hidden_layers": 10**400},
        {"num_hidden_layers": 100_000},
        {"text_config": {"num_hidden_layers": 10**9}},
        {"n_routed_experts": 10**9},
        {"layer_types": ["full_attention"] * 100_000},
        {"hybrid_override_pattern": "M" * 100_000},
    ],
)
def test_a_model_that_would_be_built_without_end_is_refused_at_once(
    changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    edited(copied("m"), "config.json", **changes)
    for command in COMMANDS[:2]:
        began = time.monotonic()
        told = sentence(*command, capsys=capsys)
        assert "asks for too much" in told
        assert time.monotonic() - began < 5


APP = [
    *(({}, panic) for panic in PANICS.values()),
    ({"num_hidden_layers": 10**9}, {}),
]


@pytest.mark.parametrize(("config", "tokenizer"), APP)
def test_in_the_app_it_is_one_sentence_as_well(
    config: dict[str, Any], tokenizer: dict[str, Any]
) -> None:
    edited(edited(copied("m"), "config.json", **config), "tokenizer.json", **tokenizer)
    engine, told = MLXEngine(), []
    seen: list[Preview] = []
    job = Job(model="m", data=Path("d.jsonl"), output=Path("r"))
    engine.look(Look(job.model, job.data, job.settings, None), seen.append)
    engine.start(job, told.append)
    deadline = time.monotonic() + 60
    while not any(isinstance(news, Failed) for news in told) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert engine.close(60)
    assert isinstance(told[-1], Failed)
    assert "; " in told[-1].reason
    assert "Panic" not in told[-1].reason
    (preview,) = seen
    assert preview.error or preview.note
