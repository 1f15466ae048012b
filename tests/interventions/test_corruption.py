import numpy as np
import pytest

from mlxjsd.interventions.corruption import Corruption
from mlxjsd.interventions.corruption.noise import draw, embedding_deviation
from mlxjsd.interventions.corruption.swap import choose_partners
from mlxjsd.prompts.encode import Encoded
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.settings import Settings

HIDDEN = 8
TABLE = np.random.default_rng(0).standard_normal((50, HIDDEN)).astype(np.float32) * 0.7 + 0.1


def embed(tokens: np.ndarray) -> np.ndarray:
    return TABLE[tokens]


def prompt(name: str, subject: list[int], relation: str | None = "r", before: int = 2) -> Encoded:
    tokens = (*range(1, 1 + before), *subject, 40, 41)
    start, end = before, before + len(subject)
    return Encoded(Prompt(name, "", "", relation=relation), tokens, start, end)


PROMPTS = [prompt("a", [10, 11]), prompt("b", [12, 13]), prompt("c", [14, 15]), prompt("d", [9])]


def test_the_deviation_is_that_of_all_subject_embeddings() -> None:
    subjects = np.concatenate([TABLE[list(p.subject_tokens)] for p in PROMPTS])
    assert embedding_deviation(embed, PROMPTS) == pytest.approx(subjects.std(), rel=1e-6)


def test_a_draw_depends_on_seed_prompt_and_sample_alone() -> None:
    one = draw(0, "a", 0, (2, HIDDEN))
    np.testing.assert_array_equal(one, draw(0, "a", 0, (2, HIDDEN)))
    for other in (
        draw(1, "a", 0, (2, HIDDEN)),
        draw(0, "b", 0, (2, HIDDEN)),
        draw(0, "a", 1, (2, HIDDEN)),
    ):
        assert not np.allclose(one, other)
    assert draw(0, "a", 0, (400, 50)).std() == pytest.approx(1, abs=0.02)


def test_noise_does_not_depend_on_the_batch() -> None:
    corruption = Corruption(Settings(noise_samples=2), PROMPTS, embed)
    late, early = prompt("e", [20], before=3), prompt("f", [21, 22, 23], before=1)
    together = corruption.batch([late, early])
    assert together.noise is not None
    for row, alone in enumerate([late, early]):
        single = corruption.batch([alone]).noise
        assert single is not None
        np.testing.assert_array_equal(together.noise[row, :, -single.shape[2] :], single[0])
        assert not together.noise[row, :, : -single.shape[2]].any(), "nothing before the subject"


def test_the_noise_level_scales_the_noise() -> None:
    one, three = (
        Corruption(Settings(noise_level=level), PROMPTS, embed).batch(PROMPTS[:1]).noise
        for level in (1.0, 3.0)
    )
    assert one is not None
    assert three is not None
    np.testing.assert_allclose(three, 3 * one, rtol=1e-6)


def test_partners_have_the_same_relation_and_length_and_another_subject() -> None:
    prompts = [
        *PROMPTS,
        prompt("same words as a", [10, 11]),
        prompt("other relation", [30, 31], "other"),
        prompt("none 1", [32, 33], None),
        prompt("none 2", [34, 35], None),
    ]
    partners = choose_partners(prompts, seed=0)
    for p in prompts:
        partner = partners.get(p.prompt.id)
        if partner is None:
            assert p.prompt.id in ("d", "other relation")
            continue
        assert partner.prompt.relation == p.prompt.relation
        assert len(partner.subject_tokens) == len(p.subject_tokens)
        assert partner.subject_tokens != p.subject_tokens


def test_partners_do_not_depend_on_the_order_but_on_the_seed() -> None:
    prompts = [prompt(str(i), [10 + i, 11]) for i in range(20)]
    chosen = {k: v.prompt.id for k, v in choose_partners(prompts, 0).items()}
    again = {k: v.prompt.id for k, v in choose_partners(prompts[::-1], 0).items()}
    other = {k: v.prompt.id for k, v in choose_partners(prompts, 1).items()}
    assert chosen == again
    assert chosen != other


def test_a_swap_puts_the_partners_subject_in_place() -> None:
    corruption = Corruption(Settings("swap"), PROMPTS, embed)
    source = corruption.source(PROMPTS[0])
    batch = corruption.batch(PROMPTS[:2])
    assert batch.source_tokens is not None
    assert source["kind"] == "swap"
    assert source["token_ids"] == batch.source_tokens[0].tolist()
    partner = next(p for p in PROMPTS if p.prompt.id == source["id"])
    assert batch.source_tokens[0].tolist() == [1, 2, *partner.subject_tokens, 40, 41]


def test_a_prompt_without_partner_is_refused_with_the_reason() -> None:
    swap, noise = (
        Corruption(Settings("swap"), PROMPTS, embed),
        Corruption(Settings(), PROMPTS, embed),
    )
    assert swap.reason_against(PROMPTS[3]) == "no other subject of this relation has as many tokens"
    assert swap.reason_against(PROMPTS[0]) is None
    assert noise.reason_against(PROMPTS[3]) is None


@pytest.mark.parametrize("kind", ["noise", "swap"])
def test_a_batch_that_was_prepared_is_the_same(kind: str) -> None:
    corruption = Corruption(Settings(corruption=kind), PROMPTS, embed)
    asked = PROMPTS[:2]
    corruption.prepare(asked)
    corruption.prepare(PROMPTS[1:3])
    corruption.prepare(asked[1:])  # the first gives way
    for part in (asked[:1], asked, PROMPTS[1:3], asked[1:], asked[1:]):
        made, expected = corruption.batch(part), corruption._made(part)
        assert made.size == len(part)
        np.testing.assert_array_equal(made.tokens, expected.tokens)
        np.testing.assert_array_equal(made.noise, expected.noise)
        np.testing.assert_array_equal(made.source_tokens, expected.source_tokens)
