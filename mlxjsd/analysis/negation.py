"""Whether a name in an answer is negated, in front of it or, as in Japanese, behind it."""

import regex

#: Words that negate what follows, in their spelling without accents.
_BEFORE = {
    *("not", "never", "no", "nor", "neither", "without", "instead", "except", "unlike", "cannot"),
    *("nicht", "nie", "kein", "keine", "keinen", "niet", "geen", "inte", "ikke"),
    *("pas", "jamais", "nunca", "nao", "non", "mai"),
    *("не", "ни", "δεν", "οχι", "ουτε", "khong", "bukan", "tidak"),
    *("لا", "ليس", "ليست", "لم", "לא", "אינה", "אינו", "איננה"),
}
#: After one of these a negation takes nothing back: "not only Paris".
_NO_NEGATION = {"only", "just", "other", "doubt", "less", "nur", "seulement", "solo", "solamente"}
#: What begins a clause of its own, so that a negation in front does not reach over it.
_CLAUSE = regex.compile(
    r"[,;:.!?()\[\]\"…、。，；：？！،؛؟»«]| - "
    r"|(?<!\p{L})(?:but|rather|sondern|mais|sino|pero|ma|bensi|а|но|αλλα)(?!\p{L})"
)
_WORD = regex.compile(r"[\p{L}\p{M}']+")
#: Words between a negation and what it negates.
_REACH = 5
_ATTACHED_BEFORE = regex.compile(r"(?:不是|并不是|並不是|并非|並非|绝非|而非|不在|ไม่ใช่)\s*$")
_AFTER = regex.compile(
    r"\s*(?:では|じゃ|で)(?:は)?(?:ない|なく|なか|ありません)"
    r"|(?:이|가|은|는)?\s*아[니닙닌]"
    r"|\s+(?:degil|नहीं|نیست|نيست)(?!\p{L})"
    r"|\s+(?:(?:is|was|are) not|(?:is|was|are)n't|ist nicht|n'est pas)(?!\p{L}| only| just)"
)


def is_negated(text: str, start: int, end: int) -> bool:
    """Say whether what stands at [start, end) of a text without case is negated."""
    if _AFTER.match(text, end):
        return True
    cuts = [mark.end() for mark in _CLAUSE.finditer(text, 0, start)]
    clause = text[cuts[-1] if cuts else 0 : start]
    if _ATTACHED_BEFORE.search(clause):
        return True
    words = _WORD.findall(clause)
    for at in range(max(0, len(words) - _REACH), len(words)):
        if not (words[at] in _BEFORE or words[at].endswith("n't")):
            continue
        if words[at + 1 : at + 2] and words[at + 1] in _NO_NEGATION:
            continue
        # In Portuguese "no Brasil" is in Brazil: a bare "no" negates where a clause begins.
        if words[at] == "no" and at == len(words) - 1 and at > 0:
            continue
        return True
    return False
