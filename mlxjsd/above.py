"""What people expect of a result, and what only the rooms above it can do.

Results lie below the figures and the exports, and name nothing of them. A table or a picture is
asked of the result itself all the same, so the module that makes it is looked up by name when it
is asked for, as the names of :mod:`mlxjsd` are. Nothing is imported before that.
"""

from importlib import import_module
from typing import Any


def above(module: str) -> Any:
    """Return a module of the rooms above, such as ``output.tables``."""
    return import_module(f"mlxjsd.{module}")


class Shown:
    """Something that a notebook shows as a picture with its numbers; see
    :mod:`mlxjsd.output.notebook`."""

    def _repr_html_(self) -> str:
        return str(above("output.notebook").html_of(self))

    def _repr_png_(self) -> bytes:
        return bytes(above("output.notebook").png_of(self))
