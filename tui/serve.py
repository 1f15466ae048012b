"""The app in a browser, through textual-serve."""

import shlex
import sys

from mlxjsd.errors import InputError

#: Options of the server, not of the app that it starts for each visitor.
_FLAG = "--serve"
_VALUED = ("--host", "--port")


def serve(arguments: list[str], host: str, port: int) -> None:
    """Serve the app until it is interrupted.

    Args:
        arguments: of the command line; all but the server's own go to the app.
        host: address to listen on.
        port: where.

    Raises:
        InputError: if textual-serve is not installed.
    """
    try:
        from textual_serve.server import Server
    except ModuleNotFoundError:
        raise InputError(
            "--serve needs textual-serve", hint="get it by pip install 'mlxjsd[serve]'"
        ) from None
    Server(app_command(arguments), host=host, port=port, title="mlxjsd").serve()


def app_command(arguments: list[str]) -> str:
    """Return the command that starts the app without the server's options."""
    kept, rest = [], iter(arguments)
    for argument in rest:
        if argument in _VALUED:
            next(rest, None)
        elif argument != _FLAG and not argument.startswith(tuple(f"{v}=" for v in _VALUED)):
            kept.append(argument)
    return shlex.join([sys.executable, "-m", "mlxjsd", *kept])
