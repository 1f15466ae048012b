"""The server: where it listens, what it starts, and what it says."""

import shlex
import socket
import sys
from types import SimpleNamespace

import pytest

from mlxjsd.errors import InputError
from mlxjsd.tui.serve import app_command, guarded, listen, serve, title

pytest.importorskip("textual_serve", reason="needs textual-serve")

from aiohttp import web
from textual_serve.server import Server

from mlxjsd.tui.guard import Guard


def unheard(text: str) -> None:
    """Take what is said."""


@pytest.mark.parametrize(
    "missing", ["handle_websocket", "handle_download", "statics_path", "the files"]
)
def test_a_version_that_cannot_be_guarded_is_not_served(missing: str) -> None:
    server = Server("app")
    known = {
        name: getattr(server, name)
        for name in ("handle_websocket", "handle_download", "statics_path")
        if name != missing
    }
    if missing == "the files":
        known["statics_path"] = "nowhere"
    with pytest.raises(InputError, match=r"textual-serve .* is none that mlxjsd can guard; get"):
        guarded(SimpleNamespace(**known), Guard(), "title")


def test_the_options_of_the_server_stay_with_the_server() -> None:
    given = ["tui", "--serve", "--host", "0.0.0.0", "--port=80", "--data", "my facts.jsonl"]
    python, flag, _, *rest = shlex.split(app_command(given))
    assert (python, flag, rest) == (sys.executable, "-c", ["tui", "--data", "my facts.jsonl"])
    assert title(given) == "mlxjsd: --data 'my facts.jsonl'"
    assert title(["tui", "--serve"]) == "mlxjsd"


def test_without_textual_serve_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    with pytest.raises(InputError, match=r"mlxjsd\[serve\]"):
        serve(["tui"], "127.0.0.1", 8000, say=unheard, warn=unheard)


def test_it_listens_on_this_machine_alone_unless_told_otherwise() -> None:
    from inspect import signature

    from mlxjsd.cli.tui import tui

    assert signature(tui).parameters["host"].default == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "printed", "is_open"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("localhost", None, False),
        ("0.0.0.0", socket.gethostname(), True),
    ],
)
def test_whoever_can_reach_it_is_said(
    host: str, printed: str | None, is_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = []

    def run_app(application: web.Application, sock: socket.socket, **rest: object) -> None:
        assert application.middlewares
        with sock:
            bound.append(sock.getsockname())

    monkeypatch.setattr(web, "run_app", run_app)
    said: list[str] = []
    warned: list[str] = []
    serve(["tui", "--serve"], host, 0, say=said.append, warn=warned.append)
    ((address, port, *_),) = bound
    printed = printed or (f"[{address}]" if ":" in address else address)
    (line,) = said
    assert line.startswith(f"http://{printed}:{port}/?token=")
    assert any("with your rights" in line and "encrypted" in line for line in warned) == is_open


@pytest.mark.parametrize(
    ("host", "port", "what"),
    [
        ("", 8000, "--host is empty"),
        ("no such host.invalid", 8000, "is no address"),
        ("127.0.0.1", 70000, "--port 70000 is none"),
        ("192.0.2.1", 8000, "cannot listen on 192.0.2.1 port 8000"),
    ],
)
def test_an_address_that_cannot_be_had_is_one_sentence(host: str, port: int, what: str) -> None:
    with pytest.raises(InputError, match=what):
        listen(host, port)


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1 port {port}"):
            listen("127.0.0.1", port)
