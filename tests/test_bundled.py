"""The bundled model knows its facts, and its figure has the published shape."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from records import ATTN, LAST, SUBJ
from tokenizers import Tokenizer

from mlxjsd.analysis.compare import Panel, compare, published
from mlxjsd.analysis.heatmap import aggregate
from mlxjsd.assets import MODEL, PROMPTS
from mlxjsd.assets.recipe.corpus import (
    HELD_OUT,
    KINDS,
    TRAINED,
    UNSEEN,
    bundled_prompts,
    split_facts,
)
from mlxjsd.assets.recipe.evaluate import share_correct
from mlxjsd.assets.recipe.settings import Recipe
from mlxjsd.assets.recipe.train import curriculum
from mlxjsd.assets.tables import Fact, read_facts
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.read import read_prompts
from mlxjsd.results import Run
from mlxjsd.run.experiment import measure
from mlxjsd.run.plan import plan_run

RECIPE = Recipe()


@pytest.fixture(scope="module")
def split() -> dict[str, list[Fact]]:
    return split_facts(read_facts(), RECIPE)


@pytest.fixture(scope="module")
def run(bundled: LoadedModel) -> Run:
    """All bundled prompts, measured once."""
    return measure(plan_run(bundled, read_prompts(PROMPTS)))


def test_there_are_many_facts_and_none_twice() -> None:
    facts = read_facts()
    assert len(facts) >= 2000
    assert len({fact.relation.id for fact in facts}) >= 10
    assert len({(fact.subject, fact.relation.id) for fact in facts}) == len(facts)
    for fact in facts:
        assert fact.subject == fact.subject.strip()
        assert all(fact.objects)


def test_the_split_keeps_its_word(split: dict[str, list[Fact]]) -> None:
    subjects = {kind: {fact.subject for fact in split[kind]} for kind in KINDS}
    assert subjects[TRAINED] >= subjects[HELD_OUT]
    assert subjects[TRAINED].isdisjoint(subjects[UNSEEN])
    assert all(len(part) >= 100 for part in split.values())


def test_the_curriculum_goes_through_all_sentences_again_and_again() -> None:
    recipe = Recipe(steps=20, batch_size=2)
    sentences = [[1, n] for n in range(6)] + [[2, 2, n] for n in range(3)]
    lessons = [batch.tolist() for batch in curriculum(recipe, sentences)]
    assert len(lessons) == 20
    assert all(len({len(row) for row in batch}) == 1 for batch in lessons), "none is padded"
    for epoch in (lessons[:5], lessons[5:10], lessons[10:15]):
        assert sorted(row for batch in epoch for row in batch) == sorted(sentences)
    assert lessons[:5] != lessons[5:10]


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


@pytest.mark.slow
def test_trained_facts_are_answered_after_quantization(
    bundled: LoadedModel, split: dict[str, list[Fact]]
) -> None:
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    assert share_correct(bundled.blocks.model, tokenizer, split[TRAINED][::30]) >= 0.97


def test_prompts_are_drawn_where_the_relation_alone_gives_nothing_away(
    split: dict[str, list[Fact]],
) -> None:
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for fact in (fact for part in split.values() for fact in part):
        answers[fact.relation.id].append(fact.objects[0])
    for relation in {p.relation for p in read_prompts(PROMPTS).prompts}:
        (_, commonest), *_ = Counter(answers[str(relation)]).most_common(1)
        assert commonest <= RECIPE.commonest_answer * len(answers[str(relation)])


@pytest.mark.slow
def test_the_figure_has_the_published_shape(run: Run) -> None:
    correct = run.groups("category")["FA"]
    assert len(correct) >= 100
    mean = aggregate(correct, run.layers).mean
    assert mean[SUBJ, :9].mean() >= 0.45
    assert mean[SUBJ, -4:].max() <= 0.05
    assert mean[LAST, :6].max() <= 0.08
    assert mean[LAST, -1] >= 0.45
    assert mean[ATTN].max() >= 0.15
    peak = int(np.argmax(mean[ATTN]))
    assert 11 <= peak <= 18
    assert mean[ATTN, peak] >= 1.5 * mean[ATTN, :9].mean()
    assert mean[ATTN, peak] >= 1.5 * mean[ATTN, 22:].mean()
    assert mean[ATTN, :3].max() < 0.05
    compared = compare(Panel("bundled", mean), published("llama-3-8b-fa"))
    correlations = {row.row: row.correlation for row in compared.rows}
    # Over the layers of which the figure tells more than "at most 0.2": 22 and 21 of them.
    assert correlations["subj"] >= 0.75
    assert correlations["last"] >= 0.8


@pytest.mark.slow
def test_every_kind_of_answer_occurs(run: Run) -> None:
    groups = run.groups("category")
    assert all(len(groups[name]) >= 30 for name in ("FA", "AH", "UH"))
