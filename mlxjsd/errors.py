"""The kinds of bad news, each one sentence that says what to do next; see :mod:`.messages`."""


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


class InputError(ValueError):
    """Something that was asked for cannot be used: a file, a folder, a model, an option."""


class UnsupportedModel(InputError):
    """The model's blocks cannot be stepped between, so nothing about it can be measured."""


class MeasurementError(RuntimeError):
    """A number came out that cannot be right, so it is not reported."""


class TeamBroken(Exception):
    """A rank that holds a part of the model is lost or out of step: this process can only leave.

    No ``RuntimeError``, so that nobody takes it for a lack of memory and tries again.
    """


class MachineError(RuntimeError):
    """The machine has run out of something, such as its disk; what was committed stays."""
