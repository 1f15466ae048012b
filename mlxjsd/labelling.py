"""How answers are asked for and sorted, as one immutable value."""

from dataclasses import dataclass

from mlxjsd import messages
from mlxjsd.errors import InputError

#: What counts as right; see :func:`mlxjsd.knowledge.is_correct`.
MATCHES = ("contains", "prefix", "first-token")
#: What prompts can be parted by.
GROUPINGS = ("category", "relation", "correct")


@dataclass(frozen=True)
class Labelling:
    """How answers are generated and sorted."""

    max_tokens: int | None = 10
    """Most tokens of an answer; None generates none, and nothing is labelled."""
    match: str = "contains"
    """See :func:`mlxjsd.knowledge.is_correct`."""
    reliance_threshold: float | None = None
    """In nats; None for the mean over the FA prompts."""

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InputError(messages.ANSWER_TOKENS(given=self.max_tokens))
        if self.match not in MATCHES:
            raise InputError(messages.MATCH(known=", ".join(MATCHES), given=self.match))
