"""What is refused is refused with one sentence, which says what to do next."""

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxjsd.errors import InputError, MachineError, MeasurementError, UnsupportedModel

ROOT = Path(__file__).parents[1]
KINDS = {kind.__name__ for kind in (InputError, MachineError, MeasurementError, UnsupportedModel)}


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Yield every place at which such an error is made."""
    for folder in ("mlxjsd", "tui", "assets"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                    continue
                if node.func.id in KINDS:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


PLACES = dict(raised())


def written(node: ast.expr) -> str:
    """The words of a sentence; a gap is written as \N{HORIZONTAL ELLIPSIS}."""
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, str)
        return node.value
    if isinstance(node, ast.Attribute) and node.attr == "hint":
        return "passed on from another error"
    assert isinstance(node, ast.JoinedStr), ast.unparse(node)
    return "".join(
        written(part) if isinstance(part, ast.Constant) else "\N{HORIZONTAL ELLIPSIS}"
        for part in node.values
    )


def test_there_are_errors_to_look_at() -> None:
    assert len(PLACES) > 100


@pytest.mark.parametrize("place", PLACES)
def test_an_error_says_what_is_wrong_and_what_to_do(place: str) -> None:
    call = PLACES[place]
    (what,), (hint,) = call.args, call.keywords
    assert hint.arg == "hint"
    for part in (written(what), written(hint.value)):
        assert part
        assert part == part.strip()
        assert "\n" not in part
        assert not part.endswith((".", ";"))


@pytest.mark.parametrize("kind", [InputError, MachineError, MeasurementError, UnsupportedModel])
def test_an_error_is_one_sentence_wherever_it_goes(kind: type[InputError]) -> None:
    error = kind("there is no file x", hint="name another")
    assert str(error) == "there is no file x; name another"
    assert str(error.at("line 3")) == "line 3: there is no file x; name another"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.hint) == (kind, str(error), error.hint)
