"""The app in one person's browser, through textual-serve.

Its handlers are taken, not its application: every request goes through :mod:`mlxjsd.tui.guard`
first, whatever a later version of textual-serve does. Its page asks for fonts from elsewhere and
has no title, so that there is one of our own in ``page/``.
"""

import shlex
import socket
import sys
from collections.abc import Callable
from html import escape
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from mlxjsd.errors import InputError
from mlxjsd.text import clean

if TYPE_CHECKING:
    from aiohttp import web

    from mlxjsd.tui.guard import Guard

#: Options of the server, not of the app that it starts for each visitor.
_FLAG = "--serve"
_VALUED = ("--host", "--port")
_PAGE = Path(__file__).parent / "page"
#: What the page needs of textual-serve's files.
_STATIC = (
    "js/textual.js",
    "css/xterm.css",
    "fonts/RobotoMono-VariableFont_wght.ttf",
    "fonts/RobotoMono-Italic-VariableFont_wght.ttf",
)
#: Python puts the working folder in front of its path for ``-m`` and ``-c``, and a ``rich.py`` that
#: lies there would be run. ``-P`` is unknown to 3.10, and ``-I`` drops the user's own packages.
_START = "import sys; sys.path[:] = [p for p in sys.path if p]; from mlxjsd.cli import main; main()"


def serve(
    arguments: list[str],
    host: str,
    port: int,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> None:
    """Serve the app until it is interrupted.

    Args:
        arguments: of the command line; all but the server's own go to the app.
        host: address to listen on, or a name of it.
        port: where; 0 is any that is free.
        say: takes the address to open, which is a secret until it is used.
        warn: takes what the user should know.

    Raises:
        InputError: if textual-serve is missing or unknown, or the address cannot be had.
    """
    try:
        from aiohttp import web
        from textual_serve.server import Server

        from mlxjsd.tui.guard import PARTING, Guard
    except ModuleNotFoundError:
        raise InputError(
            "--serve needs textual-serve", hint="get it by pip install 'mlxjsd[serve]'"
        ) from None
    listening = listen(host, port)
    address, port = listening.getsockname()[:2]
    public, host = _public_name(address), clean(host)
    guard = Guard({host, public})
    application = guarded(Server(app_command(arguments)), guard, title(arguments))
    if not ip_address(address).is_loopback:
        warn(
            f"Whoever reaches {host} and has the token can use the app with your rights, and "
            "nothing is encrypted: leave out --host, and reach this machine through ssh -L."
        )
    warn("Open this address; it works once, in one browser. Ctrl-C ends the server.")
    say(f"http://{public}:{port}/?token={guard.token}")
    web.run_app(
        application,
        sock=listening,
        print=None,
        access_log=None,
        shutdown_timeout=PARTING,
    )


def guarded(server: Any, guard: "Guard", title: str) -> "web.Application":
    """Return the application: textual-serve's handlers and our page, behind the guard.

    Raises:
        InputError: if textual-serve has other handlers or files than those that are known.
    """
    from aiohttp import web

    try:
        static = Path(server.statics_path)
        socket_handler, download_handler = server.handle_websocket, server.handle_download
    except AttributeError:
        raise _unknown_version() from None
    if not all((static / name).is_file() for name in _STATIC):
        raise _unknown_version()
    template = Template((_PAGE / "index.html").read_text(encoding="utf-8"))

    async def page(request: "web.Request") -> "web.Response":
        size = request.query.get("fontsize", "")
        text = template.substitute(
            title=escape(title),
            socket=escape(f"ws://{request.host}/ws"),
            font_size=int(size) if size.isascii() and size.isdigit() and len(size) < 4 else 16,
        )
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    application = web.Application(middlewares=[guard.check])
    application.on_response_prepare.append(guard.add_headers)
    application.on_shutdown.append(guard.close)
    application.add_routes(
        [
            web.get("/", page),
            web.get("/ws", socket_handler),
            web.get("/download/{key}", download_handler),
            web.static("/static", static),
            web.static("/page", _PAGE),
        ]
    )
    return application


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at the first address of ``host`` that can be had.

    Raises:
        InputError: if there is none.
    """
    if not host:  # would be every address of this machine
        raise InputError("--host is empty", hint="leave it out, or name an address")
    if not 0 <= port < 2**16:  # would be another port
        raise InputError(f"--port {port} is none", hint="give one up to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise InputError(
            f"--host {clean(host)} is no address", hint="leave it out, or name one of this machine"
        ) from None
    failed = ""
    for family, _, _, _, address in found:
        try:
            return socket.create_server(address[:2], family=family)
        except OSError as error:
            failed = error.strerror or str(error)
    raise InputError(
        f"cannot listen on {clean(host)} port {port} ({failed})",
        hint="give another by --port or --host",
    )


def title(arguments: list[str]) -> str:
    """Return what the browser shows as the page's title."""
    rest = _app_arguments(arguments)[1:]
    return f"mlxjsd: {clean(shlex.join(rest))}" if rest else "mlxjsd"


def app_command(arguments: list[str]) -> str:
    """Return the command that starts the app without the server's options."""
    return shlex.join([sys.executable, "-c", _START, *_app_arguments(arguments)])


def _app_arguments(arguments: list[str]) -> list[str]:
    kept, rest = [], iter(arguments)
    for argument in rest:
        if argument in _VALUED:
            next(rest, None)
        elif argument != _FLAG and not argument.startswith(tuple(f"{v}=" for v in _VALUED)):
            kept.append(argument)
    return kept


def _public_name(address: str) -> str:
    """Return the host of the printed address.

    A number, so that no other server can stand at another address of the same name.
    """
    if ip_address(address).is_unspecified:
        return socket.gethostname()
    return f"[{address}]" if ":" in address else address


def _unknown_version() -> InputError:
    return InputError(
        f"textual-serve {version('textual-serve')} is none that mlxjsd can guard",
        hint="get one by pip install 'mlxjsd[serve]'",
    )
