"""The two kinds of bad news, each one sentence that says what to do next."""


def said_by(error: Exception, most: int) -> str:
    """Return what an error of another library says, on one line of at most so many characters."""
    return " ".join(str(error).split())[:most]


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
