"""The command line itself, to which the commands are added, and how it ends."""

import errno
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mlxjsd.cli.encoding import prepare_output
from mlxjsd.cli.exit_codes import BAD_INPUT, HUNG_UP, INTERRUPTED, WRONG
from mlxjsd.cli.signals import terminal_is_gone, without_terminal
from mlxjsd.errors import (
    InputError,
    MachineError,
    MeasurementError,
    Panic,
    panics_caught,
    said_by,
)
from mlxjsd.text import clean

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="See, layer by layer, where a language model keeps and moves what it knows.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"mlxjsd {version('mlxjsd')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; the exit codes are those of :mod:`mlxjsd.cli.exit_codes`."""
    prepare_output()
    try:
        with panics_caught():
            app(arguments, prog_name="mlxjsd")
    except Panic as error:
        _fail(f"a library gave up: {said_by(error, 300)}", WRONG)
    except InputError as error:
        _fail(str(error), BAD_INPUT)
    except (MeasurementError, MachineError) as error:
        _fail(str(error), WRONG)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
    except OSError as error:
        if error.errno == errno.EIO and terminal_is_gone():
            without_terminal()
            sys.exit(HUNG_UP)
        if _working_folder_is_gone():
            _fail("the working folder was removed or moved; go to another one", BAD_INPUT)
        _fail(f"{error.strerror or error}: {error.filename or 'the output'}", WRONG)


def _working_folder_is_gone() -> bool:
    try:
        Path.cwd()
    except OSError:
        return True
    return False


def _fail(message: str, code: int) -> NoReturn:
    print(f"mlxjsd: {clean(message)}", file=sys.stderr)
    sys.exit(code)
