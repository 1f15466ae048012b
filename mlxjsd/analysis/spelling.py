"""One spelling for what people write in several ways, so that names can be compared.

Folded are: widths, accents of Latin, Greek and Cyrillic letters, digits of all scripts and their
groups, dotted initials, quotes and dashes. Marks of other scripts stay, since they are vowels and
consonants there: कुल is not काल, and ガ not カ.
"""

import unicodedata
from functools import lru_cache

import regex

#: Letters with a stroke, joined ones and the dotless i, which Unicode does not take apart.
_LETTERS = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ħ": "h", "Ħ": "H", "ı": "i"}
    | {"æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D"}
    | {"ß": "ss", "ẞ": "SS"}
    # Arabic: alef with and without hamza, and the letters that Persian writes otherwise.
    | {"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ـ": ""}
    | {"٫": ".", "٬": ","}
)
#: As German writes umlauts where it has none.
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "å": "aa", "Å": "Aa"}
)
_SIGNS = str.maketrans(
    dict.fromkeys("’ʼ‘ʻ`´′‛", "'") | dict.fromkeys("‐‑‒–—―−", "-") | {"&": " and "}
)
_ACCENTS = regex.compile(r"(?V1)([\p{Latin}\p{Greek}\p{Cyrillic}])\p{M}+")
_REPLACED = [
    (regex.compile(pattern), by)
    for pattern, by in (
        (r"\p{Cf}+", ""),
        # Acronyms in Hebrew: with a sign before the last letter, or without.
        (r"(?<=\p{Hebrew})[\"'״׳](?=\p{Hebrew})", ""),
        # Before a consonant of its own row, a nasal in Devanagari is as often written as a dot.
        (r"ङ्(?=[क-ङ])|ञ्(?=[च-ञ])|ण्(?=[ट-ण])|न्(?=[त-न])|म्(?=[प-म])", "ं"),
    )
]
#: Digit groups, all of three digits or, as in India, of two. One dot alone is that of a decimal.
_GROUPS = regex.compile(
    r"(?<![\d.,])(?:"
    r"\d{1,3}(?:,\d{3})+(?!,?\d)"
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?!,?\d)"
    r"|\d{1,3}(?P<g>[ '])\d{3}(?:(?P=g)\d{3})*(?!\d)"
    r"|\d{1,3}(?:\.\d{3}){2,}(?!\.?\d)"
    r")"
)
_DECIMAL_COMMA = regex.compile(r"(?<![\d.,])(\d+),(\d{1,2})(?![\d,]|\.\d)")
_CAPITAL = r"[\p{Lu}](?![\p{L}\p{M}\p{N}'+#])"
#: "U.S.A.", "H. G. Wells", "Ph.D."; and "H G Wells", where a surname follows.
_INITIALS = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}'.])(?:"
    rf"{_CAPITAL}(?:\. ?{_CAPITAL})+\.?"
    r"|(?:[\p{Lu}\p{Ll}]{1,2}\.){2,}(?:[\p{Lu}\p{Ll}]{1,2}(?![\p{L}\p{M}]))?"
    rf"|{_CAPITAL}(?: {_CAPITAL})+(?= \p{{Lu}}\p{{Ll}})"
    r")"
)
_POINTS = regex.compile(r"(?<=[\p{Arabic}\p{Hebrew}]\p{M}*)\p{M}")


@lru_cache(maxsize=1 << 16)
def spelled(text: str) -> str:
    """Return ``text`` in the one spelling, with its case; spaces and punctuation stay apart."""
    text = unicodedata.normalize("NFKC", text)
    if not text.isascii():
        apart = _ACCENTS.sub(r"\1", unicodedata.normalize("NFD", text))
        text = unicodedata.normalize("NFC", apart).translate(_LETTERS)
        text = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
    text = text.translate(_SIGNS)
    for pattern, by in _REPLACED if not text.isascii() else ():
        text = pattern.sub(by, text)
    text = _GROUPS.sub(lambda found: "".join(filter(str.isdigit, found[0])), text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = _INITIALS.sub(lambda found: regex.sub(r"[. ]", "", found[0]), text)
    return " ".join(text.split())


def spellings(text: str) -> tuple[str, ...]:
    """Return the spellings of ``text``: one, and another where it has umlauts."""
    composed = unicodedata.normalize("NFKC", text)
    spread = composed.translate(_UMLAUTS)
    return (spelled(text),) if spread == composed else (spelled(text), spelled(spread))


def without_case(text: str) -> str:
    """Return a spelling without case, character by character: places in it stay where they are."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return "".join(f if len(f := c.casefold()) == 1 else c for c in text)


def has_points(text: str) -> bool:
    """Say whether Arabic or Hebrew is written with the vowels that are mostly left out."""
    return _POINTS.search(text) is not None


def without_points(text: str) -> str:
    """Leave them out."""
    return _POINTS.sub("", text)
