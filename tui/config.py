"""What the app keeps between two of its lives: a file for people, and where each run was left.

The configuration is TOML that its user may write by hand; what the app changes in it leaves
comments and order alone. A wrong file is one sentence and the defaults, and is never written over.
Where a run was left is no setting, and lies in a file of its own.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
import tomlkit
from tomlkit.exceptions import TOMLKitError

from mlxjsd.errors import InputError, MachineError
from mlxjsd.files import write_whole
from mlxjsd.metrics import JSD
from mlxjsd.text import clean
from mlxjsd.tui.colours import COLOUR_MAPS
from mlxjsd.tui.scales import AUTOMATIC, scales_of

_APP = "mlxjsd"
#: Runs of which is kept where they were left.
_REMEMBERED = 200
_NOT_WRITTEN = (OSError, InputError, MachineError)
#: A file that is longer was not written for this.
_MOST_BYTES = 1 << 20


def config_path() -> Path:
    """Return where the configuration lies on this platform."""
    return platformdirs.user_config_path(_APP) / "tui.toml"


def places_path() -> Path:
    """Return where is kept how each run was left."""
    return platformdirs.user_state_path(_APP) / "places.json"


@dataclass(frozen=True)
class Config:
    """What can be set; every name is one of the file, those of ``keys`` in a table of that name."""

    theme: str | None = None
    """One of Textual's; None for its default."""
    map: str | None = None
    """The colour map of every metric that is not signed; None for the app's choice."""
    scale: str = AUTOMATIC
    """The scale of the colours."""
    confirm: bool = True
    """Whether to ask before a run that goes on is stopped or left."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """By the id of a binding: its keys, with commas between them."""


class Memory:
    """Reads both files, and writes into them what the app is told to remember."""

    def __init__(self, themes: Iterable[str], ids: Iterable[str]) -> None:
        """Read.

        Args:
            themes: the names that ``theme`` can have.
            ids: those of all bindings.
        """
        self.problem = ""
        """What is wrong with the configuration, as a sentence."""
        self._writable = True
        known: dict[str, Callable[[Any], str]] = {
            "theme": _one_of(tuple(themes)),
            "map": _one_of(COLOUR_MAPS),
            "scale": _one_of(tuple(scales_of(JSD))),
            "confirm": lambda value: "" if isinstance(value, bool) else "is not true or false",
            "keys": _keys_of(frozenset(ids)),
        }
        try:
            read = _read_toml(config_path())
        except (OSError, UnicodeError, ValueError, RecursionError) as error:
            self._writable = False
            said = " ".join(str(error).split()) or type(error).__name__
            self._say(f"{said}; the defaults are used")
            read = {}
        values = {}
        for name, value in read.items():
            why = known[name](value) if name in known else "is no setting"
            if why:
                self._say(f"{name} {why}; the default is used")
            else:
                values[name] = value
        self.config = Config(**values)

    def _say(self, what: str) -> None:
        self.problem = self.problem or clean(f"{config_path()}: {what}.")[:400]

    def remember(self, **changed: str) -> None:
        """Write settings down; where that is not possible, they hold for this time alone."""
        if not self._writable:
            return
        path = config_path()
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            document = tomlkit.parse(text)
            if all(document.get(name) == value for name, value in changed.items()):
                return
            for name, value in changed.items():
                document[name] = value
            _write(path, tomlkit.dumps(document))
        except (*_NOT_WRITTEN, UnicodeError, TOMLKitError):
            self._writable = False


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is no configuration")
    return tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()


def _one_of(names: tuple[str, ...]) -> Callable[[Any], str]:
    def why(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return ""
        return f"is {str(value)[:40]!r}, and can be {', '.join(names)}"

    return why


def _keys_of(ids: frozenset[str]) -> Callable[[Any], str]:
    def why(value: Any) -> str:
        if not isinstance(value, dict):
            return "is no table"
        for name, keys in value.items():
            if name not in ids:
                return f"names {str(name)[:40]!r}, which no key has; `?` shows their names"
            if not isinstance(keys, str) or not all(part.strip() for part in keys.split(",")):
                return f'gives {name} no key; write it as in {name} = "p"'
        return ""

    return why


class Places:
    """Where each run was left: the newest of them, by folder."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or places_path()

    def of(self, folder: Path) -> dict[str, Any]:
        """Return how a run was left; {} if it was never seen."""
        found = self._read().get(str(folder.absolute()), {})
        return found if isinstance(found, dict) else {}

    def keep(self, folder: Path, place: Mapping[str, Any]) -> None:
        """Write down how a run is left; a place that cannot be kept is forgotten."""
        places, name = self._read(), str(folder.absolute())
        places.pop(name, None)
        kept = dict(list(places.items())[-(_REMEMBERED - 1) :])
        try:
            _write(self._path, json.dumps({**kept, name: place}))
        except _NOT_WRITTEN:
            return

    def _read(self) -> dict[str, Any]:
        try:
            if self._path.stat().st_size > _MOST_BYTES:
                return {}
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
