"""The house stays one that can be read: no file is long without a reason."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
LONGEST = 350
#: Longer files, and why.
REASONS = {"tests/family_settings.py": "a table: the settings of every family of MLX-LM"}


def test_no_file_is_long_without_a_reason() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for folder in ("mlxjsd", "tui", "assets", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(found) > 200, "it looks at the right folders"
    assert {path for path, lines in found.items() if lines > LONGEST} == set(REASONS)
