"""What a run measures, as one immutable value that every part receives whole."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

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
                f"corruption is {' or '.join(CORRUPTIONS)}, not {self.corruption!r}",
                hint="give one of them with --corruption",
            )
        if not 0 < self.noise_level < float("inf"):
            raise InputError(
                f"the noise level must be a positive number, not {self.noise_level}",
                hint="give one with --noise-level, such as 3",
            )
        if self.noise_samples < 1:
            raise InputError(
                f"at least one noise sample is needed, not {self.noise_samples}",
                hint="give 1 or more with --noise-samples",
            )
        if self.window < 0:
            raise InputError(
                f"the knockout window cannot be negative: {self.window}",
                hint="give 0 or more with --window",
            )
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
            raise InputError(
                f"unknown settings: {', '.join(sorted(unknown))}",
                hint="bring mlxjsd up to date, since a newer one wrote them",
            )
        return cls(**values)


#: Where the prompt stands.
GAP = "{prompt}"


def check_template(template: str) -> None:
    """Raise ``InputError`` for a template that cannot be filled in."""
    if template.count(GAP) != 1:
        raise InputError(
            f"the prompt template must hold {GAP} once, as in 'Question: {GAP}\\nAnswer:', "
            f"not {template[:80]!r}",
            hint="put the gap where prompts stand",
        )
    try:
        template.encode()
    except UnicodeEncodeError:
        raise InputError("the prompt template is not UTF-8 text", hint="type it anew") from None


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
            raise InputError(
                f"an answer has at least one token, not {self.max_tokens}",
                hint="give 1 or more with --max-tokens, or --no-label",
            )
        if self.match not in MATCHES:
            raise InputError(
                f"--match is {', '.join(MATCHES)}, not {self.match!r}", hint="give one of them"
            )
