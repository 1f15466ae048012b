"""What a run measures, as one immutable value that every part receives whole."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mlxjsd import messages
from mlxjsd.errors import InputError

CORRUPTIONS = ("noise", "swap")


@dataclass(frozen=True)
class Settings:
    """How prompts are put and corrupted, and which edits are made: what changes the numbers."""

    corruption: str = "noise"
    """How the subject is spoiled: ``noise`` (Meng et al. 2022) or ``swap`` (Zhang & Nanda 2024)."""
    noise_level: float = 3.0
    """Deviation of the noise, in standard deviations of the subject tokens' embeddings."""
    noise_samples: int = 1
    """Draws of noise for each prompt; a cell is the mean over them."""
    window: int = 5
    """Blocks in which attention is knocked out around a layer; 0 knocks out nothing."""
    seed: int = 0
    """Of the noise, and of the choice of partners."""
    prompt_template: str | None = None
    """Words around every prompt, which stands at its ``{prompt}``; None for none."""
    chat: bool = False
    """Whether prompts are put as a user's turn, in the model's own chat template."""

    def __post_init__(self) -> None:
        if self.corruption not in CORRUPTIONS:
            raise InputError(
                messages.CORRUPTION(known=" or ".join(CORRUPTIONS), given=self.corruption)
            )
        if not 0 < self.noise_level < float("inf"):
            raise InputError(messages.NOISE_LEVEL(given=self.noise_level))
        if self.noise_samples < 1:
            raise InputError(messages.NOISE_SAMPLES(given=self.noise_samples))
        if self.window < 0:
            raise InputError(messages.WINDOW(given=self.window))
        if self.prompt_template is not None:
            check_template(self.prompt_template)

    @property
    def samples(self) -> int:
        """Corrupted runs for each prompt: a swap has one."""
        return self.noise_samples if self.corruption == "noise" else 1

    @property
    def framing(self) -> str:
        """Say what is put around the prompts, as ", chat"; "" for nothing."""
        template = ", prompt template" if self.prompt_template is not None else ""
        return template + (", chat" if self.chat else "")

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Settings":
        """Build settings from :meth:`to_json`; unknown names are refused."""
        names = {field.name for field in fields(cls)}
        if unknown := set(values) - names:
            raise InputError(messages.UNKNOWN_SETTINGS(names=", ".join(sorted(unknown))))
        return cls(**values)


#: Where the prompt stands.
GAP = "{prompt}"


def check_template(template: str) -> None:
    """Raise ``InputError`` for a template that cannot be filled in."""
    if template.count(GAP) != 1:
        raise InputError(messages.PROMPT_TEMPLATE(gap=GAP, given=template[:80]))
    try:
        template.encode()
    except UnicodeEncodeError:
        raise InputError(messages.TEMPLATE_NOT_UTF8()) from None


#: What counts as right; see :func:`mlxjsd.analysis.answers.is_correct`.
MATCHES = ("contains", "prefix", "first-token")
#: What prompts can be parted by.
GROUPINGS = ("category", "relation", "correct")


@dataclass(frozen=True)
class Labelling:
    """How answers are generated and sorted."""

    max_tokens: int | None = 10
    """Most tokens of an answer; None generates none, and nothing is labelled."""
    match: str = "contains"
    """See :func:`mlxjsd.analysis.answers.is_correct`."""
    reliance_threshold: float | None = None
    """In nats; None for the mean over the FA prompts."""

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise InputError(messages.ANSWER_TOKENS(given=self.max_tokens))
        if self.match not in MATCHES:
            raise InputError(messages.MATCH(known=", ".join(MATCHES), given=self.match))
