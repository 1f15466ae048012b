"""Exception types. Each is one sentence: what is wrong, and what to do next."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


def said_by(error: Exception, most: int) -> str:
    """Return what an error of another library says, on one line of at most so many characters."""
    return " ".join(str(error).split())[:most]


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error means that memory ran out; MLX raises no type of its own for it."""
    lowered = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in lowered for sign in _MEMORY_SIGNS)
    )


#: As Metal, CUDA, and the allocators of MLX and of C++ put it.
_MEMORY_SIGNS = (
    "unable to allocate",
    "failed to allocate",
    "cannot allocate",
    "out of memory",
    "outofmemory",
    "insufficient memory",
    "bad_alloc",
    "bad alloc",
    "malloc",
    "maximum allowed buffer size",
)


class Panic(Exception):
    """A library written in Rust gave up; a tokenizer that contradicts itself leads to it."""


@contextmanager
def panics_caught() -> Iterator[None]:
    """Raise Rust's panics as :class:`Panic`: they are no ``Exception``, and so pass every net."""
    try:
        yield
    except BaseException as error:
        # pyo3 makes the type as it is needed, so that it cannot be imported.
        kind = type(error)
        if (kind.__module__, kind.__name__) != ("pyo3_runtime", "PanicException"):
            raise
        raise Panic(str(error)) from error


class _Told(Exception):
    """An error that is told to people as one sentence."""

    def __init__(self, what: str, *, hint: str) -> None:
        """Say ``what`` is wrong, and give a ``hint``: what to do next. Neither ends in a stop."""
        super().__init__(f"{what}; {hint}")
        self.what, self.hint = what, hint

    def at(self, place: object) -> "Self":
        """Return the same error with the ``place`` in front that it is about."""
        return type(self)(f"{place}: {self.what}", hint=self.hint)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), hint=self.hint), (self.what,)


class InputError(_Told, ValueError):
    """Something that was asked for cannot be used: a file, a folder, a model, an option."""


class UnsupportedModel(InputError):
    """The model's blocks cannot be stepped between, so nothing about it can be measured."""


class MeasurementError(_Told, RuntimeError):
    """A number came out that cannot be right, so it is not reported."""


class GroupBroken(Exception):
    """A rank that holds a part of the model is lost or out of step: this process has to end.

    No ``RuntimeError``, so that nobody takes it for a lack of memory and tries again.
    """


class MachineError(_Told, RuntimeError):
    """The machine has run out of something, such as its disk; what was committed stays."""
