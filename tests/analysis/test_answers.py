from dataclasses import replace

import numpy as np
import pytest
from records import record, run_of

from mlxjsd.analysis.answers import is_correct, label
from mlxjsd.analysis.groups import group
from mlxjsd.errors import InputError
from mlxjsd.sentences import first_sentence
from mlxjsd.settings import Labelling


def answered(answer: str | None, *answers: str, prediction: str = "", reliance: float = 0.0):  # type: ignore[no-untyped-def]
    return record(0, answer=answer, answers=answers, prediction=prediction, reliance=reliance)


@pytest.mark.parametrize(
    ("answer", "answers", "contains", "prefix"),
    [
        ("Paris", ["Paris"], True, True),
        ("the city of Paris", ["Paris"], True, False),
        ("PARIS, France", ["paris"], True, True),
        ("Parisian", ["Paris"], False, False),
        ("not Paris", ["Paris"], False, False),
        ("never in Paris", ["Paris"], False, False),
        ("London, not Paris", ["Paris"], False, False),
        ("São Tomé", ["Sao Tome"], True, True),
        ("Sao Tome", ["São Tomé"], True, True),
        ("Sa\u0303o Tome\u0301", ["São Tomé"], True, True),
        ("the United States", ["United States"], True, True),
        ("Holland", ["the Netherlands", "Holland"], True, True),
        ("H. G. Wells", ["H.G. Wells"], True, True),
        ("Jean-Jacques Rousseau", ["Jean Jacques Rousseau"], True, True),
        ("  Berlin ", ["Berlin"], True, True),
        ("", ["Paris"], False, False),
        ("東京", ["東京"], True, True),
        ("The", ["The"], True, True),
    ],
)
def test_answers_match_by_whole_normalised_words(
    answer: str, answers: list[str], contains: bool, prefix: bool
) -> None:
    assert is_correct(answered(answer, *answers), "contains") is contains
    assert is_correct(answered(answer, *answers), "prefix") is prefix


def test_without_answers_or_an_answer_nothing_is_known() -> None:
    assert is_correct(answered("Paris")) is None
    assert is_correct(answered("Paris", "", "...")) is None
    assert is_correct(answered(None, "Paris")) is None


def test_the_first_token_needs_no_generated_answer() -> None:
    assert is_correct(answered(None, "Paris", prediction=" Par"), "first-token") is True
    assert is_correct(answered(None, "Paris", prediction=" Lon"), "first-token") is False
    assert is_correct(answered(None, "Paris", prediction=" "), "first-token") is False
    with pytest.raises(InputError, match="--match is"):
        is_correct(answered("Paris", "Paris"), "fuzzy")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" Paris. It is", "Paris"),
        (" Paris\nThe capital", "Paris"),
        ("H. G. Wells. He wrote", "H. G. Wells"),
        ("St. Petersburg! Or", "St. Petersburg"),
        ("3.14 is pi? Yes", "3.14 is pi"),
        ("no end here", "no end here"),
        ("東京です。大阪は", "東京です"),
        ("东京！北京", "东京"),
        ("दिल्ली है। मुंबई", "दिल्ली है"),
        ("القاهرة؟ نعم", "القاهرة"),
        ("لاہور۔ کراچی", "لاہور"),
        ("Երևան։ Գյումրի", "Երևան"),
        ("አዲስ አበባ። ሌላ", "አዲስ አበባ"),
        ("Αθήνα; Ναι", "Αθήνα"),
        ("1. Paris", "1. Paris"),
        ("12. It is", "12"),
        ("1912. He was", "1912"),
        ("Vitamin C. It is in fruit", "Vitamin C"),
        ('"Paris." It is', '"Paris'),
        ("... Paris. It is", "... Paris"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_answers_are_cut_at_the_first_sentence(text: str, sentence: str) -> None:
    assert first_sentence(text) == sentence


def made_up() -> list:  # type: ignore[type-arg]
    return [
        answered("Paris", "Paris", reliance=0.2),
        answered("Paris", "Paris", reliance=0.6),
        answered("Rome", "Paris", reliance=0.5),
        answered("Rome", "Paris", reliance=0.3),
        answered("Rome", "Paris", reliance=0.4),
        answered("Rome"),
    ]


def test_the_threshold_is_the_mean_reliance_of_the_correct() -> None:
    labels = label(made_up())
    assert labels.threshold == pytest.approx(np.mean([0.2, 0.6]))
    assert labels.categories == ("FA", "FA", "AH", "UH", "UH", None)
    assert labels.present() == ["FA", "AH", "UH"]
    assert not labels.given


def test_a_threshold_can_be_given() -> None:
    labels = label(made_up(), threshold=0.35)
    assert labels.categories == ("FA", "FA", "AH", "UH", "AH", None)
    assert labels.given


def test_without_a_correct_answer_there_is_no_threshold() -> None:
    labels = label(made_up()[2:])
    assert labels.threshold is None
    assert labels.categories == ("wrong", "wrong", "wrong", None)


def test_labels_do_not_depend_on_the_order() -> None:
    forward, backward = label(made_up()), label(made_up()[::-1])
    assert forward.categories == backward.categories[::-1]


def test_groups_lose_no_record() -> None:
    records = made_up()
    labels = label(records)
    for by in ("category", "relation", "correct"):
        groups = group(records, labels, by)
        assert sum(len(g) for g in groups.values()) == len(records)
    assert list(group(records, labels, "category")) == ["FA", "AH", "UH", "unlabelled"]
    assert list(group(records, labels, "correct")) == ["correct", "wrong", "unlabelled"]
    assert list(group(records, labels, "relation")) == ["capital"]
    with pytest.raises(InputError, match="--by is"):
        group(records, labels, "colour")


def test_a_run_is_labelled_by_what_is_asked_for_now() -> None:
    run = run_of(records=made_up())
    assert run.labels() is run.labels(), "worked out once"
    assert run.labels() == label(run.records)
    asked = replace(run, labelling=Labelling(reliance_threshold=0.35))
    assert asked.labels() == label(run.records, threshold=0.35)
    assert list(asked.groups("category")) == [*asked.categories(), "unlabelled"]
