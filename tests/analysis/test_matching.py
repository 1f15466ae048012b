"""Answers are judged as a careful person would: a table of pairs judged by hand, and its rules."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from records import record

from mlxjsd.analysis.aliases import concerning, further_names, read_aliases
from mlxjsd.analysis.answers import is_correct, judge
from mlxjsd.analysis.matching import find, key_of
from mlxjsd.errors import InputError

TABLE = Path(__file__).parent / "data" / "judged.tsv"
COUNTRIES = read_aliases("countries")
#: Pairs that the rules are known to judge otherwise than a person.
KNOWN_MISSES = 8


class Pair(NamedTuple):
    language: str
    accepted: tuple[str, ...]
    answer: str
    right: str
    """yes; no; or aliases, which is yes with the countries' names and no without."""
    miss: bool


def pairs() -> list[Pair]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()[1:]
    cells = [line.split("\t") for line in lines]
    return [Pair(a, tuple(b.split("|")), c, d, bool(e)) for a, b, c, d, e in cells]


PAIRS = pairs()


def test_the_table_is_large_and_of_many_languages() -> None:
    assert len(PAIRS) >= 200
    assert len({(pair.accepted, pair.answer) for pair in PAIRS}) == len(PAIRS)
    counts = Counter(pair.language for pair in PAIRS)
    assert sum(count >= 5 for count in counts.values()) >= 14
    assert {pair.right for pair in PAIRS} == {"yes", "no", "aliases"}
    assert sum(pair.miss for pair in PAIRS) == KNOWN_MISSES


def judged(pair: Pair, aliases: bool) -> bool | None:
    one = record(0, answer=pair.answer, answers=pair.accepted)
    return is_correct(one, aliases=COUNTRIES if aliases else None)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p.language}-{p.accepted[0]}-{p.answer}")
def test_a_pair_is_judged_as_by_hand(pair: Pair) -> None:
    if pair.miss:
        assert judged(pair, aliases=False) is not (pair.right == "yes"), "no miss any more"
        return
    assert judged(pair, aliases=False) is (pair.right == "yes")
    assert judged(pair, aliases=True) is (pair.right != "no")


@pytest.mark.parametrize(
    ("accepted", "token", "right"),
    [
        ("Paris", " Par", True),
        ("Paris", " Paris", True),
        ("Paris", " par", False),
        ("Paris", " P", False),
        ("Paris", " Lon", False),
        ("Paris", " Parisian", False),
        ("Athens", " a", False),
        ("Athens", " A", False),
        ("Athens", " Ath", True),
        ("India", " in", False),
        ("India", " In", False),
        ("Italy", " It", False),
        ("New York", " New", True),
        ("Andrew Stanton", " And", True),
        ("android", " and", False),
        ("The Hague", " The", False),
        ("the Netherlands", " the", False),
        ("The Hague", " Hag", True),
        ("A", " A", True),
        ("A", " a", False),
        ("1945", " 194", True),
        ("5", " 5", True),
        ("C++", " C", False),
        ("東京", "東", True),
        ("東京", "東京", True),
        ("東京", "京", False),
        ("서울", "서", True),
        ("ガーナ", "カ", False),
        ("Москва", " Моск", True),
        ("Αθήνα", " Α", False),
        ("Paris", " ", False),
        ("Paris", ".", False),
    ],
)
def test_a_first_token_has_to_say_something_of_the_name(
    accepted: str, token: str, right: bool
) -> None:
    one = record(0, answers=(accepted,), answer=None, prediction=token)
    assert is_correct(one, "first-token") is right


@pytest.mark.parametrize(
    ("accepted", "answer", "right"),
    [
        ("Paris", "Paris, France", True),
        ("Paris", "the Paris of the north", True),
        ("Paris", "It is Paris", False),
        ("東京", "東京です", True),
        ("東京", "首都は東京です", False),
        ("Italie", "l'Italie", True),
        ("The Hague", "Hague", True),
        ("Paris", '"Paris"', True),
    ],
)
def test_a_prefix_may_have_an_article_in_front(accepted: str, answer: str, right: bool) -> None:
    assert is_correct(record(0, answers=(accepted,), answer=answer), "prefix") is right


def test_a_verdict_says_why() -> None:
    def why(answer: str | None, *accepted: str, match: str = "contains") -> str:
        one = record(0, answer=answer, answers=accepted, prediction=" Lon")
        return judge(one, match, COUNTRIES).why

    assert why("in Lyon", "Paris", "Lyon") == "accepted answer 'Lyon'"
    assert why("China", "PRC") == "alias 'China' of 'PRC' (countries)"
    assert why("not Paris", "Paris") == "negated: 'Paris'"
    assert why("Lyon", "Paris") == "no accepted answer is in it"
    assert why("Lyon", "Paris", match="prefix") == "no accepted answer is at its beginning"
    assert why(None, "Paris", match="first-token") == "no accepted answer is begun by its token"
    assert why("Lyon") == why("Lyon", "...") == "no accepted answer is known"
    assert why(None, "Paris") == "no answer was generated"


def test_names_are_tried_in_their_order() -> None:
    assert find(("Lyon", "Paris"), "Paris and Lyon").name == "Lyon"
    assert find(("Rome",), "Paris and Lyon").name is None


def test_every_country_is_there_once() -> None:
    sets = COUNTRIES.sets
    assert len(sets) >= 180, "and those with one name alone are not"
    keys = [key for names in sets for key in {key_of(name) for name in names}]
    assert len(set(keys)) == len(keys), "no name stands for two"
    assert further_names(("America",), COUNTRIES)["United States"] == "America"


def test_a_run_keeps_the_sets_of_its_own_answers_alone() -> None:
    kept = concerning(COUNTRIES, [("Burma",), ("Paris",)])
    assert kept is not None
    assert [names[1] for names in kept.sets] == ["Myanmar"]
    assert (kept.name, kept.sha256) == (COUNTRIES.name, COUNTRIES.sha256)
    assert concerning(None, [("Burma",)]) is None
    assert further_names(("Burma",), kept) == further_names(("Burma",), COUNTRIES)


def test_a_file_of_names_is_read(tmp_path: Path) -> None:
    path = tmp_path / "names.tsv"
    path.write_text("# rivers\nRhine | Rhein\tRhin\n\nAlone\n", encoding="utf-8")
    found = read_aliases(str(path))
    assert found.sets == (("Rhine", "Rhein", "Rhin"),)
    assert found.name == "names.tsv"
    one = record(0, answer="der Rhein", answers=("Rhine",))
    assert (is_correct(one), is_correct(one, aliases=found)) == (False, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"A\xff\tB", "is not UTF-8"),
        (b"Rhine\t...", "line 1 of .* holds something that is no name"),
        (b"Rhine\n", "names nothing twice"),
        (b"", "names nothing twice"),
        (None, "cannot read the names"),
    ],
)
def test_a_file_without_names_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "names.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_aliases(str(path))
