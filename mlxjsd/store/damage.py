"""What a damaged or forged run file leads to: one sentence, whatever it was that went wrong."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlxjsd.errors import InputError, said_by

#: What a bit that flipped can lead to once SQLite has handed a value out.
NONSENSE = (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError)
#: Whether the last query of a thread was ended because it took too long.
timed = threading.local()


class Damage(Exception):
    """Something in a run file is not what was written, or cannot be."""


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one sentence.

    Raises:
        InputError: in place of any other error.
        KeyboardInterrupt: if that is what ended a query.
    """
    timed.out = False
    try:
        yield
    except InputError:
        raise
    except sqlite3.DatabaseError as error:
        raise _said_by_sqlite(path, error) from None
    except Damage as error:
        raise damaged(path, said_by(error, 200)) from None
    except NONSENSE as error:
        raise damaged(path, f"{type(error).__name__} while reading it") from None
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}", hint="name a file that may be read"
        ) from None


def _said_by_sqlite(path: Path, error: sqlite3.DatabaseError) -> BaseException:
    said = str(error)
    if said == "interrupted":
        # An exception in a progress handler ends the query, and is forgotten by Python.
        if not timed.out:
            return KeyboardInterrupt()
        return damaged(path, "reading it takes too long")
    if "locked" in said or "readonly" in said:
        return InputError(
            f"{path} is held by another program: {error}", hint="try again when it has let go"
        )
    if "unable to open" in said:
        return InputError(f"cannot read {path}: {error}", hint="name a file that may be read")
    return damaged(path, said_by(error, 200))


def damaged(path: Path, why: str) -> InputError:
    """Return the error that says of a run file that it is damaged."""
    return InputError(
        f"{path} is damaged or not a run file ({why})",
        hint=f"`mlxjsd export {path.parent} -o saved.json --salvage` saves what can be trusted",
    )
