"""What is odd about where a prompt's subject stands: measured all the same, and reported."""

from collections.abc import Collection

#: The subject begins with the first token of all. Models park attention there, whatever it is,
#: so corrupting it corrupts more than the subject.
AT_POSITION_0 = "at-position-0"
#: The text holds the subject again, at a place where nothing is edited.
OCCURS_TWICE = "occurs-twice"

_SENTENCES = {
    AT_POSITION_0: "the subject is the first token of all, where attention sinks",
    OCCURS_TWICE: "the subject occurs more than once, and only one place is edited",
}


def flag_sentences(flags: Collection[tuple[str, ...]]) -> list[str]:
    """Return a sentence for each flag among ``flags``, those of each prompt."""
    said = []
    for flag, meaning in _SENTENCES.items():
        if count := sum(flag in found for found in flags):
            said.append(f"In {count} of {len(flags)} prompts {meaning} ({flag}).")
    return said
