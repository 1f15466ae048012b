"""Maps of models that are measured a forward pass at a time: said beforehand, and refused."""

from pathlib import Path

import numpy as np
import pytest
from commands import call
from families import tiny_family
from models import in_place_of

from mlxjsd.assets import PROMPTS
from mlxjsd.errors import InputError
from mlxjsd.interventions import reference
from mlxjsd.model.blocks import Blocks
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.prompt import PromptFile
from mlxjsd.prompts.read import read_prompts
from mlxjsd.run.experiment import run_experiment
from mlxjsd.run.plan import plan_run
from mlxjsd.settings import Settings
from mlxjsd.text import time_of


@pytest.fixture(scope="module")
def data() -> PromptFile:
    return read_prompts(PROMPTS)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (12000, "3 h 20 min"),
        (500_000, "5 days 18 h"),
    ],
)
def test_a_time_as_people_say_it(seconds: float, said: str) -> None:
    assert time_of(seconds) == said


def test_a_map_on_the_plain_path_is_estimated_and_measured(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = in_place_of(
        bundled, tiny_family("lfm2", vocab_size=bundled.identity.vocabulary), "lfm2"
    )
    settings = Settings(maps=("residual",), layers=(0, 2))
    plan = plan_run(model, data, settings, limit=2, batch_size=1)
    passes, run = [], Blocks.run

    def counted(self: Blocks, tokens: object, visit: object) -> object:
        passes.append(tokens)
        return run(self, tokens, visit)

    def maps(*given: object) -> np.ndarray:
        passes.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Blocks, "run", counted)
            found = reference.reference_maps(*given)
        cells.append(len(passes) - 2)  # the clean and the corrupted run
        return found

    cells: list[int] = []
    monkeypatch.setattr("mlxjsd.run.batch.reference_maps", maps)
    started, *_ = list(run_experiment(plan, tmp_path / "run"))
    assert sum(cells) > 20
    (note,) = [note for note in started.notes if "forward pass for each cell" in note]
    assert f"{sum(cells)} of them: about " in note
    (done,) = list(run_experiment(plan, tmp_path / "run"))[:1]
    assert not any("of them" in note for note in done.notes), "nothing is left"


def test_the_one_pass_needs_no_estimate(
    bundled: LoadedModel, data: PromptFile, tmp_path: Path
) -> None:
    plan = plan_run(bundled, data, Settings(maps=("residual",), layers=(0,)), limit=1)
    started = next(iter(run_experiment(plan, tmp_path / "run")))
    assert not any("forward pass for each cell" in note for note in started.notes)


def test_a_part_that_a_family_has_not_is_one_sentence(
    bundled: LoadedModel, data: PromptFile
) -> None:
    talkie = in_place_of(
        bundled, tiny_family("talkie", vocab_size=bundled.identity.vocabulary), "talkie"
    )
    for asked in (Settings(rows=("subj", "subj-mlp")), Settings(maps=("attention",))):
        with pytest.raises(InputError, match="cannot be exchanged"):
            plan_run(talkie, data, asked, limit=1)
    plan_run(talkie, data, Settings(), limit=1)


def test_a_window_of_no_blocks_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "--map", "mlp", "--part-window", "0") == 2
    assert "at least one block" in capsys.readouterr().err
