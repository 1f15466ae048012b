"""Every family of MLX-LM: on the one pass, on the plain path, or refused with a reason."""

import ast
import importlib.util
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx_lm.models
import numpy as np
import pytest
from families import ONE_PASS, PLAIN, REFUSED, tiny_family
from family_settings import KEY_HEADS, LAYERS, VOCABULARY
from family_table import README, with_table
from models import begun_alike, random_batch
from records import ATTN, SUBJ

from mlxjsd.errors import UnsupportedModel
from mlxjsd.interventions import spec as interventions
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.spec import Batch, Measurement
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.model.blocks import Blocks
from mlxjsd.settings import Settings

SETTINGS, NARROW = Settings(window=3), Settings(window=1)
#: As many prompts as key heads: a mask of the wrong rank would go unnoticed.
SHAPE: dict[str, Any] = {"size": KEY_HEADS, "length": 8, "end": 5, "starts": [2, 3]}


def _batches(blocks: Blocks) -> list[Batch]:
    hidden = blocks.embed(mx.zeros((1, 2), mx.int32)).shape[-1]
    noise, swap = (
        random_batch(kind, **SHAPE, vocabulary=VOCABULARY, hidden=hidden)
        for kind in ("noise", "swap")
    )
    return [begun_alike(noise), swap]


@pytest.fixture(autouse=True)
def _any_shared_beginning_is_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interventions, "SHARED_TOKENS", 1)


def _families() -> set[str]:
    """What of MLX-LM's models has a Model and its ModelArgs, own or taken from another."""
    found = set()
    for path in Path(mlx_lm.models.__path__[0]).glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                names |= {alias.asname or alias.name for alias in node.names}
        if {"Model", "ModelArgs"} <= names:
            found.add(path.stem)
    return found


def test_every_family_is_in_one_list() -> None:
    listed = [*ONE_PASS, *PLAIN, *REFUSED]
    assert len(listed) == len(set(listed))
    assert set(listed) >= _families(), "a new family: try it, and say where it belongs"


def _tiny(family: str, **own: Any) -> Blocks:
    if importlib.util.find_spec(f"mlx_lm.models.{family}") is None:
        pytest.skip("this MLX-LM does not have it yet")
    return Blocks(tiny_family(family, **own))


def assert_same(a: Measurement, b: Measurement) -> None:
    for name in ("jsd", "reliance", "floor", "probability"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), atol=1e-5, rtol=0)
    np.testing.assert_array_equal(a.prediction, b.prediction)


def assert_edits_matter(found: Measurement) -> None:
    assert found.jsd[:, SUBJ].max() > 1e-3
    attn = found.jsd[:, ATTN]
    assert np.isnan(attn).all() or np.nanmax(attn) > 1e-3
    assert found.floor.max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("family", ONE_PASS)
def test_the_one_pass_equals_one_pass_for_every_cell(family: str) -> None:
    blocks = _tiny(family)
    assert blocks.anatomy.trouble is None
    for batch in _batches(blocks):
        swept, plain = (
            sweep_batch(blocks, batch, SETTINGS),
            reference_batch(blocks, batch, SETTINGS),
        )
        assert_same(swept, plain)
        assert_edits_matter(swept)


#: Forms of a family that another path measures than the one of its common form.
VARIANTS = {
    "gemma4_text": {"num_kv_shared_layers": 0, "hidden_size_per_layer_input": 0},
    "hunyuan": {"use_cla": False},
    "nemotron-nas": {
        "block_configs": [
            {
                "attention": {"no_op": index == 1, "n_heads_in_group": 2},
                "ffn": {"ffn_mult": 1.5, "no_op": index == 2},
            }
            for index in range(LAYERS)
        ]
    },
    "granitemoehybrid": {"layer_types": ["attention"] * LAYERS},
}


@pytest.mark.slow
@pytest.mark.parametrize("family", VARIANTS)
def test_what_decides_is_what_the_blocks_do(family: str) -> None:
    blocks = _tiny(family, **VARIANTS[family])
    assert blocks.anatomy.trouble is None
    for batch in _batches(blocks):
        assert_same(sweep_batch(blocks, batch, NARROW), reference_batch(blocks, batch, NARROW))
    if family == "nemotron-nas":
        assert [block.attends for block in blocks.anatomy.blocks] == [True, False, True, True]
        assert np.isnan(sweep_batch(blocks, _batches(blocks)[0], NARROW).jsd[:, ATTN, 1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("family", PLAIN)
def test_the_plain_path_measures_what_applies(family: str) -> None:
    blocks = _tiny(family)
    batches = _batches(blocks)
    tokens = mx.array(batches[0].tokens)
    before = np.array(blocks.model(tokens))
    with pytest.raises(UnsupportedModel, match="the one pass is not exact here"):
        sweep_batch(blocks, batches[0], SETTINGS)
    for batch in _batches(blocks):
        found = reference_batch(blocks, batch, SETTINGS)
        attends = [block.attends for block in blocks.anatomy.blocks]
        near = [any(attends[max(0, i - 1) : i + 2]) for i in range(LAYERS)]
        np.testing.assert_array_equal(np.isnan(found.jsd[:, ATTN]), [[not n for n in near]] * 2)
        assert np.isnan(found.reliance).all() == (not any(attends))
        assert_edits_matter(found)
        np.testing.assert_allclose(found.jsd[:, SUBJ, -1], 0, atol=1e-6)
    assert any(attends) == (PLAIN[family] != "no attention at all")
    np.testing.assert_array_equal(np.array(blocks.model(tokens)), before)


@pytest.mark.slow
@pytest.mark.parametrize("family", REFUSED)
def test_the_rest_is_refused_with_a_reason(family: str) -> None:
    says, _ = REFUSED[family]
    if family == "olmo":
        with pytest.raises(SystemExit):
            importlib.import_module("mlx_lm.models.olmo")
        return
    with pytest.raises(UnsupportedModel, match=says):
        _ = _tiny(family).anatomy


def test_a_stack_that_is_run_twice_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="does not call its blocks one by one"):
        _ = _tiny("nanbeige", num_loops=2).anatomy


def test_the_readme_lists_the_families_as_they_are_tested() -> None:
    readme = README.read_text(encoding="utf-8")
    assert readme == with_table(readme), "run `python tests/family_table.py`"
