"""What all readers end with: the prompt of a record."""

import hashlib
import sys

from mlxjsd.prompts.prompt import Counterfactual, Prompt, find_subject


def made(
    text: str,
    subject: str,
    *,
    start: int | None,
    answers: tuple[str, ...],
    relation: str | None,
    name: str | None = None,
    popularity: float | None = None,
    counterfactual: Counterfactual | None = None,
) -> tuple[Prompt, bool]:
    """Return a prompt, and whether its id is its own: without one it is named after its content."""
    if relation is not None:
        relation = sys.intern(relation)  # a file has few of them, and says each very often
    called = name
    if called is None:
        called = hashlib.sha256(f"{text}\0{subject}\0{start}".encode()).hexdigest()[:12]
    prompt = Prompt(called, text, subject, start, answers, relation, popularity, counterfactual)
    return prompt, name is not None


def place(text: str, subject: str) -> int | None:
    """Return where the subject stands, whole words before parts of words; None if nowhere."""
    at = find_subject(text, subject)
    return at if at >= 0 else None
