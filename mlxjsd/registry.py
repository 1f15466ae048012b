"""A table of things that can be asked for by name, such as rows and metrics."""

from typing import Protocol, TypeVar

from mlxjsd.errors import InputError


class Named(Protocol):
    """Something with a name of its own."""

    @property
    def key(self) -> str:
        """Its name in settings, run files and exports."""


Entry = TypeVar("Entry", bound=Named)


class Registry(dict[str, Entry]):
    """Entries by key, in the order in which they were added."""

    def __init__(self, kind: str, option: str) -> None:
        """Begin without any.

        Args:
            kind: what an entry is called in messages, such as "row".
            option: the one that takes such names, such as "--rows".
        """
        super().__init__()
        self._kind, self._option = kind, option

    def add(self, entry: Entry) -> Entry:
        """Add an entry; return it. Raises ``ValueError`` if its key is taken."""
        if entry.key in self:
            raise ValueError(f"there is a {self._kind} {entry.key!r} already")
        self[entry.key] = entry
        return entry

    def find(self, key: str) -> Entry:
        """Return the entry of this name.

        Raises:
            InputError: if there is none; the message lists those there are.
        """
        if key not in self:
            raise InputError(
                f"there is no {self._kind} {key!r}; there is {', '.join(self)}",
                hint=f"give one of these with {self._option}",
            )
        return self[key]
