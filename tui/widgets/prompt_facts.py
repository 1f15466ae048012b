"""What else is known of a prompt, a line each."""

from collections.abc import Sequence

from rich.cells import cell_len

from mlxjsd.prompts.flags import flag_sentences
from mlxjsd.records import Record
from mlxjsd.tui.text import clean


def facts_of(record: Record, partner: Record | None = None) -> list[str]:
    """Return what is known of a prompt beside its numbers.

    Args:
        record: of the prompt.
        partner: whose subject was put in the place of its own; None if it was not measured.
    """
    facts = [f"entropy {record.entropy:.2f} nats"]
    if record.relation:
        facts.append(f"relation {record.relation}")
    if record.popularity is not None:
        facts.append(f"popularity {record.popularity:g}")
    if (named := record.source.get("id")) is not None:
        subject = record.source.get("subject") or (partner.subject if partner else None)
        facts.append(f"partner {subject} ({named})" if subject else f"partner {named}")
    for sentence in flag_sentences([record.flags]):
        facts.append(f"odd: {sentence.removeprefix('In 1 of 1 prompts ')}")
    return [clean(fact) for fact in facts]


def in_lines(facts: Sequence[str], width: int) -> str:
    """Return facts beside each other, in lines of at most ``width`` columns; none is broken."""
    lines: list[str] = []
    for fact in facts:
        if lines and cell_len(lines[-1]) + 2 + cell_len(fact) <= width:
            lines[-1] += f"  {fact}"
        else:
            lines.append(fact)
    return "\n".join(lines)
