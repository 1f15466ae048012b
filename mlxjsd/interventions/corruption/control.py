"""A span that stands for the subject in a control: as long, and elsewhere."""

import hashlib

from mlxjsd.prompts.encode import Encoded


def control_span(prompt: Encoded) -> tuple[int, int]:
    """Return the tokens [from, to) of a prompt's control span; (0, 0) if it has none.

    It is as long as the subject, stands in front of the last token, and neither is nor touches
    the subject or a token for the beginning. Which of several it is, the prompt's id decides.
    """
    length = prompt.end - prompt.start
    first = prompt.begun + 1 if prompt.begun else 0
    spans = [
        start
        for start in range(first, len(prompt.tokens) - length)
        if start + length < prompt.start or start > prompt.end
    ]
    if not spans:
        return 0, 0
    key = hashlib.sha256(prompt.prompt.id.encode("utf-8", "surrogatepass")).digest()
    start = spans[int.from_bytes(key[:8], "big") % len(spans)]
    return start, start + length
