from itertools import combinations
from typing import Any

import numpy as np
import pytest
from models import HIDDEN, LAYERS, random_batch, tiny

from mlxjsd.interventions.reference import reference_batch
from mlxjsd.interventions.similarity import (
    DirectionSums,
    last_token_directions,
    mean_pairwise_cosine,
)
from mlxjsd.interventions.sweep import sweep_batch
from mlxjsd.settings import Settings


def test_the_running_sum_gives_the_mean_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    states = rng.standard_normal((9, 4, 16)) + 0.5
    units = states / np.linalg.norm(states, axis=-1, keepdims=True)
    plain = np.mean([(units[i] * units[j]).sum(-1) for i, j in combinations(range(9), 2)], axis=0)
    np.testing.assert_allclose(mean_pairwise_cosine(units.sum(axis=0), 9), plain, rtol=1e-12)


def test_groups_are_kept_apart_and_one_prompt_has_no_pair() -> None:
    units = np.eye(3)[:, None, :]
    sums = DirectionSums()
    sums.add(["a", "a"], np.stack([units[0], units[0]]))
    sums.add(["b", None], np.stack([units[1], units[2]]))
    assert sums.cosines() == {"a": [pytest.approx(1.0)], "b": [None]}


@pytest.mark.parametrize("shared", [0, 40])
@pytest.mark.parametrize("path", [sweep_batch, reference_batch])
def test_directions_of_the_measuring_are_those_of_a_clean_run(path: Any, shared: int) -> None:
    blocks = tiny("llama")
    begins = [shared + 2, shared + 1, shared + 2, shared + 2]
    batch = random_batch(size=4, length=shared + 8, end=shared + 5, starts=begins)
    batch.tokens[:, :shared] = batch.tokens[:1, :shared]
    assert bool(batch.shared) == bool(shared)
    measured = path(blocks, batch, Settings()).directions
    found = last_token_directions(blocks, batch.tokens, batch.first)
    np.testing.assert_allclose(measured, found, atol=1e-5)
    if path is sweep_batch:
        np.testing.assert_array_equal(measured, found)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_directions_are_the_models_own_states(family: str) -> None:
    import mlx.core as mx

    blocks, batch = tiny(family), random_batch()
    found = last_token_directions(blocks, batch.tokens)
    assert found.shape == (batch.size, LAYERS, HIDDEN)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, rtol=1e-5)
    seen = []

    def visit(call):  # type: ignore[no-untyped-def]
        seen.append(call.forward(call.x, call.mask))
        return seen[-1]

    blocks.run(mx.array(batch.tokens), visit)
    for layer, states in enumerate(seen):
        last = np.array(states)[:, -1]
        expected = last / np.linalg.norm(last, axis=-1, keepdims=True)
        np.testing.assert_allclose(found[:, layer], expected, atol=1e-5)
