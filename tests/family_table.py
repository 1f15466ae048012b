"""Writes the README's list of families: ``python tests/family_table.py``.

The lists are those of ``families`` and ``part_families``, each of whose entries is a test.
"""

from collections import defaultdict
from pathlib import Path

from families import ONE_PASS, PLAIN, REFUSED
from part_families import BEHIND_NORMS, MEASURED, MIXERS, NO_PARTS, SCALED, SINGLE

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- families -->\n", "<!-- end of families -->\n"


def table() -> str:
    """Return the list as Markdown."""
    lines = [
        f"**One pass** ({len(ONE_PASS)}): {_names(ONE_PASS)}.",
        f"**Plain path** ({len(PLAIN)}): {_by_reason(PLAIN)}.",
        f"**Refused** ({len(REFUSED)}): {_by_reason({f: why for f, (_, why) in REFUSED.items()})}.",
        _parts(),
    ]
    return "\n\n".join(lines) + "\n"


def _parts() -> str:
    """Return of which families attention and MLP of each block are found."""
    found = [family for family in MEASURED if family not in NO_PARTS]
    where = ", all of the one pass among them" if set(ONE_PASS) <= set(found) else ""
    lists = [
        f"**Attention and MLP** are found in {len(found)} of these {len(MEASURED)}{where};",
        f"what enters the residual stream is a norm's output in {_names(BEHIND_NORMS)}, and",
        f"scaled in {_names(SCALED)};",
        f"some blocks mix tokens without attention in {_names(MIXERS)};",
        f"a block is one part in {_names(SINGLE)}.",
        f"Not applicable: {_by_reason(NO_PARTS)}.",
    ]
    return " ".join(lists)


def _names(families: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(families, key=str.casefold))


def _by_reason(families: dict[str, str]) -> str:
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    for name, why in families.items():
        reasons[why].append(name)
    return "; ".join(f"{_names(names)} ({why})" for why, names in reasons.items())


def with_table(readme: str) -> str:
    """Return the README's text with the list as it is now."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
