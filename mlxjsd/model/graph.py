"""How much memory a function takes, read from its graph before anything is computed.

MLX builds the graph of a function first and computes it later, so the shapes of all that it
makes are known at no cost. A result counts as memory of its own unless it is a view of another
one or may lie where its argument lay, and nothing is taken to be freed before the end: MLX runs
ahead of what it frees, and this bounds it whatever the order.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import mlx.core as mx

#: Operations whose result is a view of their argument, out of order or in the order that it has.
_VIEWS = {"AsStrided", "Broadcast", "Slice", "Split", "Transpose"}
_VIEWS_IN_ORDER = {"ExpandDims", "Squeeze", "Unflatten"}
#: Those whose result is a view as well, unless their argument lies out of order.
_RESHAPES = {"Flatten", "Reshape"}
#: Operations whose result may lie where an argument of the same size lay.
_IN_PLACE = {
    *("Abs", "Add", "Cos", "Divide", "Erf", "Exp", "Log", "LogAddExp", "Maximum", "Minimum"),
    *("Multiply", "Negative", "Power", "Select", "Sigmoid", "Sin", "Softmax", "Sqrt", "Square"),
    *("Subtract", "Tanh"),
}


@dataclass(frozen=True)
class Made:
    """Bytes of all that a function makes."""

    given: int
    """Of what depends on its arguments."""
    constant: int
    """Of the rest, such as another form of a model's parameters."""


def made_by(function: Callable[..., mx.array], arguments: Sequence[mx.array]) -> Made:
    """Add up what ``function`` makes of ``arguments``, without computing anything.

    Raises:
        Exception: of whatever type, if the function computes on its way, or does what MLX cannot
            write down as a graph.
    """
    parts: list[dict[str, Any]] = []
    mx.export_function(parts.append, function, *arguments)
    nodes = [part for part in parts if part["type"] == "primitive"]
    uses = Counter(name for node in nodes for name, _, _ in node["inputs"])
    depends = {name for part in parts if part["type"] == "inputs" for name, *_ in part["inputs"]}
    ordered: set[str] = set()  # results that lie in order, in memory of their own
    sums = {True: 0, False: 0}
    for node in nodes:
        operation, inputs = node["name"], node["inputs"]
        given = any(name in depends for name, _, _ in inputs)
        if given:
            depends.update(name for name, _, _ in node["outputs"])
        for name, shape, dtype in node["outputs"]:
            size = prod(shape) * dtype.size
            same = [
                argument
                for argument, other, kind in inputs
                if argument in ordered and prod(other) * kind.size == size
            ]
            if operation in _VIEWS or (operation in _VIEWS_IN_ORDER and not same):
                continue
            ordered.add(name)
            if same and operation in _VIEWS_IN_ORDER | _RESHAPES:
                continue
            if operation in _IN_PLACE and any(uses[argument] == 1 for argument in same):
                continue
            sums[given] += size
    return Made(sums[True], sums[False])
