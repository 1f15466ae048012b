"""What is refused is refused with a sentence of the catalogue, which says what to do next."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from mlxjsd import messages
from mlxjsd.messages import Message, Reason

ROOT = Path(__file__).parent.parent
KINDS = {"InputError", "MeasurementError", "MachineError", "UnsupportedModel", "Unusable"}
CATALOGUE = {
    name: value for name, value in vars(messages).items() if isinstance(value, Message | Reason)
}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("mlxjsd", "tui", "assets"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.expr) -> str | None:
    """The name of a message that an expression fills in, or None."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "messages"
    ):
        return node.func.attr
    return None


def test_nothing_is_refused_with_other_words() -> None:
    other = []
    for path, tree in modules():
        filled = {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and called(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in KINDS:
                (said,) = node.args
                if not called(said) and not (isinstance(said, ast.Name) and said.id in filled):
                    other.append(f"{path}:{node.lineno}")
    assert not other


def test_every_message_is_used_and_each_gap_is_filled() -> None:
    used = set()
    for path, tree in modules():
        for node in ast.walk(tree):
            name = called(node) if isinstance(node, ast.expr) else None
            if name is None:
                continue
            assert isinstance(node, ast.Call)
            message = CATALOGUE[name]
            text = message.what + (message.do if isinstance(message, Message) else "")
            gaps = {gap for _, gap, _, _ in Formatter().parse(text) if gap is not None}
            given = {keyword.arg for keyword in node.keywords}
            assert gaps == given, f"{path}:{node.lineno}: {name}"
            used.add(name)
    assert used == set(CATALOGUE)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_message_is_one_sentence_that_says_what_to_do(name: str) -> None:
    message = CATALOGUE[name]
    parts = [message.what, message.do] if isinstance(message, Message) else [message.what]
    for part in parts:
        assert part, "what is wrong, and what to do"
        assert part == part.strip()
        assert "\n" not in part
        assert not part.endswith((".", ";"))
