"""Whether an answer names what a prompt accepts: text in, the name that was found out.

A name is found as whole words. What a word is depends on its script: Latin, Greek, Cyrillic, Indic
and most others separate words; Korean, Arabic and Hebrew attach particles to them; Chinese and
Japanese write none apart, so a name ends there where another kind of character or a function word
begins; Thai, Lao, Khmer and Burmese leave only that syllables stay whole.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import regex

from mlxjsd.analysis import particles
from mlxjsd.analysis.negation import is_negated
from mlxjsd.analysis.spelling import (
    has_points,
    spelled,
    spellings,
    without_case,
    without_points,
)
from mlxjsd.sentences import first_sentence

#: Letters of a name up to which its case counts: IN is India, and "in" is not.
SHORT = 3
#: Scripts whose words are not separated, or carry particles.
_ATTACHED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー"
#: What goes on with a word of any other script.
_INSIDE = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_ATTACHED}]]"
_KINDS = {
    "han": regex.compile(r"\p{Han}"),
    "hiragana": regex.compile(r"\p{Hiragana}"),
    "katakana": regex.compile(r"[\p{Katakana}ー]"),
    "hangul": regex.compile(r"\p{Hangul}"),
    "syllables": regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"),
    "semitic": regex.compile(r"[\p{Arabic}\p{Hebrew}]"),
    "number": regex.compile(r"\d"),
}
_WORDS = regex.compile(
    r"(?:(?<![\p{L}\p{M}\p{N}])-)?\d+(?:\.\d+)*(?![\p{L}\p{M}])|[\p{L}\p{M}\p{N}]+[+#]*"
)
_SQUEEZED = regex.compile(r"[^\p{L}\p{M}\p{N}+#]+")
_LETTERS = regex.compile(r"\p{L}")
_ONLY_LETTERS = regex.compile(r"[\p{L}\p{M}\s.'-]+")
#: Articles in front: English ones in any case, others where their lower case says that they are
#: no part of the name, as in "la Seine", but not in "La Paz".
_THE = regex.compile(
    r"(?i:the)\s+(?=\S)|(?:l'|(?:la|le|les|der|die|das|el|los|las|il|lo)\s+)(?=\S)"
)
_A = regex.compile(r"(?i:an?)\s+(?=\S)")
_IN_FRONT = regex.compile(
    r"[\s\p{P}]*(?:(?:the|an?|la|le|les|der|die|das|el|los|las|il|lo|η|ο|το)\s+|l')?[\s\p{P}]*"
)
_NOTHING = regex.compile(r"[\s\p{P}]*(?:the\s+)?")
#: Words that make another name of the one that follows.
_MODIFIERS = "New|North|South|East|West|Inner|American|Equatorial|Democratic|People's"
_OTHER_NAME = regex.compile(rf"(?<![\p{{L}}\p{{M}}])(?:{_MODIFIERS}) $|\p{{Lu}}[\p{{L}}\p{{M}}]*-$")
#: English words that say nothing of what is to follow, so a first token that is one counts not.
_FUNCTION_WORDS = {
    *("a", "an", "the", "i", "it", "he", "she", "we", "my", "so", "do", "be", "if", "no", "not"),
    *("in", "at", "on", "to", "as", "of", "or", "by", "is", "are", "was", "and"),
}


@dataclass(frozen=True)
class Found:
    """What was found in an answer."""

    name: str | None
    """The first accepted name that the answer gives; None if it gives none."""
    negated: str | None = None
    """A name that stands there, but is negated."""


@dataclass(frozen=True)
class _Way:
    """One way to write a name."""

    text: str
    """Its spelling; without case where that does not count."""
    cased: bool
    """Whether case counts."""
    named: bool
    """Whether it begins with a capital letter, as part of a longer name would."""
    in_front: bool = False
    """Whether it may only begin an answer."""

    @cached_property
    def letters(self) -> str:
        """What an answer must hold for the pattern to be worth making: most hold nothing of it."""
        return _SQUEEZED.sub("", self.text).lstrip("+#")

    @cached_property
    def pattern(self) -> "regex.Pattern[str]":
        """Finds it as ``name``."""
        return _pattern(self.text)


class _Text:
    """An answer in one of its spellings."""

    def __init__(self, text: str) -> None:
        self.cased, self.folded = text, without_case(text)
        self.letters = {
            True: _SQUEEZED.sub("", self.cased),
            False: _SQUEEZED.sub("", self.folded),
        }


def find(names: "tuple[str, ...]", answer: str, prefix: bool = False) -> Found:
    """Look for the first of ``names`` that stands in the first sentence of ``answer``.

    Args:
        names: accepted ones.
        answer: what the model has written.
        prefix: whether it has to begin with the name; an article may stand in front.
    """
    negated = None
    sentence = first_sentence(answer)
    texts = [_Text(text) for text in spellings(sentence)]
    bare = texts
    if has_points(sentence):
        bare = [_Text(without_points(text)) for text in spellings(sentence)]
    for name in names:
        for text in texts if has_points(name) else bare:
            for way in _ways(name):
                if way.letters in text.letters[way.cased]:
                    said = _said(way, text, prefix)
                    if said:
                        return Found(name)
                    if said is False:
                        negated = negated or name
    return Found(None, negated)


def _said(way: _Way, text: _Text, prefix: bool) -> bool | None:
    """Say whether a name is said in a text: True, False where it is negated, None if not."""
    found = None
    for match in way.pattern.finditer(text.cased if way.cased else text.folded, overlapped=True):
        start, end = match.span("name")
        if prefix and not _IN_FRONT.fullmatch(text.folded, 0, match.start()):
            continue
        if way.in_front and not _NOTHING.fullmatch(text.folded, 0, match.start()):
            continue
        if way.named and (
            _OTHER_NAME.search(text.cased, 0, start)
            or (text.cased[end : end + 1] == "-" and text.cased[end + 1 : end + 2].isupper())
        ):
            continue
        if not is_negated(text.folded, match.start(), end):
            return True
        found = False
    return found


def begins(names: "tuple[str, ...]", token: str) -> str | None:
    """Return the first of ``names`` that a predicted token begins, or gives whole; None if none.

    One letter begins too many names, and an article or another function word all of them: such a
    token counts only as the whole name. In scripts whose characters are syllables or words, one
    is enough. Case counts up to three letters, as it does in names.
    """
    said = spelled(token).strip()
    if found := find(names, token, prefix=True).name:
        return found
    letters = _LETTERS.findall(said)
    cased = len(letters) <= SHORT
    one_is_enough = bool(said) and regex.match(rf"(?V1)[{_ATTACHED}]", said) is not None
    low = said.casefold()
    # "And" begins Andrew, since a capital letter stands there for a name; so short a word as "In",
    # or an article, says too little all the same.
    if low in _FUNCTION_WORDS and (said == low or len(said) < SHORT or low == "the"):
        return None
    if not said or (not one_is_enough and len(_SQUEEZED.sub("", said)) < 2):
        return None
    for name in names:
        for spelling in spellings(name):
            for core in (spelling, _core(spelling)):
                whole, start = (core, said) if cased else (without_case(core), without_case(said))
                if whole.startswith(start):
                    return name
    return None


def key_of(name: str) -> str:
    """Return what is the same of two spellings of one name, the article in front left out."""
    spelling = spelled(name)
    core = _core(spelling)
    letters = len(_LETTERS.findall(core))
    return _SQUEEZED.sub(" ", core if letters <= SHORT else without_case(core)).strip()


def is_name(text: str) -> bool:
    """Say whether there is something in an accepted answer that can be looked for."""
    return bool(_ways(text))


def _core(spelling: str) -> str:
    """Return a name without the article in front of it."""
    for article in (_THE, _A):
        if found := article.match(spelling):
            return spelling[found.end() :]
    return spelling


@lru_cache(maxsize=1 << 16)
def _ways(name: str) -> "tuple[_Way, ...]":
    """Return the ways in which a name can be written; none for one without a letter or digit."""
    found: list[_Way] = []
    for spelling in spellings(name):
        found += _with_article(spelling)
        if spelling.startswith("ال") and len(spelling) > 4:
            found.append(_way(spelling[2:], cased=False))
    return tuple(way for way in found if _WORDS.search(way.text))


def _with_article(spelling: str) -> list[_Way]:
    letters = _LETTERS.findall(spelling)
    short = len(letters) <= SHORT and bool(_ONLY_LETTERS.fullmatch(spelling))
    ways = [_way(spelling, short)]
    if article := _THE.match(spelling):
        core = spelling[article.end() :]
        # Without its article, "The Band" is not any band; at the beginning it is.
        ways.append(_way(core, cased=True))
        if len(_LETTERS.findall(core)) > SHORT:
            ways.append(_way(core, cased=False, in_front=True))
    elif article := _A.match(spelling):
        core = spelling[article.end() :]
        ways.append(_way(core, cased=len(_LETTERS.findall(core)) <= SHORT, in_front=True))
    if short and len(letters) == SHORT and spelling.islower() and spelling not in _FUNCTION_WORDS:
        # A sentence begins with a capital letter: "Red." is red.
        ways.append(_way(spelling.capitalize(), cased=True, in_front=True))
    return ways


def _way(spelling: str, cased: bool, in_front: bool = False) -> _Way:
    text = spelling if cased else without_case(spelling)
    return _Way(text, cased, spelling[:1].isupper(), in_front)


def _pattern(text: str) -> "regex.Pattern[str]":
    """Return the pattern of a name, at least a word, with what has to be around it."""
    words = list(_WORDS.finditer(text))
    parts = [_word(words[0][0])]
    for before, after in pairwise(words):
        between = text[before.end() : after.start()]
        parts += [_between(between, before[0], after[0]), _word(after[0])]
    left, right = _left(words[0][0]), _right(words[-1][0])
    if len(words) == 1 and len(words[0][0]) == 1 and _KINDS["han"].match(words[0][0]):
        left, right = particles.AROUND_ONE_HAN
    return regex.compile(rf"(?V1){left}(?P<name>{''.join(parts)}){right}")


def _word(word: str) -> str:
    """Return the pattern of a word: inside of one of letters, signs may stand or be missing."""
    if regex.fullmatch(r"(?V1)[\p{Latin}\p{Greek}\p{Cyrillic}]{4,}", word):
        return "['-]?".join(word)
    if regex.fullmatch(r"[\p{Katakana}ー]+", word):
        return "[・=-]?".join(word)
    return (
        "[·・]?".join(map(regex.escape, word)) if _KINDS["han"].match(word) else regex.escape(word)
    )


def _between(sign: str, before: str, after: str) -> str:
    """Return the pattern of what stands between two words of a name."""
    if not sign:
        return ""
    both_numbers = before[-1].isdigit() and after[0].isdigit()
    joins = sign in ("-", "'", "/", "·", "・", "=") and not both_numbers
    return r"[\s\p{P}=]*" if joins else r"[\s\p{P}]+"


def _kind(char: str) -> str:
    return next((kind for kind, pattern in _KINDS.items() if pattern.match(char)), "spaced")


def _left(word: str) -> str:
    """Return what has to be in front of a name that begins with ``word``."""
    kind = "number" if word[0] == "-" else _kind(word[0])
    if kind in particles.BEFORE:
        return particles.BEFORE[kind]
    if kind == "semitic":
        clitics = particles.CLITICS if len(word) >= 3 else ""
        return rf"(?<!{_INSIDE}){clitics}"
    if kind == "number":
        return rf"(?<!{_INSIDE})(?<!\d[.,])(?<![\s(]-|^-)" if word[0] != "-" else rf"(?<!{_INSIDE})"
    return rf"(?<!{_INSIDE})"


def _right(word: str) -> str:
    """Return what has to follow a name that ends with ``word``."""
    if word[-1] in "+#":
        return rf"(?![+#]|[{_INSIDE}--\p{{N}}])"
    kind = _kind(word[-1])
    if kind in particles.AFTER:
        return particles.AFTER[kind]
    number = r"(?![.,]\d)" if kind == "number" else ""
    return rf"(?!{_INSIDE}|[+#]){number}"
