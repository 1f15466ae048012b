"""Text at a known width, and numbers; what makes text harmless stands in :mod:`mlxjsd.text`."""

import re

from rich.text import Text

from mlxjsd import row_names
from mlxjsd.corruptions import CORRUPTIONS
from mlxjsd.metrics import Metric
from mlxjsd.settings import Settings
from mlxjsd.text import clean, size_of

__all__ = [
    "amount", "bare", "clean", "clock", "corruption_of", "digits_for", "fitted", "hundredths",
    "number", "row_label", "size_of",
]  # fmt: skip


def fitted(text: str, width: int, style: str = "") -> Text:
    """Return ``text`` cut or padded to ``width`` columns."""
    line = Text(clean(text), style=style, no_wrap=True, end="")
    line.truncate(width, overflow="ellipsis", pad=True)
    return line


def clock(seconds: float) -> str:
    """Return a duration as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def row_label(key: str) -> str:
    """Return a row's label; a run file may name a row that is not known here."""
    return clean(row_names.label(key))


def amount(value: float, metric: Metric) -> str:
    """Return a number in full, with its unit: ``0.4213 nats``."""
    return f"{value:{'+' if metric.signed else ''}.4f} {clean(metric.unit)}".rstrip()


def number(value: float, columns: int, digits: int = 2, signed: bool = False) -> str:
    """Return a number with as many of ``digits`` decimals as fit, or "" where none does.

    A zero in front of the point gives way first; beside a sign there is none.
    """
    for kept in range(digits, -1, -1):
        said = f"{value:{'+' if signed else ''}.{kept}f}"
        for form in (bare(said),) if signed else (said, bare(said)):
            if len(form) <= columns:
                return form
    return ""


def digits_for(high: float) -> int:
    """Return how many decimals tell the numbers of a scale apart that goes so far."""
    for digits, least in ((0, 100.0), (1, 10.0), (2, 0.1), (3, 0.01)):
        if high >= least:
            return digits
    return 4


def hundredths(value: float) -> str:
    """Return a number below 1 as two digits."""
    return f"{min(round(value * 100), 99):02d}"


def bare(said: str) -> str:
    """Return a number without the zero in front of its point."""
    return re.sub(r"^([+-]?)0(?=\.)", r"\1", said)


def corruption_of(settings: Settings) -> str:
    """Say how subjects are corrupted: ``noise 3σ ×2``."""
    corruption = CORRUPTIONS[settings.corruption]
    said = corruption.title.format(level=settings.noise_level).replace("$\\sigma$", "σ")
    return f"{said} ×{settings.samples}" if settings.samples > 1 else said
