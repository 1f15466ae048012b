"""What else things are called: tables of names, a set of them for one thing on each line."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from mlxjsd.analysis.matching import is_name, key_of
from mlxjsd.errors import InputError
from mlxjsd.settings import Aliases

#: The name of the table of countries that ships with mlxjsd.
COUNTRIES = "countries"


def read_aliases(named: str) -> Aliases:
    """Read a table of names.

    Args:
        named: ``countries``, or a file: UTF-8, a set a line, its names with tabs or ``|`` between;
            lines that begin with ``#`` are left out.

    Raises:
        InputError: if it cannot be read, or a line holds nothing that is a name.
    """
    if named == COUNTRIES:
        from mlxjsd.assets import COUNTRIES as BUNDLED

        path = BUNDLED
    else:
        path = Path(named)
    try:
        content = path.read_bytes()
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(
            f"cannot read the names in {path}: {error.strerror or error}",
            hint=f"give a file with --aliases, or {COUNTRIES}",
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", hint="convert the file to UTF-8") from None
    sets = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        names = tuple(name.strip() for name in line.replace("|", "\t").split("\t") if name.strip())
        if not names or not all(map(is_name, names)):
            raise InputError(
                f"line {number} of {path} holds something that is no name: {line[:80]!r}",
                hint="write a set of names a line, with tabs or | between them",
            )
        if len(names) > 1:
            sets.append(names)
    if not sets:
        raise InputError(
            f"{path} names nothing twice, so it holds no alias",
            hint="write a set of names a line, with tabs or | between them",
        )
    name = COUNTRIES if named == COUNTRIES else path.name
    return Aliases(name, hashlib.sha256(content).hexdigest(), tuple(sets))


def concerning(aliases: Aliases | None, answers: Iterable[tuple[str, ...]]) -> Aliases | None:
    """Return the sets of ``aliases`` that hold an accepted answer of a prompt.

    Args:
        aliases: all of a file; None for none.
        answers: the accepted answers of each prompt.
    """
    if aliases is None:
        return None
    asked = {key_of(answer) for accepted in answers for answer in accepted}
    sets = (names for names in aliases.sets if any(key_of(name) in asked for name in names))
    return replace(aliases, sets=tuple(sets))


def further_names(answers: tuple[str, ...], aliases: Aliases | None) -> dict[str, str]:
    """Return the names that join the accepted answers of a prompt, and of which each is an alias.

    An accepted answer that is in several sets is joined by the names of all of them.
    """
    if aliases is None:
        return {}
    table, known = _table(aliases), {key_of(answer) for answer in answers}
    found: dict[str, str] = {}
    for answer in answers:
        for name in table.get(key_of(answer), ()):
            if key_of(name) not in known:
                found.setdefault(name, answer)
    return found


@lru_cache(maxsize=8)
def _table(aliases: Aliases) -> dict[str, tuple[str, ...]]:
    """Return the other names of each name, by its key."""
    table: dict[str, tuple[str, ...]] = {}
    for names in aliases.sets:
        for name in names:
            key = key_of(name)
            table[key] = (*table.get(key, ()), *names)
    return table
