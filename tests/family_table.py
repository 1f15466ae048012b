"""Writes the README's list of families: ``python tests/family_table.py``.

The lists are those of ``families``, each of whose entries is a test.
"""

from collections import defaultdict
from pathlib import Path

from families import ONE_PASS, PLAIN, REFUSED

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- families -->\n", "<!-- end of families -->\n"


def table() -> str:
    """Return the list as Markdown."""
    lines = [
        f"**One pass** ({len(ONE_PASS)}): {_names(ONE_PASS)}.",
        f"**Plain path** ({len(PLAIN)}): {_by_reason(PLAIN)}.",
        f"**Refused** ({len(REFUSED)}): {_by_reason({f: why for f, (_, why) in REFUSED.items()})}.",
    ]
    return "\n\n".join(lines) + "\n"


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
