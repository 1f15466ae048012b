"""The calls of the modules inside a block: recorded, or their outputs edited.

As blocks are (:mod:`mlxjsd.model.stepping`), a module is intercepted by giving it, for a while, a
subclass of its own class; parameters and attributes stay where they are.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from mlxjsd.errors import MeasurementError

#: What takes a call: the module's name, how it goes on, and what it was given.
Taker = Callable[[str, Callable[..., Any], tuple, dict[str, Any]], Any]
Edit = Callable[[mx.array], mx.array]


@dataclass(frozen=True)
class Call:
    """One call of a module that takes and gives states."""

    name: str
    """Where the module stands in its block."""
    x: mx.array
    """What it was given, (rows, tokens, hidden)."""
    out: mx.array
    """What it gave, (rows, tokens, hidden)."""
    around: tuple[str, ...]
    """The modules in whose calls it was called, outermost first."""
    size: int
    """How many numbers its parameters hold."""
    _forward: Callable[..., Any]
    _args: tuple
    _kwargs: dict[str, Any]

    def again(self, x: mx.array) -> mx.array:
        """Return what the module gives for other states, everything else being as it was."""
        args = [x if value is self.x else value for value in self._args]
        kwargs = {name: x if value is self.x else value for name, value in self._kwargs.items()}
        return states_of(self._forward(*args, **kwargs))


def states_of(out: Any) -> Any:
    """Return the first of what a module gives, where it gives several things."""
    return out[0] if isinstance(out, tuple) and out else out


class Interceptor:
    """Gives modules classes of their own, for some modules at a time."""

    def __init__(self) -> None:
        self._classes: dict[type, type] = {}
        self._names: dict[int, str] = {}
        self._taker: Taker | None = None

    @contextmanager
    def over(self, modules: Mapping[str, nn.Module], taker: Taker) -> Iterator[None]:
        """Hand every call of ``modules`` to ``taker``; restore them in any case.

        Raises:
            MeasurementError: if others are intercepted already, or one cannot be restored.
        """
        if self._taker is not None:
            raise MeasurementError(
                "the parts of a block are being edited already",
                hint="let one edit end before the next",
            )
        before = [(name, module, type(module)) for name, module in modules.items()]
        if changed := [name for name, _, cls in before if cls in self._classes.values()]:
            raise MeasurementError(f"{changed[0]} is not as it was loaded", hint="load it anew")
        self._names = {id(module): name for name, module, _ in before}
        self._taker = taker
        try:
            for _, module, cls in before:
                module.__class__ = self._intercepting(cls)
            yield
        finally:
            for _, module, cls in before:
                with suppress(TypeError):  # so that the others are restored all the same
                    module.__class__ = cls
            self._names, self._taker = {}, None
            for name, module, cls in before:
                if type(module) is not cls:
                    raise MeasurementError(
                        f"{name} was not restored after a pass", hint="load the model anew"
                    )

    def _intercepting(self, cls: type) -> type:
        if cls in self._classes:
            return self._classes[cls]
        owner = self

        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            def forward(*args: Any, **kwargs: Any) -> Any:
                return cls.__call__(module, *args, **kwargs)

            assert owner._taker is not None
            return owner._taker(owner._names[id(module)], forward, args, kwargs)

        own = {"__call__": __call__, "__module__": cls.__module__}
        return self._classes.setdefault(cls, type(cls.__name__, (cls,), own))


def submodules(block: nn.Module) -> dict[str, nn.Module]:
    """Return the modules inside a block that can be called, each under its first name."""
    found: dict[int, tuple[str, nn.Module]] = {}
    for name, module in sorted(block.named_modules()):
        if module is not block and any("__call__" in vars(cls) for cls in type(module).__mro__):
            found.setdefault(id(module), (name, module))
    return dict(found.values())


class Watch:
    """Records the calls of modules that take and give states, in the order in which they end."""

    def __init__(self, modules: Mapping[str, nn.Module], shape: tuple[int, ...]) -> None:
        """Watch ``modules``; states are of ``shape``, (rows, tokens, hidden)."""
        self._modules, self._shape = modules, shape
        self._calls: list[Call] = []
        self._times: dict[str, int] = {}
        self._open: list[str] = []

    def take(self, name: str, forward: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        """Take a call, as an :class:`Interceptor` hands it over."""
        around = tuple(self._open)
        self._times[name] = self._times.get(name, 0) + 1
        self._open.append(name)
        try:
            given = forward(*args, **kwargs)
        finally:
            self._open.pop()
        x = next((value for value in (*args, *kwargs.values()) if self._is_state(value)), None)
        if x is not None and self._is_state(out := states_of(given)):
            size = _size(self._modules[name])
            self._calls.append(Call(name, x, out, around, size, forward, args, kwargs))
        return given

    @property
    def calls(self) -> list[Call]:
        """The calls of modules that were called once."""
        return [call for call in self._calls if self._times[call.name] == 1]

    def _is_state(self, value: Any) -> bool:
        return isinstance(value, mx.array) and value.shape == self._shape


def _size(module: nn.Module) -> int:
    held = module.parameters()
    found, rest = 0, [held]
    while rest:
        value = rest.pop()
        if isinstance(value, mx.array):
            found += value.size
        elif isinstance(value, dict):
            rest += value.values()
        elif isinstance(value, list | tuple):
            rest += value
    return found


class Edits:
    """Gives the outputs of modules to functions that may record or replace them."""

    def __init__(self, edits: Mapping[str, Edit]) -> None:
        self._edits = edits
        self.edited: set[str] = set()
        """Modules that were called."""

    def take(self, name: str, forward: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        """Take a call, as an :class:`Interceptor` hands it over."""
        given = forward(*args, **kwargs)
        states = states_of(given)
        new = self._edits[name](states)
        self.edited.add(name)
        if new is states:
            return given
        if new.shape != states.shape:
            raise MeasurementError(
                f"an edit of {name} gives {new.shape} in place of {states.shape}",
                hint="return as many rows and tokens as were given",
            )
        new = new.astype(states.dtype)
        return (new, *given[1:]) if isinstance(given, tuple) else new
