"""Reading prompts from the files that are published.

A format is one entry beside its reader, in a module here; the command line, its help and the
recognition read :data:`FORMATS`. Of several that fit, the last one registered is taken, so the
modules are imported in this order.
"""

# isort: off
from mlxjsd.prompts.formats import own, lre, questions, editing, cloze_tables  # noqa: F401

# isort: on
from mlxjsd.prompts.formats.containers import Container, Row
from mlxjsd.prompts.formats.registry import ANY, FORMATS, Format, Parts, Reader, fits, register

__all__ = [
    "ANY",
    "FORMATS",
    "Container",
    "Format",
    "Parts",
    "Reader",
    "Row",
    "fits",
    "register",
]
