"""The command line: the only place that prints. stdout is data, stderr is talk."""

import errno
import sys
from typing import Any, NoReturn

from mlxjsd.cli.app import app
from mlxjsd.cli.exit_codes import BAD_INPUT, HUNG_UP, INTERRUPTED, WRONG
from mlxjsd.cli.signals import terminal_is_gone, without_terminal
from mlxjsd.errors import InputError, MachineError, MeasurementError
from mlxjsd.text import clean

# Each puts its commands into the app; the order is that of the help.

from mlxjsd.cli import run, tui, inspect, results  # isort: skip

__all__ = ["app", "inspect", "main", "results", "run", "tui"]


def _fail(message: str, code: int) -> NoReturn:
    print(f"mlxjsd: {clean(message)}", file=sys.stderr)
    sys.exit(code)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; the exit codes are those of :mod:`mlxjsd.cli.exit_codes`."""
    try:
        app(arguments, prog_name="mlxjsd")
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
        _fail(f"{error.strerror or error}: {error.filename or 'the output'}", WRONG)
