"""What each run predicts: the distributions whose divergences the rows report."""

import numpy as np
import pytest
from models import FAMILIES, random_batch, tiny

from mlxjsd.interventions.next_tokens import next_token_probabilities
from mlxjsd.interventions.reference import reference_batch
from mlxjsd.settings import Settings


def jsd(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    p, q = p.astype(np.float64), q.astype(np.float64)
    m = (p + q) / 2
    return (np.sum(p * np.log(p / m), axis=-1) + np.sum(q * np.log(q / m), axis=-1)) / 2


@pytest.mark.parametrize("kind", ["noise", "swap"])
@pytest.mark.parametrize("family", FAMILIES)
def test_they_are_as_far_apart_as_the_rows_say(family: str, kind: str) -> None:
    blocks, batch = tiny(family), random_batch(kind, size=2, starts=[2, 4])
    found = next_token_probabilities(blocks, batch)
    plain = reference_batch(blocks, batch, Settings())
    assert list(found) == ["clean", "corrupted", "hidden"]
    total = plain.whole[:, 0, plain.grid.whole.index("total")]
    np.testing.assert_allclose(jsd(found["clean"], found["corrupted"]), total, atol=1e-5)
    np.testing.assert_allclose(jsd(found["clean"], found["hidden"]), plain.reliance, atol=1e-5)
    assert total.min() > 1e-3, "or this means nothing"
    assert plain.reliance.min() > 1e-3
    assert (found["clean"].argmax(axis=-1) == plain.prediction).all()


def test_the_corrupted_one_is_the_mean_of_its_samples() -> None:
    blocks, several = tiny("llama"), random_batch(size=1, samples=3, starts=[2])
    assert several.noise is not None
    alone = [
        next_token_probabilities(blocks, type(several)(
            several.tokens, several.starts, several.end, noise=several.noise[:, j : j + 1]
        ))["corrupted"]
        for j in range(3)
    ]  # fmt: skip
    found = next_token_probabilities(blocks, several)["corrupted"]
    np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
