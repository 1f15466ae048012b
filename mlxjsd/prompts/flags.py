"""What is odd about where a prompt's subject stands: measured all the same, and reported."""

from collections.abc import Collection

#: The subject begins with the first token of all. Models park attention there, whatever it is,
#: so corrupting it corrupts more than the subject.
AT_POSITION_0 = "at-position-0"
#: The text holds the subject again, at a place where nothing is edited.
OCCURS_TWICE = "occurs-twice"
#: The text ends in a space. Most tokenizers put the space in front of the next word, so what they
#: were trained on hardly ever goes on from here with a word.
ENDS_IN_SPACE = "ends-in-space"
#: The text ends as a sentence does, so that the next word begins another one.
ENDS_A_SENTENCE = "ends-a-sentence"
#: The text ends in a gap that other models are asked to fill in, which this one has to read.
ENDS_IN_A_GAP = "ends-in-a-gap"

_SENTENCE_ENDS = tuple(".?!…。？！؟।")
_GAPS = ("[MASK]", "<mask>", "<MASK>", "[Y]", "___", "<extra_id_0>")

_SENTENCES = {
    AT_POSITION_0: "the subject is the first token of all, where attention sinks",
    OCCURS_TWICE: "the subject occurs more than once, and only one place is edited",
    ENDS_IN_SPACE: "the text ends in a space, which belongs in front of the answer's own token",
    ENDS_A_SENTENCE: "the text ends like a sentence, and no answer follows one; "
    "a template such as 'Question: {prompt} Answer:' asks for one",
    ENDS_IN_A_GAP: "the text ends in a gap to be filled in, and the model goes on behind it",
}


def ending_flags(text: str) -> tuple[str, ...]:
    """Return what is odd about how a text ends, as the model reads it."""
    flags = (ENDS_IN_SPACE,) if text != text.rstrip() else ()
    whole = text.rstrip().rstrip("\"'”’»)")
    if text.rstrip().endswith(_GAPS):
        return (*flags, ENDS_IN_A_GAP)
    return (*flags, ENDS_A_SENTENCE) if whole.endswith(_SENTENCE_ENDS) else flags


def flag_sentences(flags: Collection[tuple[str, ...]]) -> list[str]:
    """Return a sentence for each flag among ``flags``, those of each prompt."""
    said = []
    for flag, meaning in _SENTENCES.items():
        if count := sum(flag in found for found in flags):
            said.append(f"In {count} of {len(flags)} prompts {meaning} ({flag}).")
    return said


def said_of_one(flags: Collection[str]) -> list[str]:
    """Return a sentence for each flag of a single prompt."""
    said = (meaning for flag, meaning in _SENTENCES.items() if flag in flags)
    return [f"{meaning[0].upper()}{meaning[1:]}." for meaning in said]
