from dataclasses import replace

import numpy as np
import pytest

from mlxjsd.interventions.corruption import Corruption
from mlxjsd.interventions.corruption.noise import draw, embedding_deviation
from mlxjsd.interventions.corruption.swap import NO_PARTNER, NO_RELATION, choose_partners
from mlxjsd.model.load import load_encoder
from mlxjsd.prompts.encode import Encoded
from mlxjsd.prompts.prompt import Prompt
from mlxjsd.settings import SWAP_RULE, Settings

HIDDEN = 8
TABLE = np.random.default_rng(0).standard_normal((50, HIDDEN)).astype(np.float32) * 0.7 + 0.1


def embed(tokens: np.ndarray) -> np.ndarray:
    return TABLE[tokens]


class Reading:
    """A model that embeds by a table, and reads as the bundled one does."""

    encoder = load_encoder()
    embed = staticmethod(embed)


MODEL = Reading()
FIRST_RULE = Settings("swap", swap_rule=1)


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
    corruption = Corruption(Settings(noise_samples=2), PROMPTS, MODEL)
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
        Corruption(Settings(noise_level=level), PROMPTS, MODEL).batch(PROMPTS[:1]).noise
        for level in (1.0, 3.0)
    )
    assert one is not None
    assert three is not None
    np.testing.assert_allclose(three, 3 * one, rtol=1e-6)


def test_by_the_first_rule_partners_have_the_same_relation_and_length_and_another_subject() -> None:
    prompts = [
        *PROMPTS,
        prompt("same words as a", [10, 11]),
        prompt("other relation", [30, 31], "other"),
        prompt("none 1", [32, 33], None),
        prompt("none 2", [34, 35], None),
    ]
    partners = choose_partners(prompts, FIRST_RULE, MODEL.encoder)
    for p in prompts:
        partner = partners.get(p.prompt.id)
        if partner is None:
            assert p.prompt.id in ("d", "other relation")
            continue
        other = next(q for q in prompts if q.prompt.id == partner.id)
        assert other.prompt.relation == p.prompt.relation
        assert len(other.subject_tokens) == len(p.subject_tokens)
        assert other.subject_tokens != p.subject_tokens


def test_partners_do_not_depend_on_the_order_but_on_the_seed() -> None:
    prompts = [prompt(str(i), [10 + i, 11]) for i in range(20)]
    chosen = {k: v.id for k, v in choose_partners(prompts, FIRST_RULE, MODEL.encoder).items()}
    again = {k: v.id for k, v in choose_partners(prompts[::-1], FIRST_RULE, MODEL.encoder).items()}
    other = {
        k: v.id
        for k, v in choose_partners(prompts, replace(FIRST_RULE, seed=1), MODEL.encoder).items()
    }
    assert chosen == again
    assert chosen != other


def test_by_the_first_rule_the_partners_tokens_are_put_in_place() -> None:
    corruption = Corruption(FIRST_RULE, PROMPTS, MODEL)
    source = corruption.source(PROMPTS[0])
    batch = corruption.batch(PROMPTS[:2])
    assert batch.source_tokens is not None
    assert source["kind"] == "swap"
    assert source["token_ids"] == batch.source_tokens[0].tolist()
    partner = next(p for p in PROMPTS if p.prompt.id == source["id"])
    assert batch.source_tokens[0].tolist() == [1, 2, *partner.subject_tokens, 40, 41]


def test_a_prompt_without_partner_is_refused_with_the_reason() -> None:
    swap, noise = (
        Corruption(FIRST_RULE, PROMPTS, MODEL),
        Corruption(Settings(), PROMPTS, MODEL),
    )
    assert swap.reason_against(PROMPTS[3]) == "no other subject of this relation has as many tokens"
    assert swap.reason_against(PROMPTS[0]) is None
    assert noise.reason_against(PROMPTS[3]) is None


@pytest.mark.parametrize("kind", ["noise", "swap"])
def test_a_batch_that_was_prepared_is_the_same(kind: str) -> None:
    corruption = Corruption(Settings(corruption=kind, swap_rule=1), PROMPTS, MODEL)
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


NATIONS = ("France", "Italy", "Spain", "Germany", "Norway", "Japan", "Peru", "Chile", "Egypt")


def read(text: str, relation: str | None = "capital") -> list[Encoded]:
    """The prompts of one text about every nation."""
    return [
        MODEL.encoder.encode(Prompt(f"{text}/{n}", text.format(n), n, relation=relation))
        for n in NATIONS
    ]


def test_a_swap_reads_the_prompts_own_text_with_another_subject() -> None:
    """Whatever stood in front of the partner's subject where it came from."""
    prompts = [*read("{} has the capital"), *read("The capital of {} is")]
    corruption = Corruption(Settings("swap"), prompts, MODEL)
    asked = [p for p in prompts if corruption.reason_against(p) is None]
    assert len(asked) > 12
    crossed = 0
    for p in asked:
        source = corruption.source(p)
        other = next(q.prompt for q in prompts if q.prompt.id == source["id"])
        assert source["subject"] == other.subject != p.prompt.subject
        text = p.prompt.text.replace(p.prompt.subject, other.subject)
        assert source["text"] == text
        assert source["token_ids"] == MODEL.encoder._tokenizer(text)["input_ids"]
        assert len(source["token_ids"]) == len(p.tokens)
        assert tuple(source["token_ids"][: p.start]) == p.tokens[: p.start]
        assert tuple(source["token_ids"][p.end :]) == p.tokens[p.end :]
        assert corruption.batch([p]).source_tokens.tolist() == [source["token_ids"]]
        crossed += other.text[:3] != p.prompt.text[:3]
    assert crossed, "or no subject went from the start of a text behind a space"


def test_a_partner_depends_on_the_seed_and_not_on_the_order() -> None:
    prompts = read("The capital of {} is")

    def chosen(given: list[Encoded], seed: int) -> dict[str, str]:
        found = choose_partners(given, Settings("swap", seed=seed), MODEL.encoder)
        return {name: partner.id for name, partner in found.items()}

    assert chosen(prompts, 0) == chosen(prompts[::-1], 0)
    assert len({tuple(sorted(chosen(prompts, seed).items())) for seed in range(4)}) > 1


def test_partners_are_of_one_relation() -> None:
    one, other = read("The capital of {} is"), read("The land of {} has", "land")
    found = choose_partners([*one, *other], Settings("swap"), MODEL.encoder)
    assert found
    assert all(name.split("/")[0] == partner.id.split("/")[0] for name, partner in found.items())


def test_prompts_without_a_relation_are_swapped_only_if_asked() -> None:
    prompts = read("The capital of {} is", None)
    refused = Corruption(Settings("swap"), prompts, MODEL)
    assert {refused.reason_against(p) for p in prompts} == {NO_RELATION}
    assert "--swap-any" in NO_RELATION
    asked = Corruption(Settings("swap", swap_any=True), prompts, MODEL)
    assert {asked.reason_against(p) for p in prompts} <= {None, NO_PARTNER}
    assert sum(asked.reason_against(p) is None for p in prompts) > 4


def test_runs_of_older_versions_keep_their_partners() -> None:
    assert Settings.from_json({"corruption": "swap"}).swap_rule == 1
    assert Settings.from_json({"corruption": "noise"}).swap_rule == SWAP_RULE
    assert Settings.from_json(Settings("swap").to_json()).swap_rule == SWAP_RULE
