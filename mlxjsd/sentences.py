"""Where a sentence ends, in any script: an answer is what a model writes up to there.

Generation stops there, and an answer is judged as far as there, so both ask this one module.
"""

import regex

#: A full stop after one of these ends no sentence.
_ABBREVIATIONS = {"st", "mt", "dr", "mr", "mrs", "ms", "jr", "sr", "no", "vs", "prof", "gen"}
#: Unicode says which signs end a sentence. Those that are written inside of numbers and names as
#: well do it in front of a space or at the end alone; a closing quote may stand between.
_END = regex.compile(
    r"(?V1)[.!?．](?=[\p{Pe}\p{Pf}\"'*_]*(?:\s|$))|[\p{STerm}--[.!?．]]|(?<=\p{Greek}\p{M}*);(?=\s|$)"
)
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}_]+")
#: With one of these a sentence begins, so that an initial in front of it is no initial of a name.
#: A whole word, since what a model has written so far may end inside of one.
_BEGINNING = regex.compile(
    r"[\p{Pe}\p{Pf}\"'*_]*\s+"
    r"(?:It|He|She|They|We|You|This|That|These|Those|The|There|Its|His|Her|Their)(?=[\s'’])"
)


def first_sentence(text: str) -> str:
    """Cut what a model wrote at the end of its first line or sentence.

    "H. G. Wells. He was" gives "H. G. Wells", "東京です。大阪は" gives "東京です".
    """
    line = _first_line(text)
    return line[: _sentence_end(line)].strip()


def sentence_ended(text: str) -> bool:
    """Say whether more text after this one would not change its first line or sentence."""
    line, text = _first_line(text), text.strip()
    end = _sentence_end(line)
    # A stop at the very end may yet turn out to be that of "3.5".
    return len(line) < len(text) or (end is not None and end + 1 < len(line))


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def _sentence_end(line: str) -> int | None:
    """Return where the first sentence's stop stands, or None if it does not end here."""
    for end in _END.finditer(line):
        words = _WORD.findall(line[: end.start()])
        if not words:
            continue  # dots before the first word
        last = words[-1]
        begins = _BEGINNING.match(line, end.end()) is not None
        initial = len(last) == 1 and last.isalpha() and not begins
        # "1. Paris" is a list's first line.
        number = len(words) == 1 and len(last) <= 2 and last.isdecimal() and not begins
        abbreviated = initial or number or last.casefold() in _ABBREVIATIONS
        if end.group() != "." or not abbreviated:
            return end.start()
    return None
