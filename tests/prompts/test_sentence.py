"""One typed sentence: where its subject is, and what is wrong with it."""

import pytest

from mlxjsd.errors import InputError
from mlxjsd.model.loaded import LoadedModel
from mlxjsd.prompts.sentence import read_sentence, sentence_of_tokens, without_marks


@pytest.mark.parametrize(
    ("typed", "text", "subject", "start"),
    [
        ("The [Eiffel Tower] is in", "The Eiffel Tower is in", "Eiffel Tower", 4),
        ("[Paris] is in", "Paris is in", "Paris", 0),
        ("The[ Eiffel Tower ]is in", "The Eiffel Tower is in", "Eiffel Tower", 4),
        (r"See \[1\]: the [Louvre] is in", "See [1]: the Louvre is in", "Louvre", 13),
        (r"The [Louvre \[Paris\]] is in", "The Louvre [Paris] is in", "Louvre [Paris]", 4),
        (r"In C:\x the [Louvre] is in", r"In C:\x the Louvre is in", "Louvre", 12),
        ("Niger, the [Niger], is in", "Niger, the Niger, is in", "Niger", 11),
        ("東京[タワー]は", "東京タワーは", "タワー", 2),
    ],
)
def test_brackets_mark_the_subject(typed: str, text: str, subject: str, start: int) -> None:
    found = read_sentence(typed)
    assert (found.text, found.subject, found.start) == (text, subject, start)
    assert found.prompt().place() == (start, start + len(subject))


def test_a_subject_may_be_named_instead() -> None:
    assert read_sentence("Nigerian and Niger are", "Niger").start == 13, "a whole word"
    assert read_sentence(r"See \[1\]: Niger is", "Niger").text == "See [1]: Niger is"
    assert without_marks("Niger is") == ("Niger is", None)


@pytest.mark.parametrize(
    ("typed", "subject", "said"),
    [
        ("The tower is", None, "no subject is marked"),
        ("", None, "no subject is marked"),
        ("The [tower] in [Paris] is", None, "two subjects are marked"),
        ("The [[tower]] is", None, "a bracket opens inside of another one"),
        ("The [tower is", None, "does not close"),
        ("The tower] is", None, "a bracket closes that none has opened"),
        ("The [] is", None, "is empty"),
        ("The [ \t] is", None, "is empty"),
        ("The [tower]", None, "the sentence ends with its subject"),
        ("The [tower] \n", None, "the sentence ends with its subject"),
        ("The [tower] is", "tower", "both in brackets and named"),
        ("The tower is", "castle", "is not in the sentence"),
        ("The tower is", "", "is empty"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(typed: str, subject: str | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_sentence(typed, subject)


def test_a_subject_is_chosen_by_its_tokens(bundled: LoadedModel) -> None:
    text, encoder = "The capital of Ghana is", bundled.encoder
    places = encoder.places(text)
    assert [text[a:b].strip() for _, a, b in places] == [
        "", "The", "capital", "of", "G", "han", "a", "is"
    ]  # fmt: skip
    assert sentence_of_tokens(text, encoder, 4, 6).subject == "Ghana"
    for first, last in ((4, 8), (6, 4), (-1, 3)):
        with pytest.raises(InputError, match="there are no tokens"):
            sentence_of_tokens(text, encoder, first, last)
    with pytest.raises(InputError, match="is empty"):
        sentence_of_tokens(text, encoder, 0, 0)
    with pytest.raises(InputError, match="ends with its subject"):
        sentence_of_tokens(text, encoder, 4, 7)
