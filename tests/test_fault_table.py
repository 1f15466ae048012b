"""The table of faults in CONTRIBUTING.md: each test that it names is there."""

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_every_fault_has_a_test_that_makes_it_happen() -> None:
    text = (TESTS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("## What may go wrong")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    for fault, tests, seen in rows:
        named = re.findall(r"`([^`]+)`", tests)
        assert named, fault
        assert seen.strip(" |"), fault
        for name in named:
            file, _, test = name.partition("::")
            code = (TESTS / file).read_text(encoding="utf-8")
            assert f"def {test}(" in code or not test, name
