"""The command line: the only place that prints. stdout is data, stderr is talk."""

import sys
from typing import Any, NoReturn

from mlxjsd.cli.app import app
from mlxjsd.cli.exits import BAD_INPUT, INTERRUPTED, WRONG
from mlxjsd.errors import InputError, MeasurementError
from mlxjsd.plain import clean

# Each puts its commands into the app; the order is that of the help.
from mlxjsd.cli import measuring, tui, looking, reading  # isort: skip

__all__ = ["app", "looking", "main", "measuring", "reading", "tui"]


def _fail(message: str, code: int) -> NoReturn:
    print(f"mlxjsd: {clean(message)}", file=sys.stderr)
    sys.exit(code)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; exit code 0 done, 1 wrong numbers, 2 bad input, 130 interrupted."""
    try:
        app(arguments, prog_name="mlxjsd")
    except InputError as error:
        _fail(str(error), BAD_INPUT)
    except MeasurementError as error:
        _fail(str(error), WRONG)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED)
