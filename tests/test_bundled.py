"""The bundled model knows its facts, and its figure has the published shape."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from tokenizers import Tokenizer

from mlxjsd.assets import MODEL, PROMPTS
from mlxjsd.assets.recipe.corpus import (
    HELD_OUT,
    TRAINED,
    UNSEEN,
    Fact,
    bundled_prompts,
    read_facts,
    split_facts,
)
from mlxjsd.assets.recipe.evaluate import share_correct
from mlxjsd.assets.recipe.settings import Recipe
from mlxjsd.experiment import measure
from mlxjsd.grouping import group
from mlxjsd.heatmap import aggregate
from mlxjsd.interventions import ATTN, LAST, SUBJ
from mlxjsd.model import LoadedModel
from mlxjsd.planning import plan_run
from mlxjsd.prompts import read_prompts

RECIPE = Recipe()


@pytest.fixture(scope="module")
def split() -> dict[str, list[Fact]]:
    return split_facts(read_facts(), RECIPE)


def test_there_are_many_facts_and_none_twice() -> None:
    facts = read_facts()
    assert len(facts) >= 2000
    assert len({fact.relation.id for fact in facts}) >= 10
    assert len({(fact.subject, fact.relation.id) for fact in facts}) == len(facts)
    for fact in facts:
        assert fact.subject == fact.subject.strip()
        assert all(fact.objects)


def test_the_split_keeps_its_word(split: dict[str, list[Fact]]) -> None:
    trained = {fact.subject for fact in split[TRAINED]}
    assert trained.isdisjoint(fact.subject for fact in split[UNSEEN])
    assert trained.issuperset(fact.subject for fact in split[HELD_OUT])


def test_adding_a_fact_moves_no_other(split: dict[str, list[Fact]]) -> None:
    facts = [fact for part in split.values() for fact in part]
    fewer = split_facts(facts[1:], RECIPE)
    for kind, part in fewer.items():
        assert set(part) <= set(split[kind]) | {f for f in part if f.subject == facts[0].subject}


def test_the_prompts_are_those_of_the_recipe(split: dict[str, list[Fact]]) -> None:
    made = [(row["id"], row["prompt"], row["subject"]) for row in bundled_prompts(split, RECIPE)]
    kept = [(p.id, p.text, p.subject) for p in read_prompts(PROMPTS).prompts]
    assert kept == made
    assert len(kept) >= 300


def test_trained_facts_are_answered_after_quantization(
    bundled: LoadedModel, split: dict[str, list[Fact]]
) -> None:
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    assert share_correct(bundled.blocks.model, tokenizer, split[TRAINED][::12]) >= 0.97


def test_prompts_are_drawn_where_the_relation_alone_gives_nothing_away(
    split: dict[str, list[Fact]],
) -> None:
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for fact in (fact for part in split.values() for fact in part):
        answers[fact.relation.id].append(fact.objects[0])
    for relation in {p.relation for p in read_prompts(PROMPTS).prompts}:
        (_, commonest), *_ = Counter(answers[str(relation)]).most_common(1)
        assert commonest <= RECIPE.commonest_answer * len(answers[str(relation)])


def test_the_figure_has_the_published_shape(bundled: LoadedModel) -> None:
    run = measure(plan_run(bundled, read_prompts(PROMPTS), limit=120))
    correct = group(run.records, "correct")["correct"]
    assert len(correct) >= 100
    mean = aggregate(correct, run.layers).mean
    assert mean[SUBJ, :9].mean() >= 0.45
    assert mean[SUBJ, -4:].max() <= 0.05
    assert mean[LAST, :6].max() <= 0.08
    assert mean[LAST, -1] >= 0.45
    assert mean[ATTN].max() >= 0.15
    assert 5 < np.argmax(mean[ATTN]) < 26
    assert mean[ATTN, :3].max() < 0.05
