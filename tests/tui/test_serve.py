import shlex
import sys

import pytest

from mlxjsd.errors import InputError
from mlxjsd.tui.serve import app_command, serve


def test_the_options_of_the_server_stay_with_the_server() -> None:
    given = ["tui", "--serve", "--host", "0.0.0.0", "--port=80", "--data", "my facts.jsonl"]
    assert shlex.split(app_command(given)) == [
        sys.executable, "-m", "mlxjsd", "tui", "--data", "my facts.jsonl",
    ]  # fmt: skip


def test_without_textual_serve_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    with pytest.raises(InputError, match=r"mlxjsd\[serve\]"):
        serve(["tui"], "127.0.0.1", 8000)


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    from inspect import signature

    from mlxjsd.cli.tui import tui

    assert signature(tui).parameters["host"].default == "127.0.0.1"
