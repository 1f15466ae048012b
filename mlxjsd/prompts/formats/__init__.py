"""Reading prompts from the files that are published.

A format is one entry in :mod:`mlxjsd.prompts.formats.datasets`, beside its reader; the command
line, its help and the recognition read :data:`FORMATS`.
"""

from mlxjsd.prompts.formats import datasets  # noqa: F401 - registers the formats
from mlxjsd.prompts.formats.containers import ANY, Container, Row
from mlxjsd.prompts.formats.registry import FORMATS, Format, Reader, register

__all__ = ["ANY", "FORMATS", "Container", "Format", "Reader", "Row", "register"]
